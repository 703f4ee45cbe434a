# Writes a note about the mail, and names the attachments that could not be sent with it.
sent = results.inputs or {}
content = results.content or {}
missing = content.get("failed_attachments")
warning = u""
if missing:
    warning = u"<b>Warning: the incident has no attachments of these names: {0}</b>".format(
        escaped(u", ".join(missing))
    )
add_note(u"message sent" if results.success else u"message not sent", [
    u"" if results.success else why(content.get("error")),
    warning,
], [
    (u"From: ", escaped(sent.get("exo_email_address") or u"")),
    (u"To: ", escaped(sent.get("exo_recipients") or u"")),
    (u"Subject: ", escaped(sent.get("exo_message_subject") or u"")),
    (u"Body:<br>", sent.get("exo_message_body") or u""),  # HTML as it was sent
])
