//! delete_messages_from_query_results
