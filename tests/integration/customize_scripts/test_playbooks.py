"""The scripts of playbooks do what those of workflows do: the same tests, with playbooks in place of workflows."""

import unittest

import test_notes
import test_plans
import test_queries
import test_rows
from soar import Helper, Incident, Playbook, Playbooks, Row, ScriptHost, Strict, playbooks, run, source, sources


class InPlaybooks(object):
    def setUp(self):
        self.addCleanup(setattr, ScriptHost, "kind", ScriptHost.kind)
        ScriptHost.kind = Playbooks


for module in (test_notes, test_plans, test_queries, test_rows):
    for name, tests in list(vars(module).items()):
        if isinstance(tests, type) and issubclass(tests, unittest.TestCase):
            globals()["Playbook" + name] = type("Playbook" + name, (InPlaybooks, tests), {})
del tests


class AllPlaybooks(unittest.TestCase):
    def test_there_is_one_for_each_rule(self):
        self.assertEqual(sorted(playbook["rule"] for playbook in playbooks()),
                         sorted(rule["name"] for rule in sources("rules")))

    def test_each_calls_the_functions_of_the_rules_workflow(self):
        for rule in sources("rules"):
            playbook, = [one for one in playbooks() if one["rule"] == rule["name"]]
            calls = [step["function"] for step in playbook["steps"] if "function" in step]
            workflow = rule["runs"].get("workflow")
            expected = []
            if workflow:
                expected = [step["function"] for step in source("workflows", workflow, "workflow.json")["functions"]]
            self.assertEqual(calls, expected)

    def test_every_result_has_a_name_of_its_own(self):
        for playbook in playbooks():
            names = [step["result_name"] for step in playbook["steps"] if "function" in step]
            self.assertEqual(len(names), len(set(names)), playbook["name"])
            self.assertTrue(all(names), playbook["name"])

    def test_a_script_reads_the_results_of_the_function_before_it(self):
        for playbook in playbooks():
            previous = None
            for step in playbook["steps"]:
                if "text" in step:
                    results = [file for file in step["text"] if file.endswith("/results.py")]
                    scope = {"playbook": Playbook(Strict([]), {previous: "these"})}
                    run(results, scope)
                    self.assertEqual(scope["results"], "these")
                previous = str(step.get("result_name"))


class Shared(unittest.TestCase):
    def test_the_row_becomes_artifacts_by_the_script_of_the_rule(self):
        playbook, = [one for one in playbooks() if one["name"] == "example_exchange_online_create_artifacts"]
        script, = sources("scripts")
        self.assertEqual([step.get("shared_script") for step in playbook["steps"]], [script["name"]])
        incident = Incident()
        run(script["text"], {"incident": incident, "helper": Helper(), "row": Row(exo_dt_sender_email="eve@evil.example")})
        self.assertEqual([kind for kind, _, _ in incident.artifacts], ["Email Sender"])


if __name__ == "__main__":
    unittest.main()
