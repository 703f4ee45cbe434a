# Searches the mailbox of the artifact's address.
inputs.exo_email_address = artifact.value
