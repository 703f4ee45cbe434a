//! query_criteria
