"""Microsoft's published paths and types, as its Python client (PyPI: msgraph-sdk) has them.

A request builder of the client stands for a path; its methods, the names in its URL template and the type of its
`post` body say what the service documents for it.
"""

import importlib
import inspect
import json
import re
from datetime import datetime

from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
from kiota_serialization_json.json_serialization_writer_factory import JsonSerializationWriterFactory
from msgraph.generated.users.users_request_builder import UsersRequestBuilder

# Names of path segments that the client spells otherwise.
SPELLING = {"$value": "content"}
OPTION_NAMES = re.compile(r"\{[?&]([^}]*)\}")


class Unknown(Exception):
    """Something in a request that Microsoft does not publish."""


def builder_of(segments):
    """The request builder of a path below /v1.0, and the name of a property where the path ends in one."""
    if segments[:1] != ["users"]:
        raise Unknown(f"the path does not begin with users: {segments}")
    builder = UsersRequestBuilder(object(), {})
    for place, segment in enumerate(segments[1:], start=1):
        following = step(builder, segment)
        if following is None:
            if place == len(segments) - 1 and segment in properties(model_of_get(builder)):
                return builder, segment
            raise Unknown(f"no path segment {segment!r} below {'/'.join(segments[:place])}")
        builder = following
    return builder, None


def step(builder, segment):
    name = SPELLING.get(segment, snake(segment))
    if re.fullmatch(r"[A-Za-z$]+", segment) and isinstance(getattr(type(builder), name, None), property):
        return getattr(builder, name)
    items = [method for method in dir(builder) if re.fullmatch(r"by_\w+_id", method)]
    return getattr(builder, items[0])(segment) if items else None


def snake(name):
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: "_" + found[1].lower(), name)


def check(request):
    """Raises Unknown where the request has a path, method, option, selected property or body that is not published."""
    builder, selected = builder_of(request.segments)
    method = getattr(builder, request.method.lower(), None)
    if method is None:
        raise Unknown(f"{request.method} is not offered")
    check_options(builder, selected, request)
    if request.method in ("POST", "PATCH"):
        check_body(builder, method, request)


def check_options(builder, selected, request):
    known = {name.replace("%24", "$").rstrip("*") for group in OPTION_NAMES.findall(builder.url_template)
             for name in group.split(",")}
    # Pages are followed by the service's own link, with whatever token it has.
    known |= {"$skiptoken", "$skip"}
    for name in request.options:
        if name not in known and selected is None:
            raise Unknown(f"the query option {name} is not offered; offered are {sorted(known)}")
    names = request.options.get("$select")
    if names:
        unknown = set(names.split(",")) - properties(model_of_get(builder))
        if unknown:
            raise Unknown(f"$select names unknown properties: {sorted(unknown)}")


def model_of_get(builder):
    """The type of one object that a GET of this builder gives."""
    name = inspect.signature(builder.get).return_annotation
    model = named_type(builder, re.sub(r"^Optional\[|\]$|CollectionResponse", "", str(name)))
    return model


def properties(model):
    return set(model().get_field_deserializers()) if hasattr(model, "get_field_deserializers") else set()


def named_type(owner, name):
    """The type `name` that the module of `owner` imports for its annotations."""
    module = inspect.getmodule(type(owner))
    found = re.search(rf"from (\.+)(\S+) import {name}$", inspect.getsource(module), re.MULTILINE)
    if not found:
        name = name + "CollectionResponse"
        found = re.search(rf"from (\.+)(\S+) import {name}$", inspect.getsource(module), re.MULTILINE)
    if not found:
        raise Unknown(f"the client has no type {name}")
    imported = getattr(importlib.import_module(found[1] + found[2], module.__package__), name)
    if name.endswith("CollectionResponse"):
        return named_type(imported(), name.removesuffix("CollectionResponse"))
    return imported


def check_body(builder, method, request):
    parameters = [p for p in inspect.signature(method).parameters if p == "body"]
    if not parameters:
        if request.body:
            raise Unknown("a body is sent where none is defined")
        return
    if not request.body:
        return
    model = named_type(builder, str(inspect.signature(method).parameters["body"].annotation))
    sent = request.body
    node = JsonParseNodeFactory().get_root_parse_node(
        "application/json", json.dumps(respelled(sent, model)).encode())
    parsed = node.get_object_value(model)
    unknown = sorted(unpublished(parsed, ""))
    if unknown:
        raise Unknown(f"the body has unknown properties: {unknown}")
    writer = JsonSerializationWriterFactory().get_serialization_writer("application/json")
    parsed.serialize(writer)
    written = json.loads(writer.get_serialized_content() or b"{}")
    compare(sent, written, "")


def respelled(sent, model):
    """`sent` with the spelling of the metadata. The documentation writes parameters of actions with a small letter and the
    content type as HTML; the service takes either."""
    names = {name.lower(): name for name in properties(model)}
    body = {names.get(name.lower(), name): value for name, value in sent.items()}
    text = json.dumps(body)
    return json.loads(re.sub(r'"contentType": "(HTML|Text)"', lambda found: found[0].replace(found[1], found[1].lower()), text))


def unpublished(value, place):
    """The names that the client's types do not have, anywhere in `value`."""
    if isinstance(value, list):
        for entry in value:
            yield from unpublished(entry, place + "[]")
    elif hasattr(value, "get_field_deserializers"):
        extra = getattr(value, "additional_data", None) or {}
        yield from (f"{place}.{name}" for name in extra if not name.startswith("@odata."))
        for name, entry in vars(value).items():
            store = getattr(entry, "_BackingStore__store", None)
            if name == "backing_store":
                for key in list(entry.enumerate_()) if hasattr(entry, "enumerate_") else []:
                    if key[0] != "additional_data":
                        yield from unpublished(key[1], f"{place}.{key[0]}")
            elif name != "additional_data" and store is None:
                yield from unpublished(entry, f"{place}.{name}")


def compare(sent, written, place):
    """Raises Unknown where a value that was sent has another type than the published one, so that it got lost."""
    if isinstance(sent, dict):
        by_name = {name.lower(): value for name, value in (written or {}).items()}
        for name, value in sent.items():
            if value is not None and not name.startswith("@odata."):
                if name.lower() not in by_name:
                    raise Unknown(f"the value of {place}.{name} has not the published type")
                compare(value, by_name[name.lower()], f"{place}.{name}")
    elif isinstance(sent, list):
        if len(sent) != len(written or []):
            raise Unknown(f"the list {place} has not the published type")
        for one, other in zip(sent, written):
            compare(one, other, place + "[]")
    elif sent != written and not same(sent, written):
        raise Unknown(f"{place}: {sent!r} reads as {written!r}")


def same(sent, written):
    """Whether two spellings of an enum value or a time are the same."""
    if isinstance(sent, str) and isinstance(written, str):
        if sent.lower() == written.lower():
            return True
        try:
            return datetime.fromisoformat(sent) == datetime.fromisoformat(written)
        except ValueError:
            return False
    return False
