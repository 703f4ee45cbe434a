"""exchange_online_query_emails in one mailbox or a few"""
from tenant import PHISHER, QUOTED

from .common import ADA, INCIDENT, refusals, rule, with_inputs

NAME, FUNCTION = "query-emails", "query_emails"
LIST = f"GET /users/{ADA}/messages"
TABLE = [{"id": 3, "name": "Exchange Online data table"}]
BOTH = ["Incident note", "Incident attachment"]
INPUTS = {"exo_email_address": ADA, "exo_email_address_sender": PHISHER, "exo_query_output_format": TABLE}
MARCH_2 = 1_709_337_600_000  # 2024-03-02T00:00:00Z
NO_CRITERIA = {"exo_email_address_sender": None}
NOTES, FILES = "POST /rest/orgs/201/incidents/2095/comments", "POST /rest/orgs/201/incidents/2095/attachments"
REPORTED = {"exo_query_output_format": BOTH}
SOAR_ERROR = {"success": False, "title": None, "message": "No.", "hints": [], "error_code": "generic"}


def only(**criteria):
    """These criteria and no sender."""
    return {"inputs": NO_CRITERIA | {f"exo_{name}": value for name, value in criteria.items()}}


def hit(**changed):
    """A message of an answer."""
    usual = {"id": "h1", "subject": "s", "hasAttachments": False, "receivedDateTime": "2024-03-01T10:00:00Z", "webLink": "w"}
    person = {"emailAddress": {"name": "IT", "address": PHISHER}}
    return usual | {"sender": person, "from": person} | changed


CALLS = with_inputs(INPUTS, refusals(LIST)) | with_inputs(INPUTS, {
    "by-sender": {},
    "by-subject": only(message_subject="b>over"),
    "by-subject-with-quotes": only(message_subject="Ada's & 100% \"sure\" + more"),
    "by-start": only(start_date=MARCH_2),
    "by-end": only(end_date=MARCH_2),
    "by-both-dates-and-all": {"inputs": {"exo_start_date": 1, "exo_end_date": MARCH_2 + 1, "exo_has_attachments": True, "exo_message_subject": "Invoice"}},
    "with-attachments": only(has_attachments=True),
    "without-attachments": only(has_attachments=False),
    "by-body": only(message_body={"format": "html", "content": "parcel waits"}),
    "by-body-and-all": {"inputs": {"exo_message_body": 'parcel "waits" \\', "exo_start_date": 1, "exo_end_date": MARCH_2, "exo_has_attachments": True, "exo_message_subject": "invoice"}},
    "by-body-without-words": only(message_body="*?!"),
    "in-folder": {"inputs": {"exo_mail_folders": "junkemail"}},
    "in-folder-that-is-not-there": {"inputs": {"exo_mail_folders": "nowhere"}},
    "nothing-found": only(message_subject="no such subject"),
    "sender-with-quote": only(email_address_sender=QUOTED),
    "no-criteria": {"inputs": NO_CRITERIA},
    "folder-only": only(mail_folders="inbox"),
    "missing-all": {"inputs": {name: None for name in INPUTS}},
    "wrong-kinds": {"inputs": {"exo_start_date": "yesterday", "exo_has_attachments": "yes", "exo_query_output_format": {"id": 1}}},
    "several": {"inputs": {"exo_email_address": f"{ADA}, bob@contoso.example , ,{ADA.upper()}"}},
    "several-some-missing": {"inputs": {"exo_email_address": f"{ADA}, unknown@contoso.example, kiosk@contoso.example"}},
    "none-found": {"inputs": {"exo_email_address": "unknown@contoso.example"}},
    "only-commas": {"inputs": {"exo_email_address": " , ,"}},
    "several-one-forbidden": {"inputs": {"exo_email_address": f"bob@contoso.example,{ADA}"}, "graph": [rule(LIST, 403, "ErrorAccessDenied", "Access is denied.")]},
    "pages": {"tenant": {"page": 1}},
    "pages-second-throttled": {"tenant": {"page": 1}, "graph": [rule(f"{LIST}?$skip=1", 429, "TooManyRequests", times=1, headers={"Retry-After": "0"})]},
    "pages-second-fails": {"tenant": {"page": 1}, "graph": [rule(f"{LIST}?$skip=1", 500, "InternalServerError", "Broken.")]},
    "page-leads-elsewhere": {"graph": [rule(LIST, 200, json={"value": [hit()], "@odata.nextLink": "https://evil.example/v1.0/next"})]},
    "limit-reached": {"settings": {"max_messages": 2}},
    "limit-is-exact": {"settings": {"max_messages": 3}},
    "same-message-twice": {"graph": [rule(LIST, 200, json={"value": [hit(), hit(), hit(id="h2")]})]},
    "search-is-checked": only(message_body="x", email_address_sender=PHISHER, start_date=MARCH_2) | {
        "graph": [rule(LIST, 200, json={"value": [hit(), hit(id="h2", receivedDateTime="2024-03-02T00:00:01Z"), hit(id="h3") | {"from": None}]})]
    },
    "list-without-value": {"graph": [rule(LIST, 200, json={"hello": 1})]},
    "empty-page-with-next": {"graph": [rule(LIST, 200, json={"value": [], "@odata.nextLink": f"{{root}}/v1.0/users/{ADA}/messages?$skiptoken=a%2Bb%2F"}, times=1), rule(LIST, 200, json={"value": [hit()]})]},
    "note-by-hand": {"inputs": {"exo_query_output_format": "Incident note"}},
}) | with_inputs(INPUTS | REPORTED, {
    "note-and-file": {},
    "note-with-all-criteria": {"inputs": {"exo_email_address": f"{ADA},unknown@contoso.example", "exo_has_attachments": False, "exo_start_date": 1, "exo_message_subject": "<img src=x onerror=alert(1)>\n'", "exo_mail_folders": "inbox"}},
    "no-incident": {"arguments": ["--incident", "404"]},
    "note-forbidden": {"soar": [rule(NOTES, 403, json=SOAR_ERROR)]},
    "note-busy-once": {"soar": [rule(NOTES, 503, json=SOAR_ERROR, times=1, headers={"Retry-After": "0"})]},
    "note-answer-lost": {"soar": [rule(NOTES, cut=True, done=True, times=1)], "slow": True},
    "file-answer-lost": {"soar": [rule(FILES, 502, text="bad", done=True, times=1)], "slow": True},
    "file-never-written": {"soar": [rule(FILES, 500, json=SOAR_ERROR)], "slow": True},
}, **INCIDENT)
