"""Reads the requests to Microsoft Graph from the golden records (tests/golden/expected)."""

import json
import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

RECORDS = Path(__file__).resolve().parent.parent / "golden" / "expected"
REQUEST = re.compile(r"^  (\(batched\) )?(GET|POST|PATCH|PUT|DELETE) /v1\.0(/\S*)")


@dataclass
class Request:
    """A request: where it is recorded, method, path segments (decoded), query options, body."""

    place: str
    method: str
    segments: list
    options: dict = field(default_factory=dict)
    body: object = None


def requests():
    """All recorded requests to Graph, except the envelope of a batch."""
    for file in sorted(RECORDS.glob("*.txt")):
        lines = file.read_text(encoding="utf-8").splitlines()
        yield from (request for request in read(file.stem, lines) if request.segments != ["$batch"])


def read(name, lines):
    number = 0
    while number < len(lines):
        found = REQUEST.match(lines[number])
        number += 1
        if not found:
            continue
        # A principal name that begins with a dollar sign stands in parentheses (Graph page "Get a user").
        path = re.sub(r"^/users\('([^']*)'\)", r"/users/\1", urllib.parse.unquote_plus(found[3])) \
            if found[3].startswith("/users(") else found[3]
        segments = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        request = Request(f"{name}.txt:{number}", found[2], segments)
        text = []
        while number < len(lines) and lines[number].startswith("    "):
            text.append(lines[number][4:])
            number += 1
        take_details(request, text)
        yield request


def take_details(request, text):
    for place, line in enumerate(text):
        if line.startswith("? "):
            name, _, value = line[2:].partition("=")
            request.options[name] = value
        elif line.startswith("{"):
            body = "\n".join(text[place:])
            # A body that is too long for the record is shortened there and is not JSON.
            # Notes about the answer may follow the body.
            value = json.JSONDecoder().raw_decode(body)[0] if "… (" not in body else None
            if is_headers(value):
                continue
            request.body = value
            return


def is_headers(value):
    """Whether the record of a part of a batch shows its headers here, and not its body."""
    return bool(value) and set(value) <= {"content-type", "prefer", "consistencylevel"}
