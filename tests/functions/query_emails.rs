//! query_emails
