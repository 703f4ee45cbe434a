# Restores the message of the row.
inputs.incident_id = incident.id
inputs.exo_email_address = row.exo_dt_email_address
inputs.exo_messages_id = row.exo_dt_message_id
