# Copies the fields of the form into the query. An empty field leaves the function's own input as it is.
if form.exo_mailfolder_id:
    inputs.exo_mail_folders = form.exo_mailfolder_id
if form.exo_email_address_sender:
    inputs.exo_email_address_sender = form.exo_email_address_sender
if form.exo_message_subject:
    inputs.exo_message_subject = form.exo_message_subject
if form.exo_message_body:
    inputs.exo_message_body = form.exo_message_body
# "No" is a choice as well: only messages without attachments.
if form.exo_has_attachments is not None:
    inputs.exo_has_attachments = form.exo_has_attachments
if form.exo_internet_message_id:
    inputs.exo_internet_message_id = form.exo_internet_message_id
if form.exo_network_message_id:
    inputs.exo_network_message_id = form.exo_network_message_id
if form.exo_recipient:
    inputs.exo_recipient = form.exo_recipient
if form.exo_searched_attachment_name:
    inputs.exo_attachment_name = form.exo_searched_attachment_name
if form.exo_attachment_sha256:
    inputs.exo_attachment_sha256 = form.exo_attachment_sha256
if form.exo_url:
    inputs.exo_url = form.exo_url
if form.exo_header:
    inputs.exo_header = form.exo_header
