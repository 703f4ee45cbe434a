# Writes a note with the message, or a note that says why there is no message.
error = (results.content or {}).get("error")
if results.success and not error:
    note = u"<b>Exchange Online: message in the mailbox of {0}</b><br>{1}".format(
        escaped(row.exo_dt_email_address), indented(results.pretty_string or u"")
    )
else:
    note = u"<b>Exchange Online: {0}</b><br>Mailbox: {1}<br>Message id: {2}<br>{3}".format(
        u"message not found" if error else u"message not read",
        escaped(row.exo_dt_email_address),
        escaped(row.exo_dt_message_id),
        why(error),
    )
    if error:
        row.exo_dt_status = red(u"Not Found")
        row.exo_dt_web_link = u""
incident.addNote(helper.createRichText(note))
