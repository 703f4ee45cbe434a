//! query_report
