# Writes status, folder, new id and link of the moved message into the row, and a note.
content = results.content or {}
error = content.get("error") or {}
asked = results.inputs or {}
folder = label_of(asked.get("exo_custom_folder_name")) or label_of(asked.get("exo_destination_mailfolder_id"))
subject = quoted(row.exo_dt_message_subject)
to = escaped(folder or u"the folder")
message = [
    (u"Mailbox: ", escaped(row.exo_dt_email_address)),
    (u"From: ", escaped(row.exo_dt_sender_email or u"")),
    (u"Received: ", moment(row.exo_dt_received_date)),
]
if results.success and not error:
    new_id = content.get("new_message_id")
    row.exo_dt_message_id = new_id
    row.exo_dt_web_link = link(content.get("new_web_link"))
    row.exo_dt_message_folder = cell(folder)
    row.exo_dt_status = helper.createRichText(u"Moved")
    message.append((u"", anchor(content.get("new_web_link"), u"Open in Outlook")))
    add_note(u"message {0} moved to {1}".format(subject, to), [], message, last=short_id(new_id))
else:
    # Graph also uses this code for a well-known folder that the mailbox lacks: "Default folder Clutter not found.".
    of_folder = u"folder" in (error.get("message") or u"").lower()
    if error.get("code") == "ErrorItemNotFound" and not of_folder:
        row.exo_dt_status = red(u"Gone")
        row.exo_dt_web_link = u""
    add_note(
        u"message {0} not moved to {1}".format(subject, to), [why(error)], message,
        last=short_id(row.exo_dt_message_id)
    )
