"""exchange_online_create_meeting"""
from .common import ADA, refusals, rule, with_inputs

NAME, FUNCTION = "create-meeting", "create_meeting"
EVENTS = f"POST /users/{ADA}/calendar/events"
ZONE = f"GET /users/{ADA}/mailboxSettings/timeZone"
START = 2_210_760_000_000  # 2040-01-21T12:00:00Z
HOUR = 3_600_000
INPUTS = {
    "exo_meeting_email_address": ADA,
    "exo_meeting_start_time": START,
    "exo_meeting_end_time": START + HOUR,
    "exo_meeting_subject": "War room & co",
    "exo_meeting_body": {"format": "html", "content": "<b>Phishing</b>"},
}
ATTENDEES = {
    "exo_meeting_required_attendees": "bob@contoso.example, carl@contoso.example",
    "exo_meeting_optional_attendees": " dora@contoso.example ,, ",
    "exo_meeting_location": "Room 1",
}
NONE = {name: None for name in INPUTS}

CALLS = with_inputs(INPUTS, refusals(EVENTS)) | with_inputs(INPUTS, {
    "plain": {},
    "attendees-and-place": {"inputs": ATTENDEES},
    "windows-zone": {"tenant": {"zone": "Eastern Standard Time"}},
    "windows-zone-in-summer": {"tenant": {"zone": "W. Europe Standard Time"}, "inputs": {"exo_meeting_start_time": 2_225_000_000_000, "exo_meeting_end_time": 2_225_003_600_000}},
    "iana-zone": {"tenant": {"zone": "Asia/Kolkata"}},
    "customized-zone": {"tenant": {"zone": "Customized Time Zone"}},
    "hour-that-comes-twice": {"tenant": {"zone": "W. Europe Standard Time"}, "inputs": {"exo_meeting_start_time": 2_234_998_800_000, "exo_meeting_end_time": 2_235_002_400_000}},
    "zone-not-found": {"graph": [rule(ZONE, 404, "ErrorItemNotFound", "No settings.")]},
    "zone-is-null": {"graph": [rule(ZONE, 200, json={"value": None})]},
    "zone-forbidden": {"graph": [rule(ZONE, 403, "ErrorAccessDenied", "Access is denied.")]},
    "zone-throttled-once": {"graph": [rule(ZONE, 429, "TooManyRequests", times=1, headers={"Retry-After": "0"})]},
    "no-user": {"inputs": {"exo_meeting_email_address": "unknown@contoso.example"}},
    "no-mailbox": {"inputs": {"exo_meeting_email_address": "kiosk@contoso.example"}},
    "missing-all": {"inputs": NONE},
    "ends-before-it-starts": {"inputs": {"exo_meeting_end_time": START - HOUR}},
    "ends-at-once": {"inputs": {"exo_meeting_end_time": START}},
    "in-the-past": {"inputs": {"exo_meeting_start_time": 1_600_000_000_000}},
    "year-out-of-range": {"inputs": {"exo_meeting_end_time": 9_999_999_999_999_999}},
    "time-as-text": {"inputs": {"exo_meeting_start_time": "tomorrow"}},
    "answer-lost": {"graph": [rule(EVENTS, 504, "GatewayTimeout", done=True, times=1)]},
    "duplicate-transaction": {"graph": [rule(EVENTS, 400, "ErrorDuplicateTransactionId", "Your request can't be completed.")]},
    "dry-run": {"settings": {"dry_run": "true"}},
    "organizer-denied": {"settings": {"mailboxes_denied": ADA}},
    "organizer-allowed": {"settings": {"mailboxes_allowed": "*@contoso.example"}},
})
