"""A small Microsoft Graph with its token endpoint: the parts of it that the nine functions ask for."""
import json
import re
import urllib.parse

import tenant
from mock_http import Answer, Mock, Request, answer_by_rule

MARK = re.compile(r"singleValueExtendedProperties/Any\(ep: ep/id eq '(.*)' and ep/value eq '(.*)'\)")


def error(status, code, message):
    inner = {"request-id": "0000-request", "date": "2024-03-01T00:00:00"}
    return Answer.of({"error": {"code": code, "message": message, "innerError": inner}}, status, request_id="0000-request")


NO_USER = error(404, "Request_ResourceNotFound", "Resource does not exist or one of its queried objects is not present.")
NO_ITEM = error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
NO_FOLDER = error(404, "ErrorItemNotFound", "The specified folder could not be found in the store.")
NO_MAILBOX = error(404, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or is hosted on-premise.")
FOLDERS = {"inbox", "junkemail", "deleteditems", "archive", "drafts", "outbox", "sentitems", "folder-inbox"}


class Graph(Mock):
    """`page`: how many entries a page has at most; `zone`: the organizer's time zone; `more`: further messages of ada."""

    def __init__(self, rules, page=1000, users_page=999, zone="UTC", more=()):
        super().__init__(rules)
        self.page, self.users_page, self.zone = page, users_page, zone
        self.tokens = 0
        self.moves = 0
        self.token_requests = []
        self.mailboxes = {name: tenant.mailbox(name) for name in tenant.PEOPLE}
        self.mailboxes["ada"] += [dict(entry) for entry in more]
        self.uploaded = {}

    def handle(self, request):
        if request.path.startswith("/token"):
            with self.lock:
                self.token_requests.append(request)
            return self.decide(request)
        if request.path != "/v1.0/$batch":
            return super().handle(request)
        parts = [self.part(part) for part in request.json["requests"]]
        with self.lock:
            self.requests.extend(parts)
            rule = self.rules.pick(request)
        if rule is not None:
            return answer_by_rule(rule, self.fill)
        answers = [self.in_batch(part, given["id"]) for part, given in zip(parts, request.json["requests"])]
        return Answer.of({"responses": answers[::-1]})

    @staticmethod
    def part(given):
        body = json.dumps(given["body"]).encode() if "body" in given else b""
        headers = {name.lower(): value for name, value in given.get("headers", {}).items()}
        return Request(given["method"], "/v1.0" + given["url"], headers, body, batched=True)

    def in_batch(self, part, number):
        answer = self.decide(part)
        given = {"id": number, "status": answer.status, "headers": answer.headers}
        if answer.body:
            given["body"] = json.loads(answer.body) if "json" in answer.headers.get("Content-Type", "") else answer.body.decode()
        return given

    def default(self, request):
        if request.path.startswith("/token"):
            self.tokens += 1
            return Answer.of({"token_type": "Bearer", "expires_in": 3599, "access_token": f"token-{self.tokens}"})
        if request.path.startswith("/upload/"):
            return self.upload(request)
        # An encoded slash does not part segments.
        segments = [urllib.parse.unquote(text) for text in request.target.partition("?")[0].split("/")[2:]]
        if segments == ["users"]:
            return self.users(request)
        if segments[:1] == ["users"] and len(segments) > 1:
            name = self.named(segments[1])
            if name is None:
                return NO_USER if len(segments) == 2 else error(404, "ErrorInvalidUser", f"The requested user '{segments[1]}' is invalid.")
            return self.of_user(request, name, segments[2:])
        return error(400, "BadRequest", "Resource not found for the segment.")

    @staticmethod
    def named(address):
        for name, (principal, *_) in tenant.PEOPLE.items():
            if address.lower() in (principal.lower(), f"id-{name}"):
                return name
        return None

    def users(self, request):
        chosen = [tenant.user(name) for name in tenant.PEOPLE]
        wanted = request.query.get("$filter", "").replace("''", "'")
        if start := re.fullmatch(r"startswith\(userPrincipalName,'(.*)'\)", wanted):
            chosen = [user for user in chosen if user["userPrincipalName"].lower().startswith(start[1].lower())]
        elif alias := re.search(r"eq '(smtp:.*)'", wanted):
            chosen = [user for user in chosen if alias[1].lower() in [a.lower() for a in user["proxyAddresses"]]]
        return self.listed(request, chosen, self.users_page)

    def of_user(self, request, name, rest):
        if not rest:
            return Answer.of({"@odata.context": "users/$entity"} | self.selected(request, tenant.user(name)))
        if not tenant.PEOPLE[name][3]:
            return NO_MAILBOX
        if rest == ["mailboxSettings", "timeZone"]:
            return Answer.of({"value": self.zone})
        if rest == ["calendar", "events"]:
            return Answer.of({"@odata.context": "events/$entity", "id": "event-1", "webLink": "https://outlook.example/event-1"} | request.json, 201)
        if rest == ["sendMail"]:
            self.keep(name, request.json["message"], draft=False)
            return Answer(202)
        if rest[0] == "mailFolders":
            if rest[1].lower() not in FOLDERS:
                return NO_FOLDER
            return self.of_messages(request, name, rest[3:], rest[1])
        return self.of_messages(request, name, rest[1:], None)

    def of_messages(self, request, name, rest, folder):
        if not rest:
            if request.method == "POST":
                return Answer.of(self.keep(name, request.json, draft=True), 201)
            return self.listed(request, self.found(request, name, folder), self.page)
        entry = next((entry for entry in self.mailboxes[name] if entry["id"] == rest[0]), None)
        if entry is None:
            return NO_ITEM
        action = "/".join([request.method, *rest[1:]])
        actions = {
            "GET": lambda: Answer.of({"@odata.context": "messages/$entity"} | self.selected(request, self.shown(entry))),
            "GET/$value": lambda: Answer(200, {"Content-Type": "text/plain"}, tenant.mime(entry)),
            "PATCH": lambda: self.mark(entry, request),
            "DELETE": lambda: self.remove(name, entry),
            "POST/permanentDelete": lambda: self.remove(name, entry),
            "POST/move": lambda: self.move(name, entry, request.json["destinationId"]),
            "POST/send": lambda: self.send(entry),
            "POST/attachments": lambda: Answer.of({"id": "attachment-1"}, 201),
            "POST/attachments/createUploadSession": lambda: self.session(request),
        }
        return actions[action]() if action in actions else error(405, "UnsupportedMethod", "No such method.")

    @staticmethod
    def shown(entry):
        return {key: value for key, value in entry.items() if key not in ("mark", "folder")}

    @staticmethod
    def selected(request, thing):
        wanted = request.query.get("$select")
        return thing if wanted is None else {key: value for key, value in thing.items() if key in wanted.split(",") or key == "@odata.etag"}

    def keep(self, name, message, draft):
        entry = {"id": f"new-{name}-{len(self.mailboxes[name])}=", "isDraft": draft, "webLink": None}
        marks = message.get("singleValueExtendedProperties", [])
        self.mailboxes[name].append(entry | {"mark": marks[0]["value"] if marks else None})
        return entry

    def mark(self, entry, request):
        entry["mark"] = request.json["singleValueExtendedProperties"][0]["value"]
        return Answer.of(self.shown(entry))

    def remove(self, name, entry):
        self.mailboxes[name].remove(entry)
        return Answer(204)

    def move(self, name, entry, destination):
        if destination.lower() not in FOLDERS:
            return NO_FOLDER
        self.moves += 1
        number = len([other for other in self.mailboxes[name] if other["id"].startswith("moved")])
        entry |= {"id": f"moved-{name}-{number}-of-{entry['id']}", "webLink": f"{entry['webLink']}/moved", "folder": destination}
        return Answer.of(self.shown(entry), 201)

    @staticmethod
    def send(entry):
        entry["isDraft"] = False
        return Answer(202)

    def session(self, request):
        number = len(self.uploaded) + 1
        self.uploaded[str(number)] = request.json["AttachmentItem"]["size"]
        return Answer.of({"uploadUrl": f"{self.root}/upload/{number}?token=secret", "nextExpectedRanges": ["0-"]}, 201)

    def upload(self, request):
        number = request.path.rsplit("/", 1)[1]
        span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", request.headers.get("content-range", ""))
        if span and int(span[2]) + 1 == int(span[3]):
            return Answer(201)
        return Answer.of({"nextExpectedRanges": [f"{int(span[2]) + 1 if span else 0}-{self.uploaded[number] - 1}"]})

    def found(self, request, name, folder):
        entries = [entry for entry in self.mailboxes[name] if folder is None or entry.get("folder", "inbox") == folder.lower()]
        wanted = request.query.get("$filter", "")
        if mark := MARK.fullmatch(wanted):
            return [entry for entry in entries if entry.get("mark") == mark[2]]
        entries = [entry for entry in entries if "from" in entry]
        if search := request.query.get("$search"):
            return [entry for entry in entries if fits_search(entry, search)]
        return [entry for entry in entries if all(fits(entry, term) for term in wanted.split(" and ") if term)]

    def listed(self, request, entries, page):
        start = int(request.query.get("$skip", 0))
        size = min(page, int(request.query.get("$top", 10)))
        answer = {"value": [self.selected(request, self.shown(entry)) for entry in entries[start : start + size]]}
        if start + size < len(entries):
            path, _, query = request.target.partition("?")
            kept = "&".join(option for option in query.split("&") if not option.startswith("$skip"))
            answer["@odata.nextLink"] = f"{self.root}{path}?{kept}&$skip={start + size}"
        return Answer.of(answer)


def fits(entry, term):
    """Whether a message meets one term of a `$filter`."""
    if text := re.fullmatch(r"contains\(subject, ?'(.*)'\)", term, re.DOTALL):
        return text[1].replace("''", "'").lower() in entry["subject"].lower()
    field, operator, value = term.split(" ", 2)
    value = value.strip("'").replace("''", "'")
    if field == "from/emailAddress/address":
        return entry["from"]["emailAddress"]["address"].lower() == value.lower()
    if field == "hasAttachments":
        return entry["hasAttachments"] == (value == "true")
    received = entry["receivedDateTime"]
    return received >= value if operator == "ge" else received <= value


def fits_search(entry, search):
    """Whether a message is found by a `$search`: by the words of its body, and by its sender."""
    words = re.search(r'body:\\"(.*?)\\"', search)
    sender = re.search(r'from:\\"(.*?)\\"', search)
    found = words is None or words[1].lower() in entry["body"]["content"].lower()
    return found and (sender is None or sender[1].lower() == entry["from"]["emailAddress"]["address"])
