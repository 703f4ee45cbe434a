# Writes status, folder, new id and link of the moved message into the row, and a note.
content = results.content or {}
error = content.get("error") or {}
asked = results.inputs or {}
folder = label_of(asked.get("exo_custom_folder_name")) or label_of(asked.get("exo_destination_mailfolder_id"))
message = [
    (u"Mailbox: ", escaped(row.exo_dt_email_address)),
    (u"Subject: ", escaped(row.exo_dt_message_subject or u"")),
]
if results.success and not error:
    new_id = content.get("new_message_id")
    if new_id != row.exo_dt_message_id:
        message.append((u"Message id before: ", escaped(row.exo_dt_message_id)))
    message.append((u"Message id: ", escaped(new_id)))
    row.exo_dt_message_id = new_id
    row.exo_dt_web_link = link(content.get("new_web_link"))
    row.exo_dt_message_folder = cell(folder)
    row.exo_dt_status = helper.createRichText(u"Moved")
    add_note(u"message moved to {0}".format(escaped(folder or u"the folder")), message)
else:
    # Graph also uses this code for a well-known folder that the mailbox lacks: "Default folder Clutter not found.".
    of_folder = u"folder" in (error.get("message") or u"").lower()
    if error.get("code") == "ErrorItemNotFound" and not of_folder:
        row.exo_dt_status = red(u"Gone")
        row.exo_dt_web_link = u""
    message.append((u"Message id: ", escaped(row.exo_dt_message_id)))
    add_note(
        u"message not moved to {0}".format(escaped(folder or u"the folder")), [(u"", why(error))] + message
    )
