//! The embedded files of `customize/`.

/// A file under `customize/`: its name and its text.
pub(super) type Source = (&'static str, &'static str);

macro_rules! source {
    ($file:literal) => {
        ($file, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/customize/", $file)))
    };
}

macro_rules! sources {
    ($($file:literal,)*) => { &[$(source!($file)),*] };
}

pub(super) const MESSAGE_DESTINATION: Source = source!("message_destination.json");
pub(super) const DATA_TABLE: Source = source!("data_table.json");

/// The functions, in alphabetical order.
pub(super) const FUNCTIONS: &[Source] = sources![
    "functions/exchange_online_create_meeting.json",
    "functions/exchange_online_delete_email.json",
    "functions/exchange_online_delete_messages_from_query_results.json",
    "functions/exchange_online_get_attachments.json",
    "functions/exchange_online_get_email_user_profile.json",
    "functions/exchange_online_get_message.json",
    "functions/exchange_online_move_message_to_folder.json",
    "functions/exchange_online_query_emails.json",
    "functions/exchange_online_send_message.json",
    "functions/exchange_online_trace_message.json",
    "functions/exchange_online_write_message_as_attachment.json",
];

/// The functions' input fields.
pub(super) const FUNCTION_FIELDS: &[Source] = sources![
    "function_fields/exo_attachment_name.json",
    "function_fields/exo_attachment_names.json",
    "function_fields/exo_attachment_sha256.json",
    "function_fields/exo_custom_folder_name.json",
    "function_fields/exo_destination_mailfolder_id.json",
    "function_fields/exo_email_address.json",
    "function_fields/exo_email_address_sender.json",
    "function_fields/exo_end_date.json",
    "function_fields/exo_has_attachments.json",
    "function_fields/exo_header.json",
    "function_fields/exo_include_recoverable.json",
    "function_fields/exo_internet_message_id.json",
    "function_fields/exo_mail_folders.json",
    "function_fields/exo_mailfolders_id.json",
    "function_fields/exo_meeting_body.json",
    "function_fields/exo_meeting_email_address.json",
    "function_fields/exo_meeting_end_time.json",
    "function_fields/exo_meeting_location.json",
    "function_fields/exo_meeting_optional_attendees.json",
    "function_fields/exo_meeting_required_attendees.json",
    "function_fields/exo_meeting_start_time.json",
    "function_fields/exo_meeting_subject.json",
    "function_fields/exo_message_body.json",
    "function_fields/exo_message_subject.json",
    "function_fields/exo_messages_id.json",
    "function_fields/exo_network_message_id.json",
    "function_fields/exo_query_messages_results.json",
    "function_fields/exo_query_output_format.json",
    "function_fields/exo_recipient.json",
    "function_fields/exo_recipients.json",
    "function_fields/exo_search_strategy.json",
    "function_fields/exo_start_date.json",
    "function_fields/exo_store_attachments.json",
    "function_fields/exo_url.json",
    "function_fields/incident_id.json",
    "function_fields/task_id.json",
];

/// The fields of the forms that rules show.
pub(super) const ACTIVITY_FIELDS: &[Source] = sources![
    "activity_fields/exo_attachment_name.json",
    "activity_fields/exo_attachment_names.json",
    "activity_fields/exo_attachment_sha256.json",
    "activity_fields/exo_custom_folder_name.json",
    "activity_fields/exo_destination_mailfolder_id.json",
    "activity_fields/exo_email_address_list.json",
    "activity_fields/exo_email_address_sender.json",
    "activity_fields/exo_end_date.json",
    "activity_fields/exo_expected_messages.json",
    "activity_fields/exo_has_attachments.json",
    "activity_fields/exo_header.json",
    "activity_fields/exo_include_recoverable.json",
    "activity_fields/exo_internet_message_id.json",
    "activity_fields/exo_mailfolder_id.json",
    "activity_fields/exo_meeting_body.json",
    "activity_fields/exo_meeting_email_address.json",
    "activity_fields/exo_meeting_end_time.json",
    "activity_fields/exo_meeting_location.json",
    "activity_fields/exo_meeting_optional_attendees.json",
    "activity_fields/exo_meeting_required_attendees.json",
    "activity_fields/exo_meeting_start_time.json",
    "activity_fields/exo_meeting_subject.json",
    "activity_fields/exo_message_body.json",
    "activity_fields/exo_message_recipients.json",
    "activity_fields/exo_message_send_body.json",
    "activity_fields/exo_message_sender_address.json",
    "activity_fields/exo_message_subject.json",
    "activity_fields/exo_network_message_id.json",
    "activity_fields/exo_query_output_format.json",
    "activity_fields/exo_recipient.json",
    "activity_fields/exo_search_strategy.json",
    "activity_fields/exo_searched_attachment_name.json",
    "activity_fields/exo_start_date.json",
    "activity_fields/exo_store_attachments.json",
    "activity_fields/exo_url.json",
];

/// The rules.
pub(super) const RULES: &[Source] = sources![
    "rules/create_artifacts.json",
    "rules/create_meeting.json",
    "rules/delete_message.json",
    "rules/delete_messages_from_query_results.json",
    "rules/find_messages_by_artifact.json",
    "rules/get_attachments.json",
    "rules/get_user_profile.json",
    "rules/move_message_to_folder.json",
    "rules/query_messages.json",
    "rules/query_messages_on_artifact.json",
    "rules/send_message.json",
    "rules/trace_message.json",
    "rules/write_message_eml_as_attachment.json",
    "rules/write_message_json_as_note.json",
];

/// The workflows.
pub(super) const WORKFLOWS: &[Source] = sources![
    "workflows/example_exchange_online_create_meeting/workflow.json",
    "workflows/example_exchange_online_delete_email/workflow.json",
    "workflows/example_exchange_online_delete_messages_from_query_results/workflow.json",
    "workflows/example_exchange_online_find_messages_by_artifact/workflow.json",
    "workflows/example_exchange_online_get_attachments/workflow.json",
    "workflows/example_exchange_online_get_message/workflow.json",
    "workflows/example_exchange_online_get_user_profile/workflow.json",
    "workflows/example_exchange_online_move_message_to_folder/workflow.json",
    "workflows/example_exchange_online_query_emails/workflow.json",
    "workflows/example_exchange_online_query_messages_of_a_group/workflow.json",
    "workflows/example_exchange_online_send_message/workflow.json",
    "workflows/example_exchange_online_trace_message/workflow.json",
    "workflows/example_exchange_online_write_message_as_attachment/workflow.json",
];

/// The scripts that rules run.
pub(super) const SCRIPTS: &[Source] = sources!["scripts/create_artifacts_from_message.json",];

/// Samples of the functions' results.
pub(super) const PAYLOAD_SAMPLES: &[Source] = sources![
    "payload_samples/exchange_online_create_meeting.json",
    "payload_samples/exchange_online_delete_email.json",
    "payload_samples/exchange_online_delete_messages_from_query_results.json",
    "payload_samples/exchange_online_get_attachments.json",
    "payload_samples/exchange_online_get_email_user_profile.json",
    "payload_samples/exchange_online_get_message.json",
    "payload_samples/exchange_online_move_message_to_folder.json",
    "payload_samples/exchange_online_query_emails.json",
    "payload_samples/exchange_online_send_message.json",
    "payload_samples/exchange_online_trace_message.json",
    "payload_samples/exchange_online_write_message_as_attachment.json",
];

/// The playbooks.
pub(super) const PLAYBOOKS: &[Source] = sources![
    "playbooks/example_exchange_online_create_artifacts/playbook.json",
    "playbooks/example_exchange_online_create_meeting/playbook.json",
    "playbooks/example_exchange_online_delete_message/playbook.json",
    "playbooks/example_exchange_online_delete_messages_from_query_results/playbook.json",
    "playbooks/example_exchange_online_find_messages_by_artifact/playbook.json",
    "playbooks/example_exchange_online_get_attachments/playbook.json",
    "playbooks/example_exchange_online_get_user_profile/playbook.json",
    "playbooks/example_exchange_online_move_message_to_folder/playbook.json",
    "playbooks/example_exchange_online_query_messages/playbook.json",
    "playbooks/example_exchange_online_query_messages_on_artifact/playbook.json",
    "playbooks/example_exchange_online_send_message/playbook.json",
    "playbooks/example_exchange_online_trace_message/playbook.json",
    "playbooks/example_exchange_online_write_message_eml_as_attachment/playbook.json",
    "playbooks/example_exchange_online_write_message_json_as_note/playbook.json",
];

/// The texts of all scripts.
pub(super) const TEXTS: &[Source] = sources![
    "prelude.py",
    "playbooks/form.py",
    "playbooks/example_exchange_online_create_meeting/results.py",
    "playbooks/example_exchange_online_delete_message/results.py",
    "playbooks/example_exchange_online_delete_messages_from_query_results/query_result.py",
    "playbooks/example_exchange_online_delete_messages_from_query_results/results.py",
    "playbooks/example_exchange_online_find_messages_by_artifact/results.py",
    "playbooks/example_exchange_online_get_attachments/results.py",
    "playbooks/example_exchange_online_get_user_profile/results.py",
    "playbooks/example_exchange_online_move_message_to_folder/results.py",
    "playbooks/example_exchange_online_query_messages/results.py",
    "playbooks/example_exchange_online_query_messages_on_artifact/results.py",
    "playbooks/example_exchange_online_send_message/results.py",
    "playbooks/example_exchange_online_trace_message/results.py",
    "playbooks/example_exchange_online_write_message_json_as_note/results.py",
    "scripts/create_artifacts_from_message.py",
    "workflows/form.py",
    "workflows/query_artifact.py",
    "workflows/query_form.py",
    "workflows/query_mailboxes.py",
    "workflows/query_options.py",
    "workflows/query_result.py",
    "workflows/query_rows.py",
    "workflows/row.py",
    "workflows/trace_form.py",
    "workflows/trace_rows.py",
    "workflows/example_exchange_online_create_meeting/post_processing.py",
    "workflows/example_exchange_online_create_meeting/pre_processing.py",
    "workflows/example_exchange_online_delete_email/post_processing.py",
    "workflows/example_exchange_online_delete_email/pre_processing.py",
    "workflows/example_exchange_online_delete_messages_from_query_results/delete_post_processing.py",
    "workflows/example_exchange_online_delete_messages_from_query_results/delete_pre_processing.py",
    "workflows/example_exchange_online_find_messages_by_artifact/find_pre_processing.py",
    "workflows/example_exchange_online_get_attachments/post_processing.py",
    "workflows/example_exchange_online_get_attachments/pre_processing.py",
    "workflows/example_exchange_online_get_message/post_processing.py",
    "workflows/example_exchange_online_get_message/pre_processing.py",
    "workflows/example_exchange_online_get_user_profile/post_processing.py",
    "workflows/example_exchange_online_get_user_profile/pre_processing.py",
    "workflows/example_exchange_online_move_message_to_folder/post_processing.py",
    "workflows/example_exchange_online_move_message_to_folder/pre_processing.py",
    "workflows/example_exchange_online_send_message/post_processing.py",
    "workflows/example_exchange_online_send_message/pre_processing.py",
    "workflows/example_exchange_online_write_message_as_attachment/pre_processing.py",
];
