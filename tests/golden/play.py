"""Plays one call: starts the mocks and the program, and collects all that was seen outside of it."""
import json
import os
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import mock_broker
from mock_graph import Graph
from mock_soar import Soar

#: Seconds that one call may take, on a busy machine.
LIMIT = 120
RESILIENT = {
    "host": "127.0.0.1",
    "org": "Golden",
    "api_key_id": "key",
    "api_key_secret": "soar-secret",
    "max_connection_retries": 1,
    "request_retry_delay": 0.05,
    "request_max_retries": 3,
    "stomp_host": "127.0.0.1",
    "num_workers": 4,
    "logfile": "",
}
EXCHANGE = {
    "tenant_id": "tenant",
    "client_id": "client",
    "client_secret": "graph-secret",
    "max_retries_total": 3,
    "max_retries_backoff_factor": 0.05,
    "timeout": 20,
}


@dataclass
class Seen:
    """What one call did."""

    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    graph: list = field(default_factory=list)
    tokens: list = field(default_factory=list)
    soar: list = field(default_factory=list)
    frames: list = field(default_factory=list)
    #: The frames that open a session with the broker: command and headers.
    opening: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    audit: list = field(default_factory=list)
    #: Texts of this run and what stands for them in the record.
    names: dict = field(default_factory=dict)


@dataclass
class Certificate:
    """The servers' certificate, and how they use it."""

    ca: Path
    tls: ssl.SSLContext

    @classmethod
    def create(cls, directory):
        ca, key = Path(directory, "ca.pem"), Path(directory, "key.pem")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        command += ["-subj", "/CN=golden", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", ca]
        subprocess.run(command, check=True, capture_output=True)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(ca, key)
        return cls(ca, tls)


class Play:
    """One call and the servers around it."""

    def __init__(self, call, binary, certificate):
        self.call, self.binary, self.certificate = call, binary, certificate
        self.graph = Graph(call.get("graph", []), **call.get("tenant", {}))
        self.soar = Soar(call.get("soar", []), **call.get("incident", {}))
        self.soar.dated = call.get("soar_dated", True)
        messages = [mock_broker.message(number, *given) for number, given in enumerate(call.get("messages", []), 1)]
        self.broker = mock_broker.Broker(messages, call.get("drop_at"))

    def run(self):
        servers = [self.graph, self.soar, self.broker]
        for server in servers:
            server.start(self.certificate.tls)
        try:
            with tempfile.TemporaryDirectory(prefix="golden-") as directory:
                return self.run_in(Path(directory))
        finally:
            for server in servers:
                server.stop()

    def run_in(self, directory):
        self.write_config(directory)
        for name, content in self.call.get("there", {}).items():
            (directory / name).write_text(content)
        seen = Seen()
        if self.call.get("messages"):
            self.daemon(directory, seen)
        else:
            self.invoke(directory, seen)
        seen.graph, seen.tokens, seen.soar = self.graph.requests, self.graph.token_requests, self.soar_requests()
        seen.frames, seen.opening = self.broker.frames, self.broker.opening
        seen.names = {
            str(directory): "<directory>",
            f"127.0.0.1:{self.graph.server.server_address[1]}": "<graph>",
            f"127.0.0.1:{self.soar.server.server_address[1]}": "<soar>",
            f"127.0.0.1:{self.broker.port}": "<broker>",
        }
        self.read_files(directory, seen)
        return seen

    def soar_requests(self):
        """Without the looks at the workflow, whose number depends on the time that a call takes."""
        return [request for request in self.soar.requests if "/workflow_instances/" not in request.target]

    def write_config(self, directory):
        resilient = RESILIENT | {
            "port": self.soar.server.server_address[1],
            "cafile": self.certificate.ca,
            "stomp_port": self.broker.port,
        }
        exchange = EXCHANGE | {
            "microsoft_graph_url": f"{self.graph.root}/v1.0",
            "microsoft_graph_token_url": f"{self.graph.root}/token/{{tenant}}",
            "verify": self.certificate.ca,
            "audit_file": directory / "audit.log",
        }
        sections = {
            "resilient": resilient | self.call.get("resilient", {}),
            "integrations": {},
            "fn_exchange_online": exchange | self.call.get("settings", {}),
        }
        lines = []
        for section, options in sections.items():
            lines += [f"[{section}]", *(f"{name}={value}" for name, value in options.items())]
        (directory / "app.config").write_text("\n".join(lines) + "\n")

    def environment(self, directory):
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return kept | {"HOME": str(directory), "TZ": "UTC", "USER": "golden", "LOGNAME": "golden", "TERM": "dumb"}

    def command(self, *arguments):
        return [self.binary, *arguments, "--config-file", "app.config"]

    def invoke(self, directory, seen):
        (directory / "inputs.json").write_text(json.dumps(self.call["inputs"]))
        command = self.command("invoke", self.call["function"], "--inputs", "inputs.json", *self.call.get("arguments", []))
        done = subprocess.run(command, cwd=directory, env=self.environment(directory), capture_output=True, timeout=LIMIT)
        seen.exit_code, seen.stdout, seen.stderr = done.returncode, done.stdout.decode(), done.stderr.decode()

    def daemon(self, directory, seen):
        """Runs the daemon until every message is acknowledged, and ends it."""
        log = directory / "stderr"
        with log.open("wb") as stderr:
            daemon = subprocess.Popen(
                self.command("run"), cwd=directory, env=self.environment(directory), stdout=subprocess.DEVNULL, stderr=stderr
            )
        end = time.monotonic() + LIMIT
        while not self.broker.done.wait(0.1) and daemon.poll() is None and time.monotonic() < end:
            pass
        daemon.terminate()
        try:
            seen.exit_code = daemon.wait(LIMIT)
        except subprocess.TimeoutExpired:
            daemon.kill()
        seen.stderr = log.read_text()
        log.unlink()

    @staticmethod
    def read_files(directory, seen):
        audit = directory / "audit.log"
        if audit.exists():
            seen.audit = [json.loads(line) for line in audit.read_text().splitlines()]
        for file in sorted(directory.iterdir()):
            if file.name not in ("app.config", "inputs.json", "audit.log"):
                seen.files[file.name] = file.read_bytes()
