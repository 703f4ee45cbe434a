# Copies the fields of the form into the query. An empty field leaves the function's own input as it is.
inputs.incident_id = incident.id
if form.exo_mailfolder_id:
    inputs.exo_mail_folders = form.exo_mailfolder_id
if form.exo_email_address_sender:
    inputs.exo_email_address_sender = form.exo_email_address_sender
if form.exo_start_date:
    inputs.exo_start_date = form.exo_start_date
if form.exo_end_date:
    inputs.exo_end_date = form.exo_end_date
if form.exo_message_subject:
    inputs.exo_message_subject = form.exo_message_subject
if form.exo_message_body:
    inputs.exo_message_body = form.exo_message_body
# "No" is a choice as well: only messages without attachments.
if form.exo_has_attachments is not None:
    inputs.exo_has_attachments = form.exo_has_attachments
# The form may have the choices in a collection of another kind; an input takes a list.
if form.exo_query_output_format:
    inputs.exo_query_output_format = [choice for choice in form.exo_query_output_format]
