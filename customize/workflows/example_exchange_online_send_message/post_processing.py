# Writes a note about the mail, and names the attachments that could not be sent with it.
def escaped(text):
    """The text as HTML shows it."""
    text = u"{0}".format(text)
    for character, entity in ((u"&", u"&amp;"), (u"<", u"&lt;"), (u">", u"&gt;"), (u'"', u"&quot;")):
        text = text.replace(character, entity)
    return text


sent = results.inputs
note = u"<b>Exchange Online: {0}</b><br>From: {1}<br>To: {2}<br>Subject: {3}<br>Body:<br>{4}".format(
    u"message sent" if results.success else u"message not sent",
    escaped(sent.get("exo_email_address")),
    escaped(sent.get("exo_recipients")),
    escaped(sent.get("exo_message_subject") or u""),
    sent.get("exo_message_body") or u"",  # HTML as it was sent
)
missing = (results.content or {}).get("failed_attachments")
if missing:
    note += u"<br><b>Warning: the incident has no attachments of these names: {0}</b>".format(
        escaped(u", ".join(missing))
    )
incident.addNote(helper.createRichText(note))
