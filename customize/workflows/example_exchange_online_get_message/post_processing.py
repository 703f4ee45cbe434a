# Writes the message into a note, or says that it is gone.
def escaped(text):
    """The text as HTML shows it."""
    text = u"{0}".format(text)
    for character, entity in ((u"&", u"&amp;"), (u"<", u"&lt;"), (u">", u"&gt;"), (u'"', u"&quot;")):
        text = text.replace(character, entity)
    return text


def indented(text):
    """JSON with its lines and indentation, as HTML."""
    return escaped(text).replace(u"    ", u"&nbsp;" * 4).replace(u"\n", u"<br>")


def red(text):
    """A status that says that the message is gone."""
    return helper.createRichText(u'<span style="color:red">{0}</span>'.format(text))


error = results.content.get("error")
if error:
    note = u"<b>Exchange Online: message not found</b><br>Mailbox: {0}<br>Message id: {1}<br>{2}: {3}".format(
        escaped(row.exo_dt_email_address),
        escaped(row.exo_dt_message_id),
        escaped(error.get("code")),
        escaped(error.get("message")),
    )
    row.exo_dt_status = red(u"Not Found")
    row.exo_dt_web_link = u""
else:
    note = u"<b>Exchange Online: message in the mailbox of {0}</b><br>{1}".format(
        escaped(row.exo_dt_email_address), indented(results.pretty_string)
    )
incident.addNote(helper.createRichText(note))
