# Writes a note about the meeting.
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
