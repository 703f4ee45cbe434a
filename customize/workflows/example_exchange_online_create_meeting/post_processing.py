# Writes a note about the meeting.
def day_number(day):
    """Returns the number of days since 1 January 1970 of a day such as "2026-11-30"."""
    year, month, day = [int(part) for part in day.split(u"-")]
    year -= month < 3
    leap_days = year // 4 - year // 100 + year // 400
    return 365 * year + leap_days + (153 * ((month + 9) % 12) + 2) // 5 + day - 719469


def weekday(day):
    return u"Mon Tue Wed Thu Fri Sat Sun".split()[(day_number(day) + 3) % 7]


def in_utc(begin, end, day):
    """Returns the times of the call, in milliseconds, as times of the day in UTC."""
    def time(milliseconds):
        minutes = milliseconds // 60000 % 1440
        return u"{0:02d}:{1:02d}".format(minutes // 60, minutes % 60)

    apart = begin // 86400000 - day_number(day)
    other_day = {-1: u" the day before", 1: u" the next day"}.get(apart, u"")
    return u" = {0}\u2013{1} UTC{2}".format(time(begin), time(end), other_day)


def when(event, asked):
    """Returns begin and end in the organizer's time zone, and in UTC, as HTML."""
    begin, end = [((event.get(name) or {}).get("dateTime") or u"")[:16] for name in ("start", "end")]
    if not begin or not end:
        return u""
    zone = (event.get("start") or {}).get("timeZone") or u"UTC"
    day = begin[:10]
    until = u"\u2013" + end[11:]
    if end[:10] != day:
        until = u" \u2013 {0} {1}".format(weekday(end[:10]), moment(end))
    shown_times = u"{0} {1}{2} ({3})".format(weekday(day), moment(begin), until, escaped(zone))
    times = [asked.get("exo_meeting_start_time"), asked.get("exo_meeting_end_time")]
    if zone != u"UTC" and all(times):
        shown_times += in_utc(int(times[0]), int(times[1]), day)
    return shown_times


asked = results.inputs or {}
subject = quoted(asked.get("exo_meeting_subject"))
if results.success:
    event = results.content or {}
    invited = [
        u"{0} ({1})".format(person(one), escaped(one.get("type") or u"invited"))
        for one in event.get("attendees") or []
    ]
    add_note(u"meeting {0} created".format(subject), [], [
        (u"When: ", when(event, asked)),
        (u"Where: ", escaped((event.get("location") or {}).get("displayName") or u"")),
        (u"Organizer: ", person(event.get("organizer")) or escaped(asked.get("exo_meeting_email_address") or u"")),
        (u"Invited: ", first(invited)),
        (u"", anchor(event.get("webLink"), u"Open in Outlook")),
    ])
else:
    add_note(u"meeting {0} not created".format(subject), [why((results.content or {}).get("error"))], [
        (u"Organizer: ", escaped(asked.get("exo_meeting_email_address") or u"")),
    ])
