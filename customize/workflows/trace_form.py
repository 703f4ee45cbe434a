# Copies the fields of the form into the trace. An empty field leaves the function's own input as it is.
inputs.incident_id = incident.id
if form.exo_internet_message_id:
    inputs.exo_internet_message_id = form.exo_internet_message_id
if form.exo_email_address_sender:
    inputs.exo_email_address_sender = form.exo_email_address_sender
if form.exo_recipient:
    inputs.exo_recipient = form.exo_recipient
if form.exo_message_subject:
    inputs.exo_message_subject = form.exo_message_subject
if form.exo_start_date:
    inputs.exo_start_date = form.exo_start_date
if form.exo_end_date:
    inputs.exo_end_date = form.exo_end_date
# The form may have the choices in a collection of another kind; an input takes a list.
if form.exo_query_output_format:
    inputs.exo_query_output_format = [choice for choice in form.exo_query_output_format]
