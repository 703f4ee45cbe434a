# Searches all mailboxes for what the artifact is.
inputs.exo_email_address = "all"
if artifact.type == "Malware SHA-256 Hash":
    inputs.exo_attachment_sha256 = artifact.value
elif artifact.type == "Email Attachment Name":
    inputs.exo_attachment_name = artifact.value
else:
    inputs.exo_url = artifact.value
