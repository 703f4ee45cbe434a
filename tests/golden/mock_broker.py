"""A minimal STOMP 1.2 broker over TLS: one queue, transactions, receipts and heart-beats."""
import json
import re
import socket
import threading
import time

ESCAPES = {"\\": "\\\\", "\r": "\\r", "\n": "\\n", ":": "\\c"}
QUEUE = "actions.201.fn_exchange_online"


def escaped(text):
    return "".join(ESCAPES.get(character, character) for character in text)


def unescaped(text):
    plain = {"r": "\r", "n": "\n", "c": ":", "\\": "\\"}
    return re.sub(r"\\(.)", lambda found: plain[found[1]], text)


def frame(command, headers, body=b""):
    lines = [command, *(f"{escaped(name)}:{escaped(value)}" for name, value in headers.items())]
    return "\n".join(lines).encode() + b"\n\n" + body + b"\0"


def read_frame(stream):
    """Command, headers and body; None at the end. Heart-beats are skipped."""
    line = stream.readline()
    while line == b"\n":
        line = stream.readline()
    if not line:
        return None
    command, headers = line.strip().decode(), {}
    while line := stream.readline().rstrip(b"\r\n"):
        name, _, value = line.decode().partition(":")
        headers.setdefault(unescaped(name), unescaped(value))
    if "content-length" in headers:
        body = stream.read(int(headers["content-length"]) + 1)[:-1]
    else:
        body = b"".join(iter(lambda: stream.read(1), b"\0"))
    return command, headers, body


class Broker:
    """Hands out `messages` (headers and body) until they are acknowledged.

    `drop_at`: the connection is cut once, at the first frame of that kind (SEND, BEGIN, COMMIT) after a delivery.
    """

    def __init__(self, messages, drop_at=None):
        #: Whether the messages have their time: they are sent when the first connection has subscribed.
        self.stamped = False
        self.waiting = [{"headers": headers, "body": body, "redelivered": False} for headers, body in messages]
        self.drop_at = drop_at
        self.lock = threading.Lock()
        #: What was committed or sent outside of a transaction, in order: ("SEND" or "ACK", headers, body).
        self.frames = []
        #: The frames that open a session: command and headers.
        self.opening = []
        self.done = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.tls = None
        self.closed = False

    def start(self, tls):
        self.tls = tls
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.closed = True
        self.socket.close()

    def accept(self):
        while not self.closed:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.tls.wrap_socket(connection, server_side=True) as secure:
                Session(self, secure).run()
        except (OSError, ValueError):
            pass  # the client left

    def acknowledged(self, ack):
        self.waiting = [message for message in self.waiting if message["headers"]["ack"] != ack]
        if not self.waiting:
            self.done.set()


class Session:
    """One connection of a client."""

    def __init__(self, broker, connection):
        self.broker, self.connection = broker, connection
        self.stream = connection.makefile("rb")
        self.write_lock = threading.Lock()
        self.transactions = {}
        self.delivered = False

    def run(self):
        beats = threading.Event()
        try:
            while received := read_frame(self.stream):
                command, headers, body = received
                if self.delivered and command == self.broker.drop_at:
                    self.broker.drop_at = None
                    return
                if command in ("CONNECT", "STOMP", "SUBSCRIBE"):
                    self.broker.opening.append((command, headers))
                if command in ("CONNECT", "STOMP"):
                    self.greet(headers, beats)
                else:
                    self.act(command, headers, body)
                if "receipt" in headers:
                    self.write(frame("RECEIPT", {"receipt-id": headers["receipt"]}))
        finally:
            beats.set()
            for message in self.broker.waiting:
                message["redelivered"] = message["redelivered"] or self.delivered

    def write(self, data):
        with self.write_lock:
            self.connection.sendall(data)

    def greet(self, headers, beats):
        sends, wants = headers.get("heart-beat", "0,0").split(",")
        started = int(time.time() * 1000) - 86_400_000  # the broker's own start, a day ago
        session = f"ID:broker.example-40000-{started}-2:1"
        self.write(frame("CONNECTED", {"version": "1.2", "server": "ActiveMQ/5.18.3", "session": session, "heart-beat": f"{wants},{sends}"}))
        if int(wants):
            threading.Thread(target=self.beat, args=(int(wants) / 2000, beats), daemon=True).start()

    def beat(self, every, ended):
        while not ended.wait(every):
            try:
                self.write(b"\n")
            except (OSError, ValueError):
                return

    def act(self, command, headers, body):
        if command == "SUBSCRIBE":
            self.subscribe(headers)
        elif command == "BEGIN":
            self.transactions[headers["transaction"]] = []
        elif command == "ABORT":
            self.transactions.pop(headers["transaction"], None)
        elif command == "COMMIT":
            for done in self.transactions.pop(headers["transaction"]):
                self.carry_out(*done)
        elif command in ("SEND", "ACK", "NACK"):
            transaction = headers.get("transaction")
            if transaction is None:
                self.carry_out(command, headers, body)
            else:
                self.transactions[transaction].append((command, headers, body))

    def carry_out(self, command, headers, body):
        with self.broker.lock:
            self.broker.frames.append((command, headers, body))
            if command == "ACK":
                self.broker.acknowledged(headers["id"])

    def subscribe(self, headers):
        if headers["destination"].removeprefix("/queue/") != QUEUE or "selector" in headers:
            return
        if not self.broker.stamped:
            # A Date names whole seconds: only a message of the next second is surely younger than the connection.
            self.broker.stamped = True
            time.sleep(1.5)
            for message in self.broker.waiting:
                message["headers"].setdefault("timestamp", str(int(time.time() * 1000)))
        self.delivered = True
        for message in self.broker.waiting:
            headers_of_message = {name: value for name, value in message["headers"].items() if value is not None}
            marked = {"redelivered": "true"} if message["redelivered"] else {}
            own = {"subscription": headers["id"], "destination": f"/queue/{QUEUE}", "content-length": str(len(message["body"]))}
            self.write(frame("MESSAGE", own | headers_of_message | marked, message["body"]))


def message(number, body, headers=None, age=None):
    """A message of SOAR's, `age` seconds old; without an age it is sent after the connection was made, so that it was
    surely never run before."""
    own = {
        "message-id": f"ID:soar.example-{number}",
        "ack": f"ID:ack-{number}",
        "reply-to": "/queue/acks.201.fn_exchange_online",
        "correlation-id": f"invid:{number}",
        "expires": "0",
        "persistent": "true",
        "priority": "4",
        "Co3ContentType": "application/json",
        "Co3MessagePayload": "FunctionDataDTO",
    }
    if age is not None:
        own["timestamp"] = str(int((time.time() - age) * 1000))
    merged = {name: value for name, value in (own | (headers or {})).items() if value is not None or name == "timestamp"}
    return merged, body if isinstance(body, bytes) else json.dumps(body).encode()
