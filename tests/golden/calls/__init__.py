"""All calls by name. A name is `function/what-is-tried`."""
from . import create_meeting, daemon, delete_email, delete_from_query, get_message, get_profile, move_message
from . import query_emails, query_tenant, send_message, write_attachment

MODULES = [
    get_profile, get_message, write_attachment, move_message, send_message, create_meeting, delete_email, query_emails,
    query_tenant, delete_from_query, daemon,
]
CALLS = {}
for module in MODULES:
    for name, call in module.CALLS.items():
        CALLS[f"{module.NAME}/{name}"] = {"function": getattr(module, "FUNCTION", None)} | call
