//! send_message
