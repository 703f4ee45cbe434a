"""Stand-ins for what SOAR gives a script: as strict as SOAR is about names, and no kinder than its documentation.

They work in Python 3 and in Python 2.7, which SOAR's older script language is.
"""

import io
import json
import os
import re

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


def lines(note):
    """The lines of a note, without the markup that makes them."""
    pieces = re.split(u"<br>|</?ul>|</?li>", note)
    return [re.sub(u"</?b>|</?span[^>]*>", u"", piece) for piece in pieces if piece]


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


class Failed(Exception):
    """A script has ended the run, with a sentence for the analyst."""


class Helper(object):
    def createRichText(self, content):
        return RichText(content)

    def fail(self, reason):
        raise Failed(reason)


class Incident(object):
    """The incident; remembers what scripts add to it."""

    id = 2095

    def __init__(self):
        self.notes = []
        self.rows = []
        self.artifacts = []
        self.tasks = []

    def addNote(self, note):
        assert isinstance(note, RichText)
        self.notes.append(note.content)

    def addRow(self, table):
        assert table == TABLE
        self.rows.append(Row())
        return self.rows[-1]

    def addArtifact(self, kind, value, description):
        self.artifacts.append((kind, value, description))

    def addTask(self, name, phase, instructions):
        assert phase == "Initial"
        self.tasks.append((name, instructions))


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


class Workflows(object):
    """How a workflow runs the scripts of its functions."""

    def __init__(self, name):
        workflow = load(name)
        self.name = workflow["name"]
        self.functions = workflow["functions"]

    def before(self, step, scope, form, results):
        scope.update(rule=Holder(form), workflow=Holder(named(results)))
        run(self.functions[step]["pre_processing"], scope)

    def after(self, step, scope, results, earlier, form):
        scope.update(results=results, rule=Holder(form), workflow=Holder(named(earlier)))
        run(self.functions[step]["post_processing"], scope)


class Playbooks(object):
    """How the playbook with the form of the workflow's rule runs its scripts: one before a function, one after it."""

    def __init__(self, name):
        self.name = load(name)["name"]
        rules = [rule["name"] for rule in sources("rules") if rule["runs"].get("workflow") == self.name]
        self.playbook, = [playbook for playbook in playbooks() if playbook["rule"] in rules]
        self.steps = self.playbook["steps"]
        self.functions = [step for step in self.steps if "function" in step]

    def before(self, step, scope, form, results):
        for name, value in form.values.items():
            if isinstance(value, list):  # a collection, but no list
                form.values[name] = tuple(value)
        scope.update(playbook=Playbook(form, results))
        run(self.functions[step]["inputs"], scope)

    def after(self, step, scope, results, earlier, form):
        function = self.functions[step]
        following = self.steps[self.steps.index(function) + 1:]
        results = dict(earlier, **{str(function["result_name"]): results})
        scope.update(playbook=Playbook(form, results))
        run(following[0]["text"], scope)


class Playbook(object):
    """What a script of a playbook sees of it."""

    def __init__(self, form, results):
        self.inputs = form
        self.functions = type("Functions", (object,), {"results": named(results)})


class ScriptHost(object):
    """Where scripts run: an incident, and what else the object type gives them."""

    kind = Workflows

    def __init__(self, row=None, artifact=None, task=None):
        self.incident = Incident()
        self.row = row
        self.artifact = artifact
        self.task = task
        self.workflow = {}

    def scope(self, **more):
        scope = {"incident": self.incident, "helper": Helper()}
        if self.row is not None:
            scope["row"] = self.row
        if self.artifact is not None:
            scope["artifact"] = Strict(["value", "type"], value=self.artifact)
        if self.task is not None:
            name, instructions = self.task
            scope["task"] = Strict(["id", "name", "instructions"], name=name, instructions=RichText(instructions))
        scope["principal"] = Strict(["id", "name", "display_name", "type"], name="olga@corp.example")
        scope.update(more)
        return scope

    def ask(self, workflow, step=0, own=None, **form):
        """Runs the script before a function; returns the inputs it set. `own` are the function's inputs before."""
        process = self.kind(workflow)
        names = source("functions", process.functions[step]["function"] + ".json")["inputs"]
        inputs = Strict(names, **(own or {}))
        self.inputs = inputs  # also where the script ends the run
        process.before(step, self.scope(inputs=inputs), Strict(form_of(process.name), **form), self.workflow)
        assert not any(isinstance(value, tuple) for value in inputs.values.values())
        return dict((name, value) for name, value in inputs.values.items() if value is not None)

    def answer(self, workflow, step=0, form=None, **results):
        """Runs the script after a function on these results."""
        process = self.kind(workflow)
        form = Strict(form_of(process.name), **(form or {}))
        process.after(step, self.scope(), Results(**results), self.workflow, form)


def named(results):
    """The results so far, by their names."""
    return Strict(list(results), **results)


def playbooks():
    for name in sorted(os.listdir(os.path.join(CUSTOMIZE, "playbooks"))):
        if not name.endswith(".py"):
            yield source("playbooks", name, "playbook.json")


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
