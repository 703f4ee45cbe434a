# Moves the message of the row to the folder in the form: one of the list, or one by its name or path. If the form names
# none, the function's own input decides.
inputs.exo_email_address = row.exo_dt_email_address
inputs.exo_messages_id = row.exo_dt_message_id
# The row does not have the id of the message's folder; the message's id is sufficient.
inputs.exo_mailfolders_id = u""
if form.exo_destination_mailfolder_id and form.exo_custom_folder_name:
    helper.fail(u"Choose a folder from the list, or name another one, not both. The message was not moved.")
elif form.exo_destination_mailfolder_id:
    inputs.exo_destination_mailfolder_id = form.exo_destination_mailfolder_id
    inputs.exo_custom_folder_name = None
elif form.exo_custom_folder_name:
    inputs.exo_destination_mailfolder_id = None
    inputs.exo_custom_folder_name = form.exo_custom_folder_name
elif not inputs.exo_destination_mailfolder_id and not inputs.exo_custom_folder_name:
    helper.fail(u"Choose a folder from the list, or name another one. The message was not moved.")
