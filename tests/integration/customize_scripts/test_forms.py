"""SOAR has no field for a script but those of its own form."""

import re
import unittest

from soar import form_of, playbooks, read, source, sources


def scripts():
    """Each workflow and playbook, its fields, and the files of its scripts."""
    for rule in sources("rules"):
        name = rule["runs"].get("workflow")
        if name is None:
            continue
        functions = source("workflows", name, "workflow.json")["functions"]
        files = [file for one in functions for part in ("pre_processing", "post_processing") for file in one.get(part, [])]
        yield rule["name"], form_of(name), files
        for playbook in playbooks():
            if playbook["rule"] == rule["name"]:
                steps = playbook["steps"]
                files = [file for step in steps for part in ("inputs", "text") for file in step.get(part, [])]
                yield playbook["name"], form_of(name), files


class Forms(unittest.TestCase):
    def test_scripts_read_only_fields_of_their_form(self):
        checked = 0
        for name, fields, files in scripts():
            for file in files:
                read_fields = re.findall(r"\b(?:form|rule\.properties|playbook\.inputs)\.(\w+)", read(*file.split("/")))
                self.assertEqual(sorted(set(read_fields) - set(fields)), [], (name, file))
                checked += len(read_fields)
        self.assertGreater(checked, 200)


if __name__ == "__main__":
    unittest.main()
