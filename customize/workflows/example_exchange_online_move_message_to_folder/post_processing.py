# The row follows its message: a moved message has a new id and a new link. A note says what was done.
def escaped(text):
    """The text as HTML shows it."""
    text = u"{0}".format(text)
    for character, entity in ((u"&", u"&amp;"), (u"<", u"&lt;"), (u">", u"&gt;"), (u'"', u"&quot;")):
        text = text.replace(character, entity)
    return text


def link(address):
    """A link to the message for the row; nothing if it has none."""
    if not address:
        return u""
    return helper.createRichText(u'<a href="{0}" target="_blank">Link</a>'.format(escaped(address)))


def red(text):
    """A status that says that the message is gone."""
    return helper.createRichText(u'<span style="color:red">{0}</span>'.format(text))


error = results.content.get("error")
folder = results.inputs["exo_destination_mailfolder_id"]["name"]
mailbox = row.exo_dt_email_address
old_id = row.exo_dt_message_id
if error:
    rehearsed = error.get("code") == "DryRun"
    note = (
        u"<b>Exchange Online: {5}, nothing was moved to {0}</b><br>"
        u"Mailbox: {1}<br>Message id: {2}<br>{3}: {4}"
    ).format(
        escaped(folder),
        escaped(mailbox),
        escaped(old_id),
        escaped(error.get("code")),
        escaped(error.get("message")),
        u"dry run" if rehearsed else u"message not found",
    )
    if not rehearsed:
        row.exo_dt_status = red(u"Not Found")
        row.exo_dt_web_link = u""
else:
    new_id = results.content.get("new_message_id")
    note = (
        u"<b>Exchange Online: message moved to {0}</b><br>"
        u"Mailbox: {1}<br>Message id before: {2}<br>Message id now: {3}"
    ).format(escaped(folder), escaped(mailbox), escaped(old_id), escaped(new_id))
    row.exo_dt_message_id = new_id
    row.exo_dt_web_link = link(results.content.get("new_web_link"))
incident.addNote(helper.createRichText(note))
