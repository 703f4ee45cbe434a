"""Turns what a call did into text that is the same in every run: times, ports, uuids and the like are replaced."""
import datetime
import hashlib
import itertools
import json
import re
import urllib.parse

import tenant
from mock_soar import form

#: Headers of HTTP itself, and of the client library.
DULL_HEADERS = {"host", "content-length", "user-agent", "accept-encoding", "connection", "transfer-encoding"}
#: What every request bears.
TO_SOAR = {"authorization": "Basic a2V5OnNvYXItc2VjcmV0", "accept": "*/*"}
TO_GRAPH = {"authorization": "Bearer token-1", "accept": "*/*", "client-request-id": "<uuid>"}
TOKEN = {"client_id": "client", "client_secret": "graph-secret", "scope": "https://<graph>/.default", "grant_type": "client_credentials"}
#: Requests to SOAR that only open the connection.
START = re.compile(r"GET /rest/(session\b|const$|orgs/201$|orgs/201/functions/)")
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?=[A-Z]+ \[)")
#: Lines that come every few seconds: how many depends on the machine.
PROGRESS = re.compile(r"(Searched|Deleted|Dealt with) \d+ of ")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: The mark's property. It must never change: mails that are on their way bear it.
PROPERTY = "8f7c1e52-6d0b-4c3a-a5c9-2b1f0e9d7a46"
TIME = re.compile(r"(\d{4}-\d\d-\d\d)([T ]\d\d[:-]\d\d(?:[:-]\d\d(?:[.,]\d+)?)?(?:Z|\+00:00)?)?")
MILLISECONDS = re.compile(r"\b1\d{12}\b")
LONGEST_TEXT = 1500
NO_RAILS = {
    "act": "guard rails in force",
    "version": "<version>",
    "max_deletions": 100,
    "max_deletions_per_hour": None,
    "max_plan_messages": 10000,
    "plan_lifetime": 86400,
    "four_eyes": False,
    "approval_required": False,
    "mailboxes_allowed": None,
    "mailboxes_denied": [],
    "mailboxes_denied_reading": [],
    "deletion": "recoverable",
    "hold": False,
    "dry_run": False,
}
WIDTH = 110


class Normaliser:
    def __init__(self, names, references):
        self.names = names
        self.references = references
        today = datetime.date.today()
        self.days = {str(today + datetime.timedelta(days=days)) for days in range(-3, 4)}
        now = int(datetime.datetime.now().timestamp() * 1000)
        self.now = range(now - 3 * 86_400_000, now + 3 * 86_400_000)

    def text(self, text):
        for name, stands_for in self.names.items():
            text = text.replace(name, stands_for)
        text = UUID.sub(self.uuid, text)
        text = TIME.sub(lambda found: "<time>" if found[1] in self.days else found[0], text)
        text = MILLISECONDS.sub(lambda found: "<ms>" if int(found[0]) in self.now else found[0], text)
        text = re.sub(r"\b(\w+_ms)=\d+", r"\1=<ms>", text)
        text = re.sub(r"\b(wait|after|in)=[\d.]+(ns|µs|ms|s)\b", r"\1=<wait>", text)
        text = re.sub(r'\bversion=("[^"]*"|\d+\.\d+\.\d+\S*)', "version=<version>", text)
        text = re.sub(r"Took (?:less than 1|[\d.]+) s", "Took <seconds> s", text)
        return re.sub(r"\(by hand, uid \d+\)", "(by hand, uid <uid>)", text)

    def uuid(self, found):
        if found[0] == PROPERTY:
            return found[0]
        return "<reference>" if found[0] in self.references else "<uuid>"

    def content(self, body):
        """Bytes as text, or their hash."""
        try:
            return shortened(self.text(body.decode()))
        except UnicodeDecodeError:
            return f"({len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]})"

    def value(self, value):
        """The same within JSON. Long texts are named by their hash."""
        if isinstance(value, dict):
            return {self.text(key): self.value(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.value(entry) for entry in value]
        if isinstance(value, str):
            return shortened(self.text(value))
        if isinstance(value, int) and not isinstance(value, bool) and value in self.now:
            return "<ms>"
        return value


def shortened(text):
    if len(text) <= LONGEST_TEXT:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[:80]}… ({len(text)} characters, sha256 {digest})"


def pretty(value, indent=0):
    """JSON, an entry a line; what fits on one line stays there."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or len(flat) + indent <= WIDTH:
        return flat
    inner, outer = " " * (indent + 2), " " * indent
    if isinstance(value, dict):
        entries = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {pretty(entry, indent + 2)}" for key, entry in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{outer}}}"
    return "[\n" + ",\n".join(inner + pretty(entry, indent + 2) for entry in value) + f"\n{outer}]"


def visible(text):
    """The same text with escapes for invisible characters."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)


def indented(lines, by=2):
    return [f"{' ' * by}{line}".rstrip() for line in lines]


def counted(blocks):
    """Blocks that follow each other and are the same, once. How many ranges of days there are depends on today, so
    requests for them are there once, wherever they were."""
    ranges = []
    for block, same in itertools.groupby(blocks):
        if any("<midnight>" in line for line in block):
            if block not in ranges:
                ranges.append(block)
                yield [f"{block[0]}  (for some ranges of days)", *block[1:]]
            continue
        times = len(list(same))
        yield [f"{block[0]}  ({times} times)" if times > 1 else block[0], *block[1:]]


class Record:
    """The text of one call."""

    def __init__(self, call, seen):
        self.call, self.seen = call, seen
        self.normaliser = Normaliser(seen.names, self.references())
        self.lines = []

    def references(self):
        """The references of the calls, by the ids that the audit trail names."""
        ids = {line.get("correlation_id") for line in self.seen.audit} | {headers["message-id"] for headers in self.delivered()}
        return {tenant.reference(known) for known in ids if known}

    def delivered(self):
        numbers = range(1, len(self.call.get("messages", [])) + 1)
        return [{"message-id": f"ID:soar.example-{number}"} for number in numbers]

    def section(self, title, lines):
        if lines:
            self.lines += [f"{title}:", *lines]

    def text(self):
        seen = self.seen
        self.lines.append(f"exit code: {seen.exit_code}")
        log, screen = self.split_stderr()
        self.section("screen", indented(screen))
        if self.call.get("start"):
            frames = [(command, {name: value for name, value in sorted(headers.items()) if name != "receipt"}) for command, headers in seen.opening]
            self.section("opening frames", [self.normaliser.text(f"  {command} {json.dumps(headers)}") for command, headers in frames])
        if self.call.get("messages"):
            self.section("frames", self.frames())
        elif seen.stdout:
            self.section("result", indented(pretty(self.result(json.loads(seen.stdout), self.call["inputs"])).splitlines()))
        concurrent = self.is_concurrent()
        in_order = sorted if concurrent or self.call.get("unordered") else list
        self.section("token requests", in_order(self.token(request) for request in seen.tokens))
        self.section("graph (side by side, sorted)" if concurrent else "graph", self.requests(in_order, seen.graph))
        soar = seen.soar if self.call.get("start") else [r for r in seen.soar if not START.match(f"{r.method} {r.target}")]
        self.section("soar", self.requests(in_order, soar))
        self.section("files", self.files())
        self.section("audit", in_order(self.audit()))
        self.section("log", [] if self.call.get("no_log") else in_order(f"  {line}" for line in log))
        return visible("\n".join(line.rstrip() for line in self.lines)) + "\n"

    def is_concurrent(self):
        """Whether requests went side by side: there were batches, or several mailboxes."""
        mailboxes = {request.path.split("/")[3] for request in self.seen.graph if request.path.startswith("/v1.0/users/")}
        return len(mailboxes) > 1 or any(request.batched for request in self.seen.graph)

    def split_stderr(self):
        """The log's lines, and what else is on the screen."""
        log, screen = [], []
        for line in self.seen.stderr.splitlines():
            if PROGRESS.search(line) and "[audit]" not in line:
                continue
            found = LOG_LINE.match(line)
            (log if found else screen).append(self.normaliser.text(line[found.end() :] if found else line))
        if self.call.get("messages"):
            log = [line for line in log if re.search(r" (correlation_id|message_id|function)=", line)] if not self.call.get("start") else log
        return log, screen

    def result(self, result, inputs):
        """The result payload, without what only repeats something else."""
        if not isinstance(result, dict):
            return self.normaliser.value(result)
        shown, content = dict(result), result.get("content")
        if "raw" in shown and shown["raw"] == json.dumps(content, ensure_ascii=False, separators=(",", ":")):
            shown["raw"] = "<content>"
        for ordered in (False, True):
            if "pretty_string" in shown and shown["pretty_string"] == json.dumps(content, ensure_ascii=False, indent=4, sort_keys=ordered):
                shown["pretty_string"] = f"<content, indented{', keys sorted' if ordered else ''}>"
        if shown.get("inputs") == inputs:
            shown["inputs"] = "<inputs>"
        if "metrics" in shown:
            shown["metrics"] = metrics(shown["metrics"])
        return self.normaliser.value(shown)

    def token(self, request):
        fields = self.normaliser.value(dict(urllib.parse.parse_qsl(request.body.decode())))
        return f"  {request.method} {request.target} {'(client secret)' if fields == TOKEN else json.dumps(fields)}"

    def requests(self, in_order, requests):
        return [line for block in counted(in_order(self.request(request) for request in requests)) for line in block]

    def request(self, request):
        path, _, query = request.target.partition("?")
        lines = [f"  {'(batched) ' if request.batched else ''}{request.method} {path}"]
        lines += sorted(f"    ? {option if '+' in option else urllib.parse.unquote(option)}" for option in query.split("&") if option)
        if self.call.get("any_top"):
            lines = [re.sub(r"\$top=\d+", "$top=<number>", line) for line in lines]
        if not self.call.get("inputs", {}).keys() & {"exo_start_date", "exo_end_date"}:
            # A search without dates is divided into ranges around today.
            lines = [re.sub(r"\d{4}-\d\d-\d\dT00:00:00Z", "<midnight>", line) for line in lines]
        if not request.batched:
            lines += self.headers(request)
        elif request.headers:
            lines.append(f"    {json.dumps(request.headers)}")
        lines = [self.normaliser.text(line) for line in lines]
        return lines + indented(self.body(request).splitlines(), 4)

    def headers(self, request):
        """Those that are not as usual."""
        usual = TO_SOAR if request.target.startswith("/rest/") else TO_GRAPH
        found = {name: self.normaliser.text(value) for name, value in sorted(request.headers.items()) if name not in DULL_HEADERS}
        found = {name: value for name, value in found.items() if not value.startswith("multipart/form-data")}
        lines = [f"    {name}: {value}" for name, value in found.items() if value != usual.get(name)]
        return lines + [f"    (no {name})" for name in usual if name not in found]

    def body(self, request):
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            name, media_type, content = form(request) or ("", None, b"")
            return f"file {self.normaliser.text(name)!r} ({media_type}):\n{self.normaliser.content(content)}"
        if request.body and request.json is not None:
            return pretty(self.normaliser.value(request.json))
        return self.normaliser.content(request.body)

    def frames(self):
        blocks = [self.frame(*frame) for frame in self.seen.frames]
        if len(self.call["messages"]) > 1:
            # Calls run side by side; each one's frames keep their order.
            blocks.sort(key=lambda block: block[0])
        return [line for number, block in blocks if block for line in block]

    def frame(self, command, headers, body):
        kept = {name: value for name, value in sorted(headers.items()) if name not in ("content-length", "receipt", "transaction")}
        group = headers.get("correlation-id", headers.get("id", "")).rpartition(":" if command == "SEND" else "-")[2]
        lines = [f"  {command}{' (in a transaction)' if 'transaction' in headers else ''} {json.dumps(kept)}"]
        if body:
            reply = json.loads(body)
            if PROGRESS.search(reply.get("message") or ""):
                return group, []
            if "results" in reply:
                number = int(group) if group.isdigit() else 1
                sent = self.call["messages"][number - 1][0]
                reply["results"] = self.result(reply["results"], sent.get("inputs") if isinstance(sent, dict) else None)
            lines += indented(pretty(self.normaliser.value(reply)).splitlines(), 4)
        return group, [self.normaliser.text(line) for line in lines]

    def files(self):
        lines = []
        for name, content in self.seen.files.items():
            lines += [f"  {self.normaliser.text(name)}", *indented(self.normaliser.content(content).splitlines(), 4)]
        return lines

    def audit(self):
        """The audit trail's lines. Which intents share a line is chance, so each has its own here, with its keys in the place where a line of its own has them. That no guard rail is in force stands in one record only."""
        lines = [{"act": line.get("act")} | part | line for line in self.seen.audit for part in line.pop("batch", [{}])]
        lines = [{name: value for name, value in line.items() if name not in ("time", "intent", "prev")} for line in lines]
        lines = [line | {"version": "<version>"} if "version" in line else line for line in lines]
        shown = [line for line in lines if self.call.get("start") or line != NO_RAILS]
        return ["  " + json.dumps(self.normaliser.value(line), ensure_ascii=False) for line in shown]


def metrics(found):
    """The metrics, as far as they are the same everywhere."""
    kinds = {"version": str, "package": str, "package_version": str, "host": str, "execution_time_ms": int, "timestamp": str}
    right = list(found) == list(kinds) and all(isinstance(found[name], kind) for name, kind in kinds.items())
    return "<metrics>" if right and found["package"] == "fn-exchange-online" and found["version"] == "1.0" else found
