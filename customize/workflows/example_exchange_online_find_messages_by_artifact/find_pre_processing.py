# Searches all mailboxes for what the artifact is.
inputs.incident_id = incident.id
inputs.exo_email_address = "all"
if artifact.type == "Malware SHA-256 Hash":
    inputs.exo_attachment_sha256 = artifact.value
elif artifact.type == "Email Attachment Name":
    inputs.exo_attachment_name = artifact.value
else:
    inputs.exo_url = artifact.value
if form.exo_start_date:
    inputs.exo_start_date = form.exo_start_date
if form.exo_end_date:
    inputs.exo_end_date = form.exo_end_date
if form.exo_include_recoverable is not None:
    inputs.exo_include_recoverable = form.exo_include_recoverable
if form.exo_search_strategy:
    inputs.exo_search_strategy = form.exo_search_strategy
if form.exo_query_output_format:
    inputs.exo_query_output_format = [choice for choice in form.exo_query_output_format]
