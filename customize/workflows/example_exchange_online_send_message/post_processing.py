# Writes a note about the mail, and names the attachments that could not be sent with it.
sent = results.inputs or {}
content = results.content or {}
note = u"<b>Exchange Online: {0}</b><br>From: {1}<br>To: {2}<br>Subject: {3}<br>Body:<br>{4}".format(
    u"message sent" if results.success else u"message not sent",
    escaped(sent.get("exo_email_address") or u""),
    escaped(sent.get("exo_recipients") or u""),
    escaped(sent.get("exo_message_subject") or u""),
    sent.get("exo_message_body") or u"",  # HTML as it was sent
)
if not results.success:
    note += u"<br><b>{0}</b>".format(why(content.get("error")))
missing = content.get("failed_attachments")
if missing:
    note += u"<br><b>Warning: the incident has no attachments of these names: {0}</b>".format(
        escaped(u", ".join(missing))
    )
incident.addNote(helper.createRichText(note))
