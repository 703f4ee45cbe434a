"""exchange_online_query_emails in all mailboxes, by batches"""
from tenant import PHISHER

from .common import ADA, INCIDENT, MAIL, rule, throttled, with_inputs

NAME, FUNCTION = "query-tenant", "query_emails"
USERS = "GET /users"
LIST = "GET /users/id-ada/messages"
INPUTS = {"exo_email_address": "all", "exo_email_address_sender": PHISHER, "exo_query_output_format": ["Exchange Online data table"]}
# One request in each batch, so that what happens to a batch happens to one mailbox.
PAIRS = {"max_batched_requests": 2}
# How many messages are still wanted when a further page of users comes depends on the machine.
PAGES = {"any_top": True}
MANY = {"exo_email_address": ", ".join(f"user{number}@contoso.example" for number in range(25)) + f", {ADA}"}

CALLS = with_inputs(INPUTS, {
    "all": {},
    "all-users": {"inputs": {"exo_email_address": " All Users "}},
    "prefix": {"inputs": {"exo_email_address": "all:mc"}},
    "prefix-of-l": {"inputs": {"exo_email_address": "ALL: a"}},
    "prefix-with-quote": {"inputs": {"exo_email_address": "all:o'b"}},
    "prefix-without-users": {"inputs": {"exo_email_address": "all:zzz"}},
    "by-body": {"inputs": {"exo_message_body": "parcel"}},
    "in-folder": {"inputs": {"exo_mail_folders": "inbox"}},
    "users-in-pages": {**PAGES, "tenant": {"users_page": 2}},
    "users-at-limit": {"settings": {"max_users": 3}},
    "users-page-throttled": {**PAGES, "tenant": {"users_page": 4}, "graph": [throttled(f"{USERS}?$skip=4")]},
    "users-forbidden": {"graph": [rule(USERS, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")]},
    "users-without-value": {"graph": [rule(USERS, 200, json={"users": []})]},
    "users-page-fails": {**PAGES, "tenant": {"users_page": 4}, "graph": [rule(f"{USERS}?$skip=4", 503, "serviceNotAvailable")]},
    "one-throttled": {"graph": [throttled(LIST)]},
    "one-throttled-for-a-second": {"graph": [throttled(LIST, after="1")]},
    "one-throttled-for-ever": {"graph": [throttled(LIST, times=99)]},
    "one-forbidden": {"graph": [rule(LIST, 403, "ErrorAccessDenied", "Access is denied.")]},
    "one-broken-for-ever": {"graph": [rule(LIST, 500, "InternalServerError", "Broken.")]},
    "one-unauthorized-once": {"graph": [rule(LIST, 401, "InvalidAuthenticationToken", "Expired.", times=1)]},
    "one-not-json": {"graph": [rule(LIST, 200, text="hello")]},
    "all-forbidden": {"graph": [rule("GET /users/*/messages", 403, "ErrorAccessDenied", "Access is denied.")]},
    "messages-in-pages": {"tenant": {"page": 1}},
    "second-page-fails": {"tenant": {"page": 1}, "graph": [rule(f"{LIST}?$skip=1", 500, "InternalServerError", "Broken.")]},
    "batch-fails-once": {"settings": PAIRS, "graph": [rule("POST /$batch", 503, text="", times=1, body="id-ada")]},
    "batch-is-html-once": {"settings": PAIRS, "graph": [rule("POST /$batch", 200, text="<html>", times=1)], "inputs": {"exo_email_address": "all:mc.one"}},
    "batch-forbidden": {"graph": [rule("POST /$batch", 403, "ErrorAccessDenied", "Access is denied.")], "inputs": {"exo_email_address": "all:mc"}},
    "batch-not-known": {"graph": [rule("POST /$batch", 404, "ResourceNotFound", "No batches here.")]},
    "batch-leaves-one-out": {"settings": PAIRS | {"max_retries_total": 1}, "graph": [rule("POST /$batch", 200, json={"responses": []})], "inputs": {"exo_email_address": "all:bob"}},
    "long-list": {"inputs": MANY},
    "limit-of-messages": {"settings": {"max_messages": 1, "max_concurrent_batches": 1}, "inputs": {"exo_email_address": "all:bob"}},
}) | with_inputs(INPUTS | {"exo_query_output_format": ["Incident note", "Incident attachment"]}, {
    "note-and-file": {},
    "note-of-nothing": {"inputs": {"exo_email_address_sender": "none@evil.example"}},
    "note-with-failures": {"graph": [rule(LIST, 403, "ErrorAccessDenied", f"No <access> to {MAIL['ada']}.")]},
}, **INCIDENT)
