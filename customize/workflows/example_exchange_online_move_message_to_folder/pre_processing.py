# Moves the message of the row to the folder in the form.
inputs.exo_email_address = row.exo_dt_email_address
inputs.exo_messages_id = row.exo_dt_message_id
# The row does not have the folder of the message; the id is sufficient.
inputs.exo_mailfolders_id = u""
if form.exo_destination_mailfolder_id:
    inputs.exo_destination_mailfolder_id = form.exo_destination_mailfolder_id
