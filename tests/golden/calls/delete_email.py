"""exchange_online_delete_email"""
from tenant import GUEST, QUOTED

from .common import ADA, MAIL, ONE, refusals, rule, with_inputs

NAME, FUNCTION = "delete-email", "delete_email"
MESSAGE = f"/users/{ADA}/messages/{MAIL['ada']}"
DELETE = f"DELETE {MESSAGE}"
GONE = {"exo_messages_id": "AA/gone=="}

CALLS = with_inputs(ONE, refusals(DELETE)) | with_inputs(ONE, {
    "plain": {},
    "in-folder": {"inputs": {"exo_mailfolders_id": "inbox"}},
    "in-folder-that-is-not-there": {"inputs": {"exo_mailfolders_id": "nowhere"}},
    "guest": {"inputs": {"exo_email_address": GUEST, "exo_messages_id": "AA/dave+plain1=="}},
    "quote-and-plus": {"inputs": {"exo_email_address": QUOTED, "exo_messages_id": MAIL["obrien"]}},
    "not-found": {"inputs": GONE},
    "no-mailbox": {"inputs": {"exo_email_address": "kiosk@contoso.example"}},
    "missing": {"inputs": {"exo_email_address": None, "exo_messages_id": None}},
    "empty-segment": {"inputs": {"exo_messages_id": "a/../b"}},
    "answer-lost": {"graph": [rule(DELETE, 504, "GatewayTimeout", done=True, times=1)]},
    "to-deleted-items": {"settings": {"deletion": "deleted_items"}},
    "permanent": {"settings": {"deletion": "permanent"}},
    "permanent-not-offered": {"settings": {"deletion": "permanent"}, "graph": [rule("POST */permanentDelete", 400, "BadRequest", "Resource not found for the segment 'permanentDelete'.")]},
    "dry-run": {"settings": {"dry_run": "true"}},
    "dry-run-not-found": {"settings": {"dry_run": "true"}, "inputs": GONE},
    "mailbox-denied": {"settings": {"mailboxes_denied": "ada@contoso.example"}},
    "mailbox-denied-by-alias": {"settings": {"mailboxes_denied": "ceo@*"}, "inputs": {"exo_email_address": "dora@contoso.example"}},
    "mailbox-by-denied-alias": {"settings": {"mailboxes_denied": "ceo@*"}, "inputs": {"exo_email_address": "CEO@contoso.example"}},
    "mailbox-by-id": {"settings": {"mailboxes_allowed": "ada@*"}, "inputs": {"exo_email_address": "id-ada"}},
    "mailbox-not-allowed-by-alias": {"settings": {"mailboxes_allowed": "a.lovelace@*"}},
    "mailbox-not-in-directory": {"settings": {"mailboxes_allowed": "*@contoso.example"}, "inputs": {"exo_email_address": "unknown@contoso.example"}},
    "no-record": {"settings": {"audit_file": "/nonexistent/audit.log"}},
})
