# Writes a note with the profile, or a note that says why there is no profile.
error = (results.content or {}).get("error")
if results.success and not error:
    note = u"<b>Exchange Online: user profile of {0}</b><br>{1}".format(
        escaped(artifact.value), indented(results.pretty_string or u"")
    )
else:
    note = u"<b>Exchange Online: no user profile of {0}</b><br>{1}".format(
        escaped(artifact.value), why(error)
    )
incident.addNote(helper.createRichText(note))
