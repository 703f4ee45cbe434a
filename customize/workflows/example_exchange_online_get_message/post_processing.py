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


def why(error):
    """Why nothing was done: by Graph's error, or, where the call failed and the workflow goes on, in the call's words."""
    if error:
        return escaped(u"{0}: {1}".format(error.get("code"), error.get("message")))
    return escaped(results.reason or u"")


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
