"""exchange_online_get_message"""
from tenant import GUEST, QUOTED

from .common import ADA, MAIL, ONE, refusals, rule, throttled, with_inputs

NAME, FUNCTION = "get-message", "get_message"
MESSAGE = f"GET /users/{ADA}/messages/{MAIL['ada']}"

CALLS = with_inputs(ONE, refusals(MESSAGE)) | with_inputs(ONE, {
    "plain": {},
    "guest-without-it": {"inputs": {"exo_email_address": GUEST}},
    "quote-and-plus": {"inputs": {"exo_email_address": QUOTED, "exo_messages_id": MAIL["obrien"]}},
    "not-found": {"inputs": {"exo_messages_id": "AA/gone=="}},
    "no-user": {"inputs": {"exo_email_address": "unknown@contoso.example"}},
    "no-mailbox": {"inputs": {"exo_email_address": "kiosk@contoso.example"}},
    "missing-both": {"inputs": {"exo_email_address": "", "exo_messages_id": None}},
    "dots-as-id": {"inputs": {"exo_messages_id": ".."}},
    "not-json": {"graph": [rule(MESSAGE, 200, text="hello")]},
    "error-with-200": {"graph": [rule(MESSAGE, 404, "ErrorItemNotFound", "Gone \u202e <b>now</b>")]},
    "not-found-in-html": {"graph": [rule(MESSAGE, 404, text="<html>404</html>", headers={"Content-Type": "text/html"})]},
    "throttled-with-date": {"graph": [rule(MESSAGE, 429, "TooManyRequests", times=1, headers={"Retry-After": "Fri, 01 Mar 2024 10:00:00 GMT"})]},
    "throttled-for-an-hour": {"graph": [throttled(MESSAGE, after="3600")]},
    "timeout-504-once": {"graph": [rule(MESSAGE, 504, "GatewayTimeout", times=1)]},
    "without-retries": {"settings": {"max_retries_total": 0}, "graph": [rule(MESSAGE, 503, "serviceNotAvailable")]},
    "method-not-allowed": {"graph": [rule(MESSAGE, 405, "Request_BadRequest", "Specified HTTP method is not allowed.")]},
    "silent": {"settings": {"timeout": 1, "max_retries_total": 1}, "graph": [rule(MESSAGE, 200, json={"id": "x"}, delay=2.5)], "slow": True},
})
