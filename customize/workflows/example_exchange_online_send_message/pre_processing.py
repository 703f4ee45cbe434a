# Copies the fields of the form into the mail. An empty field leaves the function's own input as it is.
inputs.incident_id = incident.id
if form.exo_message_sender_address:
    inputs.exo_email_address = form.exo_message_sender_address
if form.exo_message_recipients:
    inputs.exo_recipients = form.exo_message_recipients
if form.exo_message_subject:
    inputs.exo_message_subject = form.exo_message_subject
if form.exo_message_send_body and form.exo_message_send_body.content:
    inputs.exo_message_body = form.exo_message_send_body.content
if form.exo_attachment_names:
    inputs.exo_attachment_names = form.exo_attachment_names
