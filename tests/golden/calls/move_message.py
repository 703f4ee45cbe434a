"""exchange_online_move_message_to_folder"""
from .common import ADA, MAIL, ONE, refusals, rule, throttled, with_inputs

NAME, FUNCTION = "move-message", "move_message_to_folder"
MESSAGE = f"/users/{ADA}/messages/{MAIL['ada']}"
MARK, MOVE = f"PATCH {MESSAGE}", f"POST {MESSAGE}/move"
INPUTS = ONE | {"exo_destination_mailfolder_id": {"id": 126, "name": "junkemail"}}
LOST = rule(MOVE, 504, "GatewayTimeout", "Lost.", done=True, times=1)

CALLS = with_inputs(INPUTS, refusals(MOVE)) | with_inputs(INPUTS, {
    "plain": {},
    "destination-as-text": {"inputs": {"exo_destination_mailfolder_id": "deleteditems"}},
    "from-folder": {"inputs": {"exo_mailfolders_id": "inbox"}},
    "from-folder-that-is-not-there": {"inputs": {"exo_mailfolders_id": "nowhere"}},
    "to-folder-that-is-not-there": {"inputs": {"exo_destination_mailfolder_id": "nowhere"}},
    "not-found": {"inputs": {"exo_messages_id": "AA/gone=="}},
    "no-mailbox": {"inputs": {"exo_email_address": "kiosk@contoso.example"}},
    "missing-all": {"inputs": {"exo_email_address": None, "exo_messages_id": "", "exo_destination_mailfolder_id": None}},
    "destination-without-name": {"inputs": {"exo_destination_mailfolder_id": {"id": 126}}},
    "mark-refused": {"graph": [rule(MARK, 400, "ErrorInvalidRequest", "This property cannot be set.")]},
    "mark-forbidden": {"graph": [rule(MARK, 403, "ErrorAccessDenied", "Access is denied.")]},
    "mark-throttled-once": {"graph": [throttled(MARK)]},
    "answer-lost": {"graph": [LOST]},
    "answer-lost-and-look-forbidden": {"graph": [LOST, rule("GET /users/*/junkemail/messages", 403, "ErrorAccessDenied", "No.")], "slow": True},
    "answer-lost-and-moved-on": {"graph": [rule(MOVE, 504, "GatewayTimeout", times=9), rule("GET /users/*/junkemail/messages", 200, json={"value": []})], "slow": True},
    "answer-without-id": {"graph": [rule(MOVE, 201, json={})], "slow": True},
    "dry-run": {"settings": {"dry_run": "true"}},
    "dry-run-not-found": {"settings": {"dry_run": "true"}, "inputs": {"exo_messages_id": "AA/gone=="}},
    "mailbox-denied": {"settings": {"mailboxes_denied": "ceo@*, a.love*@contoso.example"}},
    "mailbox-allowed": {"settings": {"mailboxes_allowed": "ada@*"}},
    "mailbox-not-allowed": {"settings": {"mailboxes_allowed": "bob@*"}},
    "mailbox-by-alias": {"settings": {"mailboxes_denied": "ceo@*"}, "inputs": {"exo_email_address": "a.lovelace@contoso.example"}},
})
