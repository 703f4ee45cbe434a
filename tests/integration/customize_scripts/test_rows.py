"""What a menu does with a row of the data table."""

import unittest

from soar import ScriptHost, Row, not_found, run, Incident, Helper

RED = '<span style="color:red">{0}</span>'


def host():
    return ScriptHost(row=Row(
        exo_dt_email_address="alice@corp.example",
        exo_dt_message_id="AAMk=",
        exo_dt_sender_email="eve@evil.example",
        exo_dt_message_subject=u"Zahlung f\u00fcr <Alice>",
        exo_dt_status="Active",
        exo_dt_web_link="link",
    ))


MESSAGE = {"exo_email_address": "alice@corp.example", "exo_messages_id": "AAMk="}


class Deleted(unittest.TestCase):
    def test_the_message_of_the_row_is_deleted_wherever_it_is(self):
        self.assertEqual(host().ask("delete_email"), dict(MESSAGE, exo_mailfolders_id=""))

    def test_the_row_says_deleted_and_leads_nowhere(self):
        here = host()
        here.answer("delete_email", success=True, content={"value": True})
        self.assertEqual(here.row.exo_dt_status.content, RED.format("Deleted"))
        self.assertEqual(here.row.exo_dt_web_link, "")

    def test_a_message_that_is_not_there_is_already_gone(self):
        here = host()
        here.answer("delete_email", success=False, content=not_found())
        self.assertEqual(here.row.exo_dt_status.content, RED.format("Already gone"))
        self.assertEqual(here.row.exo_dt_web_link, "")

    def test_a_mailbox_that_is_not_there_says_not_deleted(self):
        here = host()
        error = {"error": {"code": "MailboxNotEnabledForRESTAPI", "message": "x"}}
        here.answer("delete_email", success=False, content=error)
        expected = RED.format("Not deleted (MailboxNotEnabledForRESTAPI)")
        self.assertEqual(here.row.exo_dt_status.content, expected)
        self.assertEqual(here.row.exo_dt_web_link, "link")

    def test_what_is_done_needs_no_note(self):
        here = host()
        here.answer("delete_email", success=True, content={"value": True})
        self.assertEqual(here.incident.notes, [])


class Rehearsed(unittest.TestCase):
    dry_run = {"error": {"code": "DryRun", "message": "Dry run: this would have been done."}}

    def test_a_message_that_would_be_deleted_is_still_there(self):
        here = host()
        here.answer("delete_email", success=False, content=dict(self.dry_run, value=False))
        self.assertEqual((here.row.exo_dt_status, here.row.exo_dt_web_link), ("Active", "link"))
        note, = here.incident.notes
        self.assertIn("dry run, nothing was deleted", note)
        self.assertIn("Dry run: this would have been done.", note)

    def test_a_message_that_would_be_moved_is_where_it_was(self):
        here = host()
        content = dict(self.dry_run, new_message_id=None, new_web_link=None)
        here.answer("move_message_to_folder", success=False, inputs=Moved.results, content=content)
        self.assertEqual((here.row.exo_dt_status, here.row.exo_dt_web_link), ("Active", "link"))
        self.assertEqual(here.row.exo_dt_message_id, "AAMk=")
        note, = here.incident.notes
        self.assertIn("dry run, nothing was moved to junkemail", note)
        self.assertIn("Dry run: this would have been done.", note)


class WentOn(unittest.TestCase):
    """The call failed, and the workflow goes on (trap_exception): there is a reason and nothing else."""

    def test_the_row_stays_and_a_note_says_why(self):
        for workflow in ("delete_email", "move_message_to_folder", "get_message"):
            here = host()
            here.answer(workflow, success=False, reason="no <access>", content=None, inputs=None)
            self.assertEqual((here.row.exo_dt_status, here.row.exo_dt_web_link), ("Active", "link"), workflow)
            self.assertEqual(here.row.exo_dt_message_id, "AAMk=")
            note, = here.incident.notes
            self.assertIn("no &lt;access&gt;", note)
            self.assertNotIn("None", note)


class Read(unittest.TestCase):
    def test_the_message_of_the_row_is_read(self):
        self.assertEqual(host().ask("get_message"), MESSAGE)

    def test_the_note_shows_the_message_as_text_and_no_markup_of_it(self):
        here = host()
        pretty = u'{\n    "subject": "<script>\u00e9</script>"\n}'
        here.answer("get_message", success=True, content={"id": "AAMk="}, pretty_string=pretty)
        note, = here.incident.notes
        self.assertIn("alice@corp.example", note)
        self.assertIn(u"{<br>&nbsp;&nbsp;&nbsp;&nbsp;&quot;subject&quot;: "
                      u"&quot;&lt;script&gt;\u00e9&lt;/script&gt;&quot;<br>}", note)
        self.assertEqual(here.row.exo_dt_status, "Active")
        self.assertEqual(here.row.exo_dt_web_link, "link")

    def test_a_message_too_large_to_show_leaves_the_note_without_it(self):
        here = host()
        here.answer("get_message", success=True, content={"id": "AAMk="}, pretty_string=None)
        note, = here.incident.notes
        self.assertNotIn("None", note)

    def test_a_message_that_is_gone_marks_the_row(self):
        here = host()
        here.answer("get_message", success=False, content=not_found("no <such> thing"))
        note, = here.incident.notes
        self.assertIn("not found", note)
        self.assertIn("ErrorItemNotFound: no &lt;such&gt; thing", note)
        self.assertEqual(here.row.exo_dt_status.content, RED.format("Not Found"))
        self.assertEqual(here.row.exo_dt_web_link, "")


class Moved(unittest.TestCase):
    results = {"exo_destination_mailfolder_id": {"id": 126, "name": "junkemail"}}

    def test_it_goes_where_the_form_says(self):
        inputs = host().ask("move_message_to_folder", exo_destination_mailfolder_id="archive")
        self.assertEqual(inputs, dict(MESSAGE, exo_mailfolders_id="", exo_destination_mailfolder_id="archive"))

    def test_without_a_word_it_goes_where_the_function_says(self):
        inputs = host().ask("move_message_to_folder", own={"exo_destination_mailfolder_id": "junkemail"})
        self.assertEqual(inputs["exo_destination_mailfolder_id"], "junkemail")

    def test_the_row_follows_the_message(self):
        here = host()
        content = {"new_message_id": "NEW=", "new_web_link": "https://outlook.office.com/?a=1&b=2"}
        here.answer("move_message_to_folder", success=True, inputs=self.results, content=content)
        self.assertEqual(here.row.exo_dt_message_id, "NEW=")
        self.assertIn('href="https://outlook.office.com/?a=1&amp;b=2"', here.row.exo_dt_web_link.content)
        self.assertEqual(here.row.exo_dt_status, "Active")
        note, = here.incident.notes
        for part in ("junkemail", "alice@corp.example", "AAMk=", "NEW="):
            self.assertIn(part, note)

    def test_a_message_that_is_gone_marks_the_row_and_keeps_its_id(self):
        here = host()
        here.answer("move_message_to_folder", success=False, inputs=self.results, content=not_found())
        self.assertEqual(here.row.exo_dt_status.content, RED.format("Not Found"))
        self.assertEqual(here.row.exo_dt_web_link, "")
        self.assertEqual(here.row.exo_dt_message_id, "AAMk=")
        note, = here.incident.notes
        self.assertIn("not found", note)

    def test_where_there_is_no_such_folder_the_row_stays(self):
        here = host()
        content = {"error": {"code": "ErrorFolderNotFound", "message": "no such folder"}}
        here.answer("move_message_to_folder", success=False, content=content,
                    inputs={"exo_destination_mailfolder_id": "clutter"})
        self.assertEqual(here.row.exo_dt_status, "Active")
        note, = here.incident.notes
        self.assertIn("folder not found, nothing was moved to clutter", note)


class Kept(unittest.TestCase):
    def test_the_message_becomes_an_attachment_of_the_incident(self):
        inputs = host().ask("write_message_as_attachment", exo_attachment_name="evidence.eml")
        self.assertEqual(inputs, dict(MESSAGE, incident_id=2095, exo_attachment_name="evidence.eml"))

    def test_without_a_name_the_function_makes_one(self):
        self.assertEqual(host().ask("write_message_as_attachment"), dict(MESSAGE, incident_id=2095))


class Artifacts(unittest.TestCase):
    def added(self, row):
        incident = Incident()
        run(["scripts/create_artifacts_from_message.py"], {"incident": incident, "helper": Helper(), "row": row})
        return incident.artifacts

    def test_mailbox_sender_and_subject_become_artifacts(self):
        artifacts = self.added(host().row)
        self.assertEqual([(kind, value) for kind, value, _ in artifacts], [
            ("Email Recipient", "alice@corp.example"),
            ("Email Sender", "eve@evil.example"),
            ("Email Subject", u"Zahlung f\u00fcr <Alice>"),
        ])
        for _, value, description in artifacts:
            self.assertIn(value, description)

    def test_what_is_empty_becomes_none(self):
        row = Row(exo_dt_email_address="alice@corp.example", exo_dt_sender_email="")
        self.assertEqual([kind for kind, _, _ in self.added(row)], ["Email Recipient"])


if __name__ == "__main__":
    unittest.main()
