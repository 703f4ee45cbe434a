"""Every script is text that Python 3 and SOAR's older script language (Python 2.7) understand alike.

Where a Python 2.7 is at hand the other tests run in it; this one knows the differences and needs Python 3 only.
"""

import ast
import os
import sys
import unittest

from soar import CUSTOMIZE, read

# What only Python 3 has. Names, since not every Python 3 has all of them.
NEW = ("AnnAssign", "AsyncFor", "AsyncFunctionDef", "AsyncWith", "Await", "JoinedStr", "Match", "MatMult", "NamedExpr",
       "Nonlocal", "Starred", "TryStar", "YieldFrom")
# What SOAR lets a script import, in one language or the other.
IMPORTS = ("datetime", "java.util")


def scripts():
    for directory, _, files in os.walk(CUSTOMIZE):
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(directory, name), CUSTOMIZE)


def complaints(tree):
    """What the older language would not understand, or would understand otherwise."""
    for node in ast.walk(tree):
        kind = type(node).__name__
        if kind in NEW:
            yield node, kind
        if kind == "FunctionDef" and (node.returns or node.args.kwonlyargs or
                                      any(argument.annotation for argument in node.args.args)):
            yield node, "annotations or keyword-only arguments"
        if kind == "Raise" and node.cause:
            yield node, "raise from"
        if kind == "ClassDef":
            yield node, "a class"
        if kind == "Name" and node.id in ("print", "unicode", "super", "map", "filter", "zip", "range", "round",
                                          "bytes", "long", "str"):
            yield node, node.id
        if kind == "Div" or (kind == "BinOp" and type(node.op).__name__ == "Div"):
            yield node, "a division"
        if kind == "Call" and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"):
            text = node.func.value
            if isinstance(text, ast.Constant) and text.kind != "u":
                yield node, "text without u that holds other text"
        if kind == "Import" and any(alias.name not in IMPORTS for alias in node.names):
            yield node, "an import"
        if kind == "ImportFrom" and node.module not in IMPORTS:
            yield node, "an import"


@unittest.skipIf(sys.version_info < (3, 8), "Python 2.7 runs the scripts themselves")
class BothLanguages(unittest.TestCase):
    def test_every_script_is_the_same_in_both(self):
        files = list(scripts())
        self.assertGreaterEqual(len(files), 35)
        for file in files:
            text = read(*file.split(os.sep))
            self.assertTrue(all(ord(character) < 128 for character in text), file)
            tree = ast.parse(text, file)
            self.assertEqual(["{0}:{1}: {2}".format(file, getattr(node, "lineno", "?"), what)
                              for node, what in complaints(tree)], [])

    def test_what_only_python_3_understands_is_noticed(self):
        for text in ('f"{1}"', "def a(b: int): pass", "def a(*, b): pass", "x: int = 1", "print(1)", "1 / 2",
                     '"{0}".format(x)', "import time", "from os import path", "a, *b = c", "(a := 1)",
                     "raise A from b"):
            self.assertTrue(list(complaints(ast.parse(text))), text)


if __name__ == "__main__":
    unittest.main()
