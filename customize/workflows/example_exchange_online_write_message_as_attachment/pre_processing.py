# Saves the message of the row as an attachment of the incident, not of a task.
inputs.incident_id = incident.id
inputs.exo_email_address = row.exo_dt_email_address
inputs.exo_messages_id = row.exo_dt_message_id
if form.exo_attachment_name:
    inputs.exo_attachment_name = form.exo_attachment_name
