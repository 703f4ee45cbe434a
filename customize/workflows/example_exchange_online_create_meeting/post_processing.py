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


def why(error):
    """Why nothing was done: by Graph's error, or, where the call failed and the workflow goes on, in the call's words."""
    if error:
        return escaped(u"{0}: {1}".format(error.get("code"), error.get("message")))
    return escaped(results.reason or u"")


organizer = escaped((results.inputs or {}).get("exo_meeting_email_address") or u"")
if results.success:
    note = u"<b>Exchange Online: meeting created</b><br>Organizer: {0}<br>{1}".format(
        organizer, indented(results.pretty_string or u"")
    )
else:
    note = u"<b>Exchange Online: meeting not created</b><br>Organizer: {0}<br>{1}".format(
        organizer, why((results.content or {}).get("error"))
    )
incident.addNote(helper.createRichText(note))
