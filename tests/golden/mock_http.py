"""An HTTPS server on 127.0.0.1 that records every request and answers by rules or by a default."""
import base64
import fnmatch
import json
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def compact(value):
    """JSON as the services write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass
class Request:
    """A request as it came. Parts of a batch are requests, too."""

    method: str
    target: str
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    batched: bool = False

    @property
    def path(self):
        """The decoded path."""
        return urllib.parse.unquote(self.target.partition("?")[0])

    @property
    def query(self):
        """The decoded options of the query."""
        return dict(urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass
class Answer:
    """What is answered; `cut` closes the connection instead, `truncate` closes it within the body."""

    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    truncate: int | None = None
    delay: float = 0

    @classmethod
    def of(cls, value=None, status=200, **headers):
        """JSON, or nothing."""
        body = b"" if value is None else compact(value)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, ({"Content-Type": "application/json"} if body else {}) | named, body)


class Rules:
    """The exceptions of one call, each for requests that match `on` (and hold `body`), at most `times` of them."""

    def __init__(self, rules):
        self.rules = [dict(rule, left=rule.get("times", 10**9)) for rule in rules]

    def pick(self, request):
        """The first rule that fits, or None. The caller holds the lock."""
        for rule in self.rules:
            if rule["left"] > 0 and self.fits(rule["on"], request) and rule.get("body", "").encode() in request.body:
                rule["left"] -= 1
                return rule
        return None

    @staticmethod
    def fits(pattern, request):
        method, _, rest = pattern.partition(" ")
        path, _, query = rest.partition("?")
        asked = urllib.parse.unquote(request.target.partition("?")[2])
        met = fnmatch.fnmatchcase(request.path.removeprefix("/v1.0"), path.replace("[", "[[]"))
        return met and fnmatch.fnmatchcase(request.method, method) and query in asked


def answer_by_rule(rule, fill):
    """The answer that a rule names; `fill` puts the servers' addresses in."""
    headers = {name: fill(value) for name, value in rule.get("headers", {}).items()}
    if "json" in rule:
        body = fill(compact(rule["json"]).decode()).encode()
        headers.setdefault("Content-Type", "application/json")
    elif "b64" in rule:
        body = base64.b64decode(rule["b64"])
    else:
        body = fill(rule.get("text", "")).encode()
    return Answer(rule.get("status", 200), headers, body, rule.get("cut", False), rule.get("truncate"), rule.get("delay", 0))


class Mock:
    """What one server knows: its rules, what was asked, and (in subclasses) its own answers."""

    def __init__(self, rules):
        self.rules = Rules(rules)
        self.lock = threading.RLock()
        self.requests = []
        self.root = ""
        self.server = None
        #: Whether answers have a Date, by which the daemon measures the difference of the clocks.
        self.dated = True

    def start(self, tls):
        self.server = Server(self, tls)
        self.root = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def fill(self, text):
        return text.replace("{root}", self.root)

    def handle(self, request):
        with self.lock:
            self.requests.append(request)
        return self.decide(request)

    def decide(self, request):
        """By the first rule that fits, else the default. A rule with `done` answers after the default was carried out."""
        with self.lock:
            rule = self.rules.pick(request)
            default = self.default(request) if rule is None or rule.get("done") else None
            return default if rule is None else answer_by_rule(rule, self.fill)

    def default(self, request):
        raise NotImplementedError


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, mock, tls):
        self.mock, self.tls = mock, tls
        super().__init__(("127.0.0.1", 0), Handler)

    def get_request(self):
        connection, address = self.socket.accept()
        # The handshake is made by the connection's own thread, with its first read.
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, client_address):
        """Clients that leave are no error."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        """Nothing is logged."""

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                raise ValueError("the client left within its request")
            return body
        body = b""
        while True:
            line = self.rfile.readline()
            size = int(line.split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def serve(self):
        try:
            body = self.read_body()
        except ValueError:  # such a request does not count
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.mock.handle(Request(self.command, self.path, headers, body))
        time.sleep(answer.delay)
        if answer.cut:
            self.close_connection = True
            return
        self.write(answer)

    def write(self, answer):
        lines = [f"HTTP/1.1 {answer.status} Mock"]
        if self.server.mock.dated:
            lines.append(f"Date: {formatdate(usegmt=True)}")
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if answer.status != 204:
            lines.append(f"Content-Length: {len(answer.body)}")
        body = answer.body[: answer.truncate]
        self.close_connection = self.close_connection or len(body) < len(answer.body)
        self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve
