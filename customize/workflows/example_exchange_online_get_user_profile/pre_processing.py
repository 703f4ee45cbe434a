# Reads the profile of the user with the artifact's address.
inputs.exo_email_address = artifact.value
