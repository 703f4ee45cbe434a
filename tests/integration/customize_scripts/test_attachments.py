"""The attachments of a row's message become a note and artifacts."""

import unittest

from soar import lines
from test_rows import host

DEEP = {"name": "payload.iso", "kind": "file", "size": 4, "sha256": "d" * 64, "content_type": "a/b", "is_inline": False}
FILE = {"name": "<page>.html", "kind": "file", "size": 1, "sha256": "a" * 64, "content_type": None, "is_inline": False}
LOGO = {"name": "logo.png", "kind": "file", "size": 9, "sha256": "b" * 64, "is_inline": True}
LINK = {"name": "cloud", "kind": "link", "size": None, "unexamined": "it is a link to a file in the cloud"}
MESSAGE = {"name": "inner", "kind": "message", "size": 2000, "nested": {"attachments": [DEEP]}}
CONTENT = {"subject": "Look", "attachments": [FILE, LOGO, MESSAGE, LINK], "urls": ["https://evil.example/a"],
           "stored": [{"name": "exo-attachments.zip", "attachments": []}]}


class Attachments(unittest.TestCase):
    def test_the_form_says_whether_files_are_stored(self):
        for chosen, stored in ((True, True), (False, False), (None, False)):
            inputs = host().ask("get_attachments", exo_store_attachments=chosen)
            self.assertEqual((inputs["exo_store_attachments"], inputs["exo_messages_id"]), (stored, "AAMk="))

    def test_files_of_inner_messages_become_artifacts_and_logos_do_not(self):
        here = host()
        here.answer("get_attachments", success=True, content=CONTENT, reason="Not looked at: 1.")
        kinds = [(kind, value) for kind, value, _ in here.incident.artifacts]
        self.assertEqual(kinds, [
            ("Malware SHA-256 Hash", "a" * 64), ("Malware SHA-256 Hash", "d" * 64),
            ("Email Attachment Name", "<page>.html"), ("Email Attachment Name", "payload.iso"),
            ("URL", "https://evil.example/a")])
        note, = here.incident.notes
        self.assertEqual(lines(note), [
            u"Exchange Online: 5 attachments of message \u201cLook\u201d", "Not looked at: 1.",
            u"&lt;page&gt;.html: 1 byte, SHA-256 " + "a" * 64, "logo.png: 9 bytes, SHA-256 " + "b" * 64,
            "inner: 2,000 bytes", "payload.iso: a/b, 4 bytes, SHA-256 " + "d" * 64,
            "cloud: not looked at: it is a link to a file in the cloud", "URLs: 1", "Stored as: exo-attachments.zip",
            "Message id: AAMk="])

    def test_what_is_too_much_for_artifacts_is_counted(self):
        here = host()
        urls = ["https://x.example/%d" % nth for nth in range(60)]
        here.answer("get_attachments", success=True, content={"attachments": [], "urls": urls})
        self.assertEqual(len(here.incident.artifacts), 50)
        self.assertIn("10 values more without an artifact", here.incident.notes[0])

    def test_a_message_that_is_gone_marks_the_row(self):
        here = host()
        here.answer("get_attachments", success=False, content={"error": {"code": "ErrorItemNotFound", "message": "-"}})
        self.assertIn("Gone", here.row.exo_dt_status.content)
        self.assertIn("not read", here.incident.notes[0])
