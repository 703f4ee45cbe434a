"""What calls have in common: inputs, and answers that differ from the mocks' own.

A call is a dict: `inputs`; `arguments` of `invoke`; `settings` of [fn_exchange_online]; `resilient`, those of its section;
`graph` and `soar`, rules for answers; `tenant` and `incident`, what there is; `messages`, by which the daemon runs instead.
Of the record: `unordered` sorts requests and log; `no_log` leaves the log out where it depends on the pace of the machine;
`start` has all of a daemon's start. `slow` calls begin first.
"""

ADA = "ada@contoso.example"
#: A phishing mail in the mailbox of each.
MAIL = {name: f"AA/{name}+phish1==" for name in ("ada", "bob", "carl", "mc1", "obrien")}
ONE = {"exo_email_address": ADA, "exo_messages_id": MAIL["ada"]}
INCIDENT = {"arguments": ["--incident", "2095"]}


def rule(on, status=None, code=None, message="Graph's own words.", times=None, **answer):
    """An answer to requests that match `on`: Graph's error object where a `code` is named."""
    if code is not None:
        inner = {"request-id": "1111-request", "date": "2024-03-01T00:00:00"}
        answer["json"] = {"error": {"code": code, "message": message, "innerError": inner}}
    if status is not None:
        answer["status"] = status
    if times is not None:
        answer["times"] = times
    return {"on": on, **answer}


def throttled(on, times=1, after="0", status=429):
    """Graph asks to come again later."""
    return rule(on, status, "TooManyRequests", "Too many requests.", times, headers={"Retry-After": after})


def refusals(on):
    """The refusals that every function meets, by name."""
    return {
        "forbidden": {"graph": [rule(on, 403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")]},
        "unauthorized": {"graph": [rule(on, 401, "InvalidAuthenticationToken", "Access token is empty.")]},
        "unauthorized-once": {"graph": [rule(on, 401, "InvalidAuthenticationToken", "Lifetime validation failed.", times=1)]},
        "bad-request": {"graph": [rule(on, 400, "ErrorInvalidIdMalformed", "Id is malformed.")]},
        "conflict": {"graph": [rule(on, 409, "ErrorIrresolvableConflict", "The send or update operation could not be performed.")]},
        "throttled-once": {"graph": [throttled(on)]},
        "throttled-for-a-second": {"graph": [throttled(on, after="1")]},
        "throttled-for-ever": {"graph": [throttled(on, times=99)]},
        "bad-gateway-once": {"graph": [rule(on, 502, text="<html>Bad Gateway</html>", times=1, headers={"Content-Type": "text/html"})]},
        "unavailable-for-ever": {"graph": [rule(on, 503, "serviceNotAvailable", "The service is unavailable.")]},
        "server-error-for-ever": {"graph": [rule(on, 500, "InternalServerError", "Something is broken.")]},
        "connection-cut-once": {"graph": [rule(on, cut=True, times=1)]},
    }


def with_inputs(inputs, calls, **more):
    """Each call with these inputs beneath its own."""
    return {name: more | call | {"inputs": inputs | call.get("inputs", {})} for name, call in calls.items()}
