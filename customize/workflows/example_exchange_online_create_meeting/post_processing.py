# Writes a note about the meeting.
def escaped(text):
    """The text as HTML shows it."""
    text = u"{0}".format(text)
    for character, entity in ((u"&", u"&amp;"), (u"<", u"&lt;"), (u">", u"&gt;"), (u'"', u"&quot;")):
        text = text.replace(character, entity)
    return text


def indented(text):
    """JSON with its lines and indentation, as HTML."""
    return escaped(text).replace(u"    ", u"&nbsp;" * 4).replace(u"\n", u"<br>")


organizer = escaped(results.inputs["exo_meeting_email_address"])
if results.success:
    note = u"<b>Exchange Online: meeting created</b><br>Organizer: {0}<br>{1}".format(
        organizer, indented(results.pretty_string)
    )
else:
    error = (results.content or {}).get("error") or {}
    note = u"<b>Exchange Online: meeting not created</b><br>Organizer: {0}<br>{1}: {2}".format(
        organizer, escaped(error.get("code")), escaped(error.get("message"))
    )
incident.addNote(helper.createRichText(note))
