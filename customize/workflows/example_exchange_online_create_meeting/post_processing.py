# Writes a note about the meeting.
def wall_time(time):
    """Returns day and minute of Graph's time, without its zone."""
    return u" ".join(((time or {}).get("dateTime") or u"").split(u"T"))[:16]


asked = results.inputs or {}
subject = escaped(asked.get("exo_meeting_subject") or u"")
if results.success:
    event = results.content or {}
    begin, end = wall_time(event.get("start")), wall_time(event.get("end"))
    when = u""
    if begin and end:
        if begin[:10] == end[:10]:
            end = end[11:]
        when = u"{0} to {1} ({2})".format(begin, end, (event.get("start") or {}).get("timeZone") or u"UTC")
    invited = [
        u"{0} ({1})".format(person(one), escaped(one.get("type") or u"invited"))
        for one in event.get("attendees") or []
    ]
    add_note(u"meeting created: {0}".format(subject), [
        (u"When: ", escaped(when)),
        (u"Where: ", escaped((event.get("location") or {}).get("displayName") or u"")),
        (u"Organizer: ", person(event.get("organizer")) or escaped(asked.get("exo_meeting_email_address") or u"")),
        (u"Invited: ", u", ".join(invited)),
        (u"", anchor(event.get("webLink"), u"Open in Outlook")),
    ])
else:
    add_note(u"meeting not created: {0}".format(subject), [
        (u"", why((results.content or {}).get("error"))),
        (u"Organizer: ", escaped(asked.get("exo_meeting_email_address") or u"")),
    ])
