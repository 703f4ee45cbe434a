"""Stand-ins for what SOAR gives a script: as strict as SOAR is about names, and no kinder than its documentation.

They work in Python 3 and in Python 2.7, which SOAR's older script language is.
"""

import io
import json
import os

CUSTOMIZE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "customize")
TABLE = "exo_message_query_results_dt"


def read(*path):
    with io.open(os.path.join(CUSTOMIZE, *path), encoding="utf-8") as file:
        return file.read()


def source(*path):
    return json.loads(read(*path))


def sources(directory):
    return [source(directory, name) for name in sorted(os.listdir(os.path.join(CUSTOMIZE, directory)))
            if name.endswith(".json")]


class Strict(object):
    """Has these attributes and takes no others."""

    def __init__(self, names, **values):
        self.__dict__["values"] = dict.fromkeys(names)
        for name, value in values.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError("SOAR knows no " + name + " here")

    def __setattr__(self, name, value):
        if name not in self.values:
            raise AttributeError("SOAR knows no " + name + " here")
        self.values[name] = value


class Row(Strict):
    """A row of the data table."""

    def __init__(self, **values):
        columns = source("data_table.json")["columns"]
        Strict.__init__(self, [column["field"]["name"] for column in columns], **values)


class RichText(object):
    def __init__(self, content):
        self.content = content


class Helper(object):
    def createRichText(self, content):
        return RichText(content)


class Incident(object):
    """The incident; remembers what scripts add to it."""

    id = 2095

    def __init__(self):
        self.notes = []
        self.rows = []
        self.artifacts = []

    def addNote(self, note):
        assert isinstance(note, RichText)
        self.notes.append(note.content)

    def addRow(self, table):
        assert table == TABLE
        self.rows.append(Row())
        return self.rows[-1]

    def addArtifact(self, kind, value, description):
        self.artifacts.append((kind, value, description))


class Results(object):
    """A function's results: attributes and brackets, nothing else."""

    def __init__(self, **values):
        self.__dict__.update(reason=None)
        self.__dict__.update(values)

    def __getitem__(self, name):
        return self.__dict__[name]


class Holder(object):
    def __init__(self, properties):
        self.properties = properties


class ScriptHost(object):
    """Where scripts run: an incident, and what else the object type gives them."""

    def __init__(self, row=None, artifact=None):
        self.incident = Incident()
        self.row = row
        self.artifact = artifact
        self.workflow = {}

    def scope(self, **more):
        scope = {"incident": self.incident, "helper": Helper()}
        if self.row is not None:
            scope["row"] = self.row
        if self.artifact is not None:
            scope["artifact"] = Strict(["value", "type"], value=self.artifact)
        scope.update(more)
        return scope

    def ask(self, workflow, step=0, own=None, **form):
        """Runs a function's pre-processing; returns the inputs it set. `own` are the function's inputs before."""
        workflow = load(workflow)
        step = workflow["functions"][step]
        names = source("functions", step["function"] + ".json")["inputs"]
        inputs = Strict(names, **(own or {}))
        rule = Holder(Strict(form_of(workflow["name"]), **form))
        run(step["pre_processing"], self.scope(inputs=inputs, rule=rule, workflow=self.results_so_far()))
        return dict((name, value) for name, value in inputs.values.items() if value is not None)

    def answer(self, workflow, step=0, **results):
        """Runs a function's post-processing on these results."""
        step = load(workflow)["functions"][step]
        scope = self.scope(results=Results(**results), workflow=self.results_so_far())
        run(step["post_processing"], scope)

    def results_so_far(self):
        return Holder(Strict(list(self.workflow), **self.workflow))


def load(workflow):
    return source("workflows", "example_exchange_online_" + workflow, "workflow.json")


def form_of(workflow):
    """The fields in the form of the rule that runs the workflow."""
    rules = [rule for rule in sources("rules") if rule["runs"].get("workflow") == workflow]
    return [item for rule in rules for item in rule.get("form", []) if not isinstance(item, dict)]


def run(files, scope):
    """Runs the script that these files make one after the other, as in the export."""
    text = u"\n\n".join(read(*file.split("/")) for file in files)
    exec(compile(text, files[-1], "exec"), scope)


def not_found(message="The specified object was not found in the store."):
    """Graph's answer for a message that is not there."""
    return {"error": {"code": "ErrorItemNotFound", "message": message}}
