//! query_troubles
