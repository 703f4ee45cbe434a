//! The functions, from their inputs to what they leave behind at Microsoft Graph and SOAR, over real
//! sockets: what is asked, what comes back, and what happened.

mod addresses;
mod bounds;
mod calls;
pub(crate) mod common;
mod create_meeting;
mod delete_email;
mod delete_messages_from_query_results;
mod encodings;
mod errors;
mod front;
mod get_attachments;
mod get_email_user_profile;
mod get_message;
mod guard_mailboxes;
pub(crate) mod guard_rails;
mod idempotency_at_graph;
mod idempotency_at_soar;
mod injection;
mod inputs;
mod move_message_to_folder;
mod payload;
mod query_answers;
mod query_campaigns;
mod query_criteria;
mod query_emails;
mod query_indicators;
mod query_report;
mod query_strategies;
mod query_troubles;
mod real_tenant;
mod send_large_message;
mod send_message;
mod token_answers;
mod trace_message;
mod write_message_as_attachment;
