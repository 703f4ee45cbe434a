"""Runs one script as SOAR does: reads it and its objects as JSON from standard input, and writes what it did as JSON.

The objects are stand-ins for those of SOAR's script editor ("incident", "row", "artifact", "task", "inputs",
"results", "rule", "workflow", "playbook", "principal", "helper"). An attribute that SOAR does not know is an error.
"""

import json
import sys
import traceback


class Failed(Exception):
    """The script called helper.fail."""


class Fields(object):
    """An object with these fields and no others."""

    def __init__(self, what, values):
        self.__dict__["_what"] = what
        self.__dict__["_values"] = values
        self.__dict__["_changed"] = {}

    def __getattr__(self, name):
        if name not in self._values:
            raise AttributeError("%s has no field %s" % (self._what, name))
        return self._values[name]

    def __setattr__(self, name, value):
        if name not in self._values:
            raise AttributeError("%s has no field %s" % (self._what, name))
        self._values[name] = value
        self._changed[name] = value

    def __getitem__(self, name):
        return getattr(self, name)

    def __setitem__(self, name, value):
        setattr(self, name, value)


class Results(dict):
    """The results of a function: a field that is not there is empty, as in SOAR's Python 3."""

    def __getattr__(self, name):
        return self.get(name)


class Text(object):
    """Rich or plain text."""

    def __init__(self, format, content):
        self.format = format
        self.content = content


class Helper(object):
    def createRichText(self, content):
        return Text("html", content)

    def createPlainText(self, content):
        return Text("text", content)

    def fail(self, message="The script failed."):
        raise Failed(message)


class Incident(Fields):
    def __init__(self, values, tables):
        Fields.__init__(self, "the incident", values)
        self.__dict__["_tables"] = tables
        self.__dict__["notes"] = []
        self.__dict__["rows"] = []
        self.__dict__["artifacts"] = []
        self.__dict__["tasks"] = []

    def addNote(self, note):
        text = note if isinstance(note, Text) else Text("text", note)
        self.notes.append(as_json(text))

    def addRow(self, table):
        if table not in self._tables:
            raise AttributeError("the incident has no data table %s" % table)
        row = Fields("a row of %s" % table, dict.fromkeys(self._tables[table]))
        self.rows.append((table, row))
        return row

    def addArtifact(self, kind, value, description=""):
        self.artifacts.append({"kind": kind, "value": value, "description": as_text(description)})


    def addTask(self, name, phase, instructions=""):
        self.tasks.append({"name": name, "phase": phase, "instructions": as_text(instructions)})


class Attributes(object):
    """An object with plain attributes."""

    def __init__(self, **values):
        self.__dict__.update(values)


def as_json(value):
    if isinstance(value, Text):
        return {"format": value.format, "content": value.content}
    return value


def as_text(value):
    return value.content if isinstance(value, Text) else value


def as_object(value):
    """A cell or a field as a script reads it."""
    if isinstance(value, dict) and set(value) == {"format", "content"}:
        return Text(value["format"], value["content"])
    return value


def scope_of(task, incident):
    scope = {"incident": incident, "helper": Helper(), "principal": Fields("the principal", task["principal"])}
    form = Fields("the form", {name: as_object(value) for name, value in task["form"].items()})
    earlier = Fields("the process", {name: Results(value) for name, value in task["earlier"].items()})
    if task["playbook"]:
        scope["playbook"] = Attributes(inputs=form, functions=Attributes(results=earlier))
    else:
        scope["rule"] = Attributes(properties=form)
        scope["workflow"] = Attributes(properties=earlier)
        if task["results"] is not None:
            scope["results"] = Results(task["results"])
    if task["row"] is not None:
        scope["row"] = Fields("the row", {name: as_object(value) for name, value in task["row"].items()})
    if task["artifact"] is not None:
        scope["artifact"] = Fields("the artifact", task["artifact"])
    if task["task"] is not None:
        fields = dict(task["task"], instructions=Text("html", task["task"]["instructions"]))
        scope["task"] = Fields("the task", fields)
    if task["inputs"] is not None:
        scope["inputs"] = Fields("the inputs", task["inputs"])
    return scope


def main():
    task = json.load(sys.stdin)
    incident = Incident(task["incident"], task["tables"])
    scope = scope_of(task, incident)
    done = {"failed": None}
    # What a script prints is not its result.
    results, sys.stdout = sys.stdout, sys.stderr
    try:
        exec(compile(task["script"], "<script>", "exec"), scope)
    except Failed as failed:
        done["failed"] = str(failed)
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<script>"]
        place = "line %s: " % lines[-1] if lines else ""
        done["failed"] = "%s%s: %s" % (place, type(error).__name__, error)
    row = scope.get("row")
    done["notes"] = incident.notes
    done["rows"] = [
        {"table": table, "cells": {name: as_json(value) for name, value in one._changed.items()}}
        for table, one in incident.rows
    ]
    done["artifacts"] = incident.artifacts
    done["tasks"] = incident.tasks
    inputs = scope.get("inputs")
    done["inputs"] = {name: as_text(value) for name, value in (inputs._values if inputs else {}).items()}
    done["row"] = {name: as_json(value) for name, value in (row._changed if row else {}).items()}
    json.dump(done, results)


main()
