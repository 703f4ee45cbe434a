//! send_large_message
