"""Calls over the broker: replies, status messages, and what is no call."""
import json

from tenant import QUOTED, mailbox, mime, reference

from .common import ADA, MAIL, ONE, rule, throttled
from .create_meeting import ATTENDEES
from .create_meeting import INPUTS as MEETING
from .delete_from_query import REPORTED, THREE, results
from .query_emails import INPUTS as QUERY
from .query_emails import TABLE
from .send_message import INPUTS as MAIL_INPUTS
from .send_message import LARGE, SMALL

NAME = "daemon"
PRINCIPAL = {"id": 1, "name": "analyst@example.com", "display_name": "An Analyst", "type": "user"}
INCIDENT = {"incident_id": 2095}
MESSAGE = f"/users/{ADA}/messages/{MAIL['ada']}"
REPORT = INCIDENT | {"exo_query_output_format": [{"id": 1, "name": "Incident note"}, {"id": 2, "name": "Incident attachment"}]}
MOVE = ONE | {"exo_destination_mailfolder_id": {"id": 126, "name": "junkemail"}}
LOOKED_FOR = {"headers": {"redelivered": "true"}}
# Without a Date the difference of the clocks is unknown, so the message may be older than the connection or younger.
NOW = {"age": 0, "soar_dated": False}
REFERENCE = reference("ID:soar.example-1")
SENT = {"id": "sent-1=", "isDraft": False, "webLink": "https://outlook.example/sent-1", "mark": REFERENCE}
MOVED = SENT | {"id": "moved-1=", "folder": "junkemail"}
EVIDENCE = mime(next(entry for entry in mailbox("ada") if entry["id"] == MAIL["ada"]))


def body(function, inputs, **more):
    """The body of a message, as a workflow's function sends it."""
    workflow = {"workflow_id": 3, "name": "Example", "programmatic_name": "example_exchange_online"}
    called = {"id": 3, "name": f"exchange_online_{function}", "display_name": function}
    return {"function": called, "inputs": inputs, "principal": PRINCIPAL, "workflow": workflow, "workflow_instance": {"workflow_instance_id": 71}} | more


def call(function, inputs, headers=None, age=None, **more):
    """One call by one message."""
    return {"messages": [(body(function, inputs), headers or {}, age)]} | more


def raw(content, headers=None, **more):
    return {"messages": [(content, headers or {})]} | more


PROFILE = ("get_email_user_profile", {"exo_email_address": ADA})
CALLS = {
    "start": call(*PROFILE, start=True, unordered=True),
    "get-profile": call(*PROFILE),
    "get-profile-not-found": call("get_email_user_profile", {"exo_email_address": "unknown@contoso.example"}),
    "get-profile-forbidden": call(*PROFILE, graph=[rule(f"GET /users/{ADA}", 403, "ErrorAccessDenied", "No.")]),
    "get-profile-trapped": call(*PROFILE, graph=[rule(f"GET /users/{ADA}", 403, "ErrorAccessDenied", "No.")], resilient={"trap_exception": "true"}),
    "get-message": call("get_message", ONE),
    "get-message-unicode": call("get_message", ONE, graph=[rule(f"GET {MESSAGE}", 200, json={"id": "x", "subject": "Zoë 😀 \u202e"})]),
    "get-message-missing": call("get_message", {"exo_email_address": None}),
    "get-message-missing-trapped": call("get_message", {}, resilient={"trap_exception": "true"}),
    "get-message-too-large": call("get_message", ONE, settings={"max_reply_mb": 1}, graph=[rule(f"GET {MESSAGE}", 200, json={"id": "x", "body": "y" * 1_100_000})]),
    "get-message-out-of-time": call("get_message", ONE, settings={"call_timeout": 3}, graph=[throttled(f"GET {MESSAGE}", after="30")], slow=True),
    "write-attachment": call("write_message_as_attachment", ONE | INCIDENT),
    "write-attachment-to-task": call("write_message_as_attachment", ONE | INCIDENT | {"task_id": 31.0}),
    "write-attachment-again": call("write_message_as_attachment", ONE | INCIDENT | {"exo_attachment_name": "e.eml"}, **LOOKED_FOR, slow=True),
    "write-attachment-again-there": call("write_message_as_attachment", ONE | INCIDENT | {"exo_attachment_name": "e.eml"}, incident={"files": [("e.eml", EVIDENCE, None)]}, **LOOKED_FOR),
    "write-attachment-again-other": call("write_message_as_attachment", ONE | INCIDENT | {"exo_attachment_name": "e.eml"}, incident={"files": [("e.eml", b"other", None)]}, **LOOKED_FOR, slow=True),
    "write-attachment-no-incident": call("write_message_as_attachment", ONE),
    "move": call("move_message_to_folder", MOVE),
    "move-again-gone": call("move_message_to_folder", MOVE | {"exo_messages_id": "AA/gone=="}, **LOOKED_FOR, slow=True),
    "move-again-moved": call("move_message_to_folder", MOVE | {"exo_messages_id": "AA/gone=="}, tenant={"more": [MOVED]}, **LOOKED_FOR),
    "move-dry-run": call("move_message_to_folder", MOVE, settings={"dry_run": "true"}),
    "send": call("send_message", MAIL_INPUTS),
    "send-with-attachments": call("send_message", MAIL_INPUTS | INCIDENT | {"exo_attachment_names": "a.txt,none.txt"}, incident={"files": SMALL}),
    "send-large": call("send_message", MAIL_INPUTS | INCIDENT | {"exo_attachment_names": "large.bin"}, incident={"files": LARGE}),
    "send-again": call("send_message", MAIL_INPUTS, **LOOKED_FOR, slow=True),
    "send-again-sent": call("send_message", MAIL_INPUTS, tenant={"more": [SENT]}, **LOOKED_FOR),
    "send-again-draft": call("send_message", MAIL_INPUTS, tenant={"more": [SENT | {"isDraft": True}]}, **LOOKED_FOR, slow=True),
    "send-again-look-forbidden": call("send_message", MAIL_INPUTS, graph=[rule(f"GET /users/{ADA}/messages", 403, "ErrorAccessDenied", "No.")], **LOOKED_FOR),
    "send-just-now": call("send_message", MAIL_INPUTS, **NOW),
    "send-without-time": call("send_message", MAIL_INPUTS, headers={"timestamp": None}, slow=True),
    "send-throttled-once": call("send_message", MAIL_INPUTS, graph=[throttled(f"POST /users/{ADA}/sendMail")], slow=True),
    "send-denied": call("send_message", MAIL_INPUTS, settings={"mailboxes_denied": "ada@*"}),
    "meeting": call("create_meeting", MEETING | ATTENDEES),
    "meeting-in-the-past": call("create_meeting", MEETING | {"exo_meeting_start_time": 1}),
    "meeting-in-the-past-again": call("create_meeting", MEETING | {"exo_meeting_start_time": 1}, **LOOKED_FOR),
    "delete": call("delete_email", ONE),
    "delete-quoted": call("delete_email", {"exo_email_address": QUOTED, "exo_messages_id": MAIL["obrien"]}),
    "delete-gone": call("delete_email", ONE | {"exo_messages_id": "AA/gone=="}),
    "delete-gone-again": call("delete_email", ONE | {"exo_messages_id": "AA/gone=="}, **LOOKED_FOR),
    "query": call("query_emails", QUERY | INCIDENT),
    "query-reported": call("query_emails", QUERY | REPORT),
    "query-reported-again": call("query_emails", QUERY | REPORT, **LOOKED_FOR, slow=True),
    "query-reported-again-noted": call("query_emails", QUERY | REPORT, incident={"notes": ["other", f"<div>Reference: {REFERENCE}</div>"]}, **LOOKED_FOR, slow=True),
    "query-tenant": call("query_emails", QUERY | REPORT | {"exo_email_address": "all"}),
    "query-no-incident": call("query_emails", QUERY),
    "query-no-criteria": call("query_emails", INCIDENT | {"exo_email_address": ADA, "exo_query_output_format": TABLE}),
    "query-unknown-inputs": call("query_emails", QUERY | INCIDENT | {"other": {"z": 1, "a": [1.50, None]}}),
    "delete-from-query": call("delete_messages_from_query_results", results(THREE, REPORTED)),
    "delete-from-query-bare": call("delete_messages_from_query_results", {"exo_query_messages_results": json.dumps(THREE)}),
    "delete-from-query-again": call("delete_messages_from_query_results", results(THREE, REPORTED), graph=[rule("DELETE *", 404, "ErrorItemNotFound", "Gone.")], **LOOKED_FOR, slow=True),
    "delete-from-query-over-limit": call("delete_messages_from_query_results", results(THREE), settings={"max_deletions": 1}),
    "unknown-function": call("make_coffee", {"strong": True}),
    "not-json": raw(b"{ not json"),
    "not-text": raw(b"\xff\xfe\x00"),
    "no-function": raw({"inputs": {}}),
    "inputs-are-a-list": raw(body("get_message", [1])),
    "a-list": raw(b"[]"),
    "halves-of-characters": raw(json.dumps(body(*PROFILE)).encode().replace(b"An Analyst", b"A \xed\xa0\xbd\xed\xb8\x80")),
    "without-reply-to": call(*PROFILE, headers={"reply-to": None}),
    "without-correlation-id": call(*PROFILE, headers={"correlation-id": None}),
    "by-playbook": raw(body(*PROFILE, workflow=None, workflow_instance=None, playbook_instance={"playbook_instance_id": 5})),
    "sent-just-now": call("delete_email", ONE, **NOW),
    "three-calls": {"messages": [(body(*PROFILE), {}), (body("get_message", {}), {}), (body("make_coffee", {}), {})], "unordered": True},
    "connection-lost-with-reply": call("delete_email", ONE, drop_at="COMMIT", slow=True, no_log=True),
    "connection-lost-with-status": call("get_message", ONE, drop_at="SEND", slow=True, no_log=True),
    "soar-login": call(*PROFILE, soar=[rule("GET /rest/session", 401, json={"message": "no"})]),
}
