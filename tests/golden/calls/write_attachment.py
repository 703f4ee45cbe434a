"""exchange_online_write_message_as_attachment"""
from .common import ADA, INCIDENT, MAIL, ONE, refusals, rule, throttled, with_inputs

NAME, FUNCTION = "write-attachment", "write_message_as_attachment"
VALUE = f"GET /users/{ADA}/messages/{MAIL['ada']}/$value"
UPLOAD = "POST /rest/orgs/201/incidents/2095/attachments"
CHOSEN = ["forbidden", "unauthorized", "throttled-once", "bad-gateway-once", "unavailable-for-ever", "connection-cut-once"]
SOAR_BUSY = {"success": False, "title": None, "message": "Busy.", "hints": [], "error_code": "generic"}

CALLS = with_inputs(ONE, {name: refusals(VALUE)[name] for name in CHOSEN}, **INCIDENT) | with_inputs(ONE, {
    "plain": {},
    "to-task": {"inputs": {"task_id": 31}},
    "named": {"inputs": {"exo_attachment_name": "evidence.eml"}},
    "blank-name": {"inputs": {"exo_attachment_name": "  "}},
    "misleading-name": {"inputs": {"exo_attachment_name": "../../etc/\u202egpj.eml\r\nX: y"}},
    "unicode-name": {"inputs": {"exo_attachment_name": 'Zoë "quoted" 😀.eml'}},
    "not-found": {"inputs": {"exo_messages_id": "AA/gone=="}},
    "no-mailbox": {"inputs": {"exo_email_address": "kiosk@contoso.example"}},
    "no-user": {"inputs": {"exo_email_address": "unknown@contoso.example"}},
    "missing": {"inputs": {"exo_messages_id": None, "exo_email_address": ""}},
    "wrong-task": {"inputs": {"task_id": "first"}},
    "large": {"graph": [rule(VALUE, 200, text="x" * 3_000_000)]},
    "too-large": {"settings": {"max_attachment_mb": 1}, "graph": [rule(VALUE, 200, text="x" * 1_048_577)]},
    "ends-early-once": {"graph": [rule(VALUE, 200, text="0123456789" * 5000, truncate=20_000, times=1)]},
    "ends-early-for-ever": {"graph": [rule(VALUE, 200, text="0123456789" * 5000, truncate=20_000)]},
    "no-incident": {"arguments": ["--incident", "404"]},
    "soar-forbids": {"soar": [rule(UPLOAD, 403, json=SOAR_BUSY | {"message": "Forbidden."})]},
    "soar-busy-once": {"soar": [rule(UPLOAD, 503, json=SOAR_BUSY, times=1, headers={"Retry-After": "0"})]},
    "soar-broken-once": {"soar": [rule(UPLOAD, 500, json=SOAR_BUSY, times=1)], "slow": True},
    "soar-answer-lost": {"soar": [rule(UPLOAD, cut=True, done=True, times=1)], "slow": True},
    "soar-throttles-for-ever": {"soar": [throttled(UPLOAD, times=99)]},
}, **INCIDENT) | with_inputs(ONE, {
    "by-hand": {"arguments": []},
    "by-hand-name-taken": {"arguments": [], "inputs": {"exo_attachment_name": "there.eml"}, "there": {"there.eml": "older"}},
    "by-hand-not-found": {"arguments": [], "inputs": {"exo_messages_id": "AA/gone=="}},
})
