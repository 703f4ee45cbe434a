"""exchange_online_delete_messages_from_query_results"""
import json

from tenant import PEOPLE, mailbox

from .common import ADA, INCIDENT, refusals, rule, throttled, with_inputs

NAME, FUNCTION = "delete-from-query", "delete_messages_from_query_results"
FIELDS = ["id", "subject", "sender", "hasAttachments", "receivedDateTime", "webLink"]


def listed(name):
    """What a query lists of a mailbox."""
    messages = [{field: entry[field] for field in FIELDS} for entry in mailbox(name) if "phish" in entry["id"]]
    return {"email_address": PEOPLE[name][0], "status_code": 200, "email_list": messages}


def entry(address, *ids):
    return {"email_address": address, "status_code": 200, "email_list": [{"id": text} for text in ids]}


def results(entries, output=("Exchange Online data table",), incident=2095):
    """The input: a query's content as text."""
    content = {"incident_id": incident, "exo_query_output_format": list(output), "email_results": entries}
    return {"exo_query_messages_results": json.dumps(content)}


def text(value):
    return {"inputs": {"exo_query_messages_results": value}}


ONE, THREE = [entry(ADA, "AA/ada+phish1==")], [listed("ada"), listed("bob"), listed("carl")]
DELETE = f"DELETE /users/{ADA}/messages/AA/ada+phish1=="
REPORTED = ["Incident note", "Incident attachment"]
ALIAS = [entry("ceo@contoso.example", "AA/dora+plain1=="), *ONE]
DENIED = {"settings": {"mailboxes_denied": "ceo@*, bob@*"}}

CALLS = with_inputs(results(ONE), refusals(DELETE)) | with_inputs(results(THREE), {
    "three-mailboxes": {},
    "bare-list": text(json.dumps(THREE)),
    "textarea": text({"format": "html", "content": json.dumps(ONE)}),
    "some-gone": {"inputs": results([entry(ADA, "AA/ada+phish1==", "AA/gone=="), entry("unknown@contoso.example", "x=")])},
    "all-gone": {"inputs": results([entry(ADA, "AA/gone1==", "AA/gone2==")])},
    "no-mailbox": {"inputs": results([entry("kiosk@contoso.example", "x=")])},
    "twice-the-same": {"inputs": results([entry(ADA, "AA/ada+phish1==", "AA/ada+phish1=="), *ONE])},
    "empty": {"inputs": results([])},
    "empty-mailbox": {"inputs": results([entry(ADA)])},
    "many-in-one-mailbox": {"graph": [rule(f"DELETE /users/{ADA}/messages/m*", 204)], "inputs": results([entry(ADA, *(f"m{number}" for number in range(30)))])},
    "one-throttled": {"graph": [throttled(DELETE)]},
    "one-forbidden": {"graph": [rule(DELETE, 403, "ErrorAccessDenied", "Access is denied.")]},
    "answer-lost": {"graph": [rule(DELETE, 504, "GatewayTimeout", done=True, times=1)]},
    "batch-not-known": {"graph": [rule("POST /$batch", 400, "BadRequest", "No batches here.")]},
    "missing": text(None),
    "not-json": text("not json"),
    "json-of-something-else": text('{"value": true}'),
    "entry-without-address": text('[{"email_list": []}]'),
    "entry-with-blank-address": {"inputs": results([entry("  ", "x")])},
    "message-without-id": text(json.dumps([{"email_address": ADA, "email_list": [{"subject": "s"}]}])),
    "id-that-leads-elsewhere": {"inputs": results([entry(ADA, "..", "AA/ada+phish1==")])},
    "note-without-incident": {"arguments": ["--incident", "2095"], "inputs": results(ONE, REPORTED, None)},
    "over-limit": {"settings": {"max_deletions": 5}},
    "at-limit": {"settings": {"max_deletions": 6}},
    "dry-run": {"settings": {"dry_run": "true"}},
    "dry-run-some-gone": {"settings": {"dry_run": "true"}, "inputs": results([entry(ADA, "AA/ada+phish1==", "AA/gone==")])},
    "to-deleted-items": {"settings": {"deletion": "deleted_items"}},
    "permanent": {"settings": {"deletion": "permanent"}},
    "permanent-not-offered": {"settings": {"deletion": "permanent"}, "graph": [rule("POST */permanentDelete", 405, "BadRequest", "Resource not found.")]},
    "some-denied": DENIED,
    "some-allowed": {"settings": {"mailboxes_allowed": "ada@*"}},
    "denied-by-alias": DENIED | {"inputs": results(ALIAS)},
    "denied-cannot-be-identified": DENIED | {"graph": [rule(f"GET /users/{ADA}", 403, "Authorization_RequestDenied", "Insufficient privileges.")]},
    "no-record": {"settings": {"audit_file": "/nonexistent/audit.log"}},
}) | with_inputs(results(THREE, REPORTED), {
    "note-and-file": {},
    "note-with-failures": {"graph": [rule(DELETE, 403, "ErrorAccessDenied", "No <access>.")]},
    "note-of-dry-run": {"settings": {"dry_run": "true"}},
    "note-over-limit": {"settings": {"max_deletions": 1}},
    "note-in-no-incident": {"arguments": ["--incident", "404"], "inputs": results(THREE, REPORTED, 404)},
    "note-for-another-incident": {"arguments": ["--incident", "1"]},
    "note-by-hand": {"arguments": []},
}, **INCIDENT)
