"""exchange_online_get_email_user_profile"""
from tenant import GUEST, QUOTED

from .common import ADA, refusals, rule, with_inputs

NAME, FUNCTION = "get-profile", "get_email_user_profile"
USER = f"GET /users/{ADA}"

CALLS = with_inputs({"exo_email_address": ADA}, refusals(USER)) | with_inputs({"exo_email_address": ADA}, {
    "plain": {},
    "guest": {"inputs": {"exo_email_address": GUEST}},
    "quote-and-plus": {"inputs": {"exo_email_address": QUOTED}},
    "blanks-around": {"inputs": {"exo_email_address": f"  {ADA} "}},
    "textarea": {"inputs": {"exo_email_address": {"format": "text", "content": ADA}}},
    "not-found": {"inputs": {"exo_email_address": "unknown@contoso.example"}},
    "missing": {"inputs": {"exo_email_address": None}},
    "blank": {"inputs": {"exo_email_address": "   "}},
    "wrong-kind": {"inputs": {"exo_email_address": 17}},
    "climbing-address": {"inputs": {"exo_email_address": "../groups"}},
    "dollar-address": {"inputs": {"exo_email_address": "$ada@contoso.example"}},
    "unknown-input": {"inputs": {"other": [1, {"a": "b"}]}},
    "html-instead": {"graph": [rule(USER, 200, text="<html>portal</html>", headers={"Content-Type": "text/html"})]},
    "broken-json": {"graph": [rule(USER, 200, text='{"id": "x', headers={"Content-Type": "application/json"})]},
    "ends-early-once": {"graph": [rule(USER, 200, json={"id": "id-ada", "displayName": "Ada"}, truncate=9, times=1)]},
    "unicode": {"graph": [rule(USER, 200, json={"displayName": "Zoë 😀 \u202e", "id": "z", "a": {"c": 1, "b": 1.50}})]},
    "login-refused": {"graph": [rule("POST /token/*", 401, json={"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: t"})]},
    "login-unknown-tenant": {"graph": [rule("POST /token/*", 400, json={"error": "invalid_request", "error_description": "AADSTS90002: Tenant 'tenant' not found."})]},
    "login-unavailable-once": {"graph": [rule("POST /token/*", 503, text="busy", times=1)]},
    "login-throttled-once": {"graph": [rule("POST /token/*", 429, text="", times=1, headers={"Retry-After": "0"})]},
})
