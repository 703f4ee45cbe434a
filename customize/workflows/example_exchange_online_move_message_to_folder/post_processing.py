# Writes the new id and link of the moved message into the row, and a note.
content = results.content or {}
error = content.get("error")
folder = (results.inputs or {}).get("exo_destination_mailfolder_id") or u"the folder"
if hasattr(folder, "get"):  # a choice or a plain name
    folder = folder.get("name") or u"the folder"
mailbox = row.exo_dt_email_address
old_id = row.exo_dt_message_id
if results.success and not error:
    new_id = content.get("new_message_id")
    note = (
        u"<b>Exchange Online: message moved to {0}</b><br>"
        u"Mailbox: {1}<br>Message id before: {2}<br>Message id now: {3}"
    ).format(escaped(folder), escaped(mailbox), escaped(old_id), escaped(new_id))
    row.exo_dt_message_id = new_id
    row.exo_dt_web_link = link(content.get("new_web_link"))
else:
    code = (error or {}).get("code") or u""
    outcome = u"the call failed"
    if code == "DryRun":
        outcome = u"dry run"
    elif "Folder" in code:  # the folder does not exist; the message was not moved
        outcome = u"folder not found"
    elif code == "ErrorItemNotFound":
        outcome = u"message not found"
        row.exo_dt_status = red(u"Not Found")
        row.exo_dt_web_link = u""
    note = (
        u"<b>Exchange Online: {0}, nothing was moved to {1}</b><br>Mailbox: {2}<br>Message id: {3}<br>{4}"
    ).format(outcome, escaped(folder), escaped(mailbox), escaped(old_id), why(error))
incident.addNote(helper.createRichText(note))
