"""exchange_online_send_message"""
from .common import ADA, INCIDENT, refusals, rule, throttled, with_inputs

NAME, FUNCTION = "send-message", "send_message"
SEND = f"POST /users/{ADA}/sendMail"
LOOK = f"GET /users/{ADA}/messages?singleValueExtendedProperties"
DRAFT = "/users/*/messages/new-ada-*"
INPUTS = {
    "exo_email_address": ADA,
    "exo_recipients": "bob@contoso.example, carl@contoso.example",
    "exo_message_subject": "Warning: <phish>",
    "exo_message_body": {"format": "html", "content": "<p>Do not open it, naïve friends</p>"},
}
SMALL = [("a.txt", b"first file"), ("b, c.bin", bytes(range(256))), ("d.txt", b"third")]
LARGE = [("small.txt", b"tiny"), ("large.bin", b"0123456789abcdef" * 312_500)]
MANY = [(f"part{number}.bin", bytes([number]) * 1_400_000) for number in range(3)]
WITH_LARGE = {"incident": {"files": LARGE}, "inputs": {"exo_attachment_names": "small.txt, large.bin"}}
# What may have been sent is looked for four times, over 3.5 s.
SLOW = {"slow": True}
QUICK = ["forbidden", "unauthorized", "unauthorized-once", "bad-request", "conflict"]
DOUBTFUL = ["throttled-once", "bad-gateway-once", "connection-cut-once", "throttled-for-a-second"]
FOR_EVER = ["throttled-for-ever", "unavailable-for-ever", "server-error-for-ever"]

CALLS = with_inputs(INPUTS, {name: refusals(SEND)[name] for name in QUICK}) | with_inputs(
    INPUTS, {name: refusals(SEND)[name] for name in DOUBTFUL + FOR_EVER}, **SLOW
) | with_inputs(INPUTS, {
    "plain": {},
    "bare": {"inputs": {"exo_message_subject": None, "exo_message_body": None}},
    "body-as-text": {"inputs": {"exo_message_body": "plain text"}},
    "blank-recipients": {"inputs": {"exo_recipients": " , bob@contoso.example,, ,"}},
    "no-recipients": {"inputs": {"exo_recipients": " , ,"}},
    "missing": {"inputs": {"exo_email_address": None, "exo_recipients": None}},
    "attachments-without-incident": {"inputs": {"exo_attachment_names": "a.txt"}},
    "no-user": {"inputs": {"exo_email_address": "unknown@contoso.example"}},
    "no-mailbox": {"inputs": {"exo_email_address": "kiosk@contoso.example"}},
    "answer-lost": {"graph": [rule(SEND, cut=True, done=True, times=1)]},
    "look-forbidden": {"graph": [rule(SEND, 504, "GatewayTimeout", times=1), rule(LOOK, 403, "ErrorAccessDenied", "No.")]},
    "throttled-and-look-forbidden": {"graph": [throttled(SEND), rule(LOOK, 403, "ErrorAccessDenied", "No.")]},
    "dry-run": {"settings": {"dry_run": "true"}},
    "sender-denied": {"settings": {"mailboxes_denied": "ada@*"}},
    "sender-not-identified": {"settings": {"mailboxes_denied": "ceo@*"}, "graph": [rule(f"GET /users/{ADA}", 403, "Authorization_RequestDenied", "Insufficient privileges.")]},
    "sender-known-in-part": {"settings": {"mailboxes_denied": "ceo@*"}, "graph": [rule(f"GET /users/{ADA}", 200, json={"id": "id-ada", "userPrincipalName": ADA})]},
}) | with_inputs(INPUTS, {
    "small-attachments": {"inputs": {"exo_attachment_names": "a.txt, d.txt"}},
    "attachment-that-is-not-there": {"inputs": {"exo_attachment_names": "a.txt, none.txt, a.txt"}},
    "no-incident": {"arguments": ["--incident", "404"], "inputs": {"exo_attachment_names": "a.txt"}},
    "attachment-cannot-be-read": {"inputs": {"exo_attachment_names": "a.txt"}, "soar": [rule("GET */attachments/1/contents", 403, json={"message": "No."})]},
}, incident={"files": SMALL}, **INCIDENT) | with_inputs(INPUTS, {
    "large-attachment": WITH_LARGE,
    "many-middling-attachments": {"incident": {"files": MANY}, "inputs": {"exo_attachment_names": "part0.bin,part1.bin,part2.bin"}},
    "large-body": {"inputs": {"exo_message_body": "<p>" + "long " * 800_000 + "</p>"}},
    "draft-forbidden": WITH_LARGE | {"graph": [rule(f"POST /users/{ADA}/messages", 403, "ErrorAccessDenied", "No.")]},
    "draft-not-sent": WITH_LARGE | {"graph": [rule(f"POST {DRAFT}/send", 403, "ErrorSendAsDenied", "Not in the name of others.")]},
    "draft-send-answer-lost": WITH_LARGE | {"graph": [rule(f"POST {DRAFT}/send", cut=True, done=True, times=1)]},
    "upload-range-throttled": WITH_LARGE | {"graph": [rule("PUT /upload/*", 429, text="", times=1, headers={"Retry-After": "0"})]},
    "upload-session-refused": WITH_LARGE | {"graph": [rule(f"POST {DRAFT}/createUploadSession", 413, "ErrorAttachmentSizeLimitExceeded", "Too large.")]},
    "attachment-over-limit": WITH_LARGE | {"settings": {"max_attachment_mb": 1}},
}, **INCIDENT)
