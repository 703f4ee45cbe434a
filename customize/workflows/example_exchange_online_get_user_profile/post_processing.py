# Writes the profile into a note, or says that there is none.
def escaped(text):
    """The text as HTML shows it."""
    text = u"{0}".format(text)
    for character, entity in ((u"&", u"&amp;"), (u"<", u"&lt;"), (u">", u"&gt;"), (u'"', u"&quot;")):
        text = text.replace(character, entity)
    return text


def indented(text):
    """JSON with its lines and indentation, as HTML."""
    return escaped(text).replace(u"    ", u"&nbsp;" * 4).replace(u"\n", u"<br>")


error = results.content.get("error")
if error:
    note = u"<b>Exchange Online: no user profile of {0}</b><br>{1}: {2}".format(
        escaped(artifact.value), escaped(error.get("code")), escaped(error.get("message"))
    )
else:
    note = u"<b>Exchange Online: user profile of {0}</b><br>{1}".format(
        escaped(artifact.value), indented(results.pretty_string)
    )
incident.addNote(helper.createRichText(note))
