"""What a menu does with a row of the data table."""

import unittest

from soar import Failed, ScriptHost, Row, lines, not_found, run, Incident, Helper

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


TITLE = u"\u201cZahlung f\u00fcr &lt;Alice&gt;\u201d"
MESSAGE = {"exo_email_address": "alice@corp.example", "exo_messages_id": "AAMk="}


class Deleted(unittest.TestCase):
    def test_the_message_of_the_row_is_deleted_wherever_it_is(self):
        self.assertEqual(host().ask("delete_email"), dict(MESSAGE, exo_mailfolders_id=""))

    def test_the_row_says_deleted_and_leads_nowhere(self):
        here = host()
        here.answer("delete_email", success=True, content={"value": True})
        self.assertEqual(here.row.exo_dt_status.content, RED.format("Deleted"))
        self.assertEqual(here.row.exo_dt_web_link, "")

    def test_a_message_that_is_not_there_is_gone(self):
        here = host()
        here.answer("delete_email", success=False, content=not_found())
        self.assertEqual(here.row.exo_dt_status.content, RED.format("Gone"))
        self.assertEqual(here.row.exo_dt_web_link, "")

    def test_a_message_that_could_not_be_deleted_says_so_and_a_note_why(self):
        here = host()
        error = {"error": {"code": "MailboxNotEnabledForRESTAPI", "message": "x"}}
        here.answer("delete_email", success=False, reason="There is no mailbox <x>.", content=error)
        self.assertEqual(here.row.exo_dt_status.content, "Not deleted")
        self.assertEqual(here.row.exo_dt_web_link, "link")
        note, = here.incident.notes
        self.assertEqual(lines(note), [
            u"Exchange Online: message {0} not deleted".format(TITLE), "There is no mailbox &lt;x&gt;.",
            "Mailbox: alice@corp.example", "From: eve@evil.example", "Message id: AAMk=",
        ])

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
        self.assertIn(u"message {0} not deleted".format(TITLE), note)
        self.assertIn("Dry run: this would have been done.", note)

    def test_an_id_in_the_reason_is_cut(self):
        here = host()
        reason = "Dry run: this would have deleted message %s of mailbox x@corp.example." % ("A" * 150 + "MkAxyz=")
        here.answer("delete_email", success=False, reason=reason, content=dict(self.dry_run, value=False))
        note, = here.incident.notes
        self.assertEqual(lines(note)[1], u"Dry run: this would have deleted message \u2026{0}MkAxyz= of mailbox "
                                         u"x@corp.example.".format(u"A" * 17))

    def test_a_message_that_would_be_moved_is_where_it_was(self):
        here = host()
        content = dict(self.dry_run, new_message_id=None, new_web_link=None)
        here.answer("move_message_to_folder", success=False, inputs=Moved.results, content=content)
        self.assertEqual((here.row.exo_dt_status, here.row.exo_dt_web_link), ("Active", "link"))
        self.assertEqual(here.row.exo_dt_message_id, "AAMk=")
        note, = here.incident.notes
        self.assertIn(u"message {0} not moved to junkemail".format(TITLE), note)
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

    def test_the_note_shows_the_message_in_lines_and_no_markup_of_it(self):
        here = host()
        long_id = "AAMk" * 40 + "/5TWnOk6MJ7bi7="
        here.row.exo_dt_message_id = long_id
        message = {"id": long_id, "subject": "<b>", "receivedDateTime": "2020-02-04T09:08:13Z", "webLink": "https://x/",
                   "from": {"emailAddress": {"name": "Eve", "address": "eve@evil.example"}}, "hasAttachments": False,
                   "toRecipients": [{"emailAddress": {"address": "a%d@corp.example" % nth}} for nth in (1, 2, 3, 4, 5, 6)],
                   "bodyPreview": "Dear\r\n\r\n<script>"}
        here.answer("get_message", success=True, content=message, pretty_string="{}")
        note, = here.incident.notes
        self.assertEqual(lines(note), [
            u"Exchange Online: message \u201c&lt;b&gt;\u201d of alice@corp.example",
            "From: Eve &lt;eve@evil.example&gt;",
            "To: a1@corp.example, a2@corp.example, a3@corp.example, a4@corp.example, a5@corp.example, and 1 more",
            "Received: 4 Feb 2020 09:08 UTC, no attachments", "Text: Dear &lt;script&gt;",
            '<a href="https://x/" target="_blank">Open in Outlook</a>', u"Message id: \u2026" + long_id[-24:],
        ])
        self.assertEqual(here.row.exo_dt_status, "Active")
        self.assertEqual(here.row.exo_dt_web_link, "link")

    def test_what_graph_leaves_out_is_left_out(self):
        here = host()
        here.answer("get_message", success=True, content={"id": "AAMk=", "receivedDateTime": "yesterday"})
        note, = here.incident.notes
        self.assertEqual(lines(note)[1:], ["Received: yesterday", "Message id: AAMk="])

    def test_a_message_that_is_gone_marks_the_row(self):
        here = host()
        here.answer("get_message", success=False, content=not_found("no <such> thing"))
        note, = here.incident.notes
        self.assertIn("not read", lines(note)[0])
        self.assertIn("ErrorItemNotFound: no &lt;such&gt; thing", note)
        self.assertEqual(here.row.exo_dt_status.content, RED.format("Gone"))
        self.assertEqual(here.row.exo_dt_web_link, "")

    def test_of_a_mailbox_that_is_not_there_the_row_stays(self):
        here = host()
        error = {"error": {"code": "ErrorInvalidUser", "message": "The requested user is invalid."}}
        here.answer("get_message", success=False, reason="There is no mailbox x.", content=error)
        self.assertEqual((here.row.exo_dt_status, here.row.exo_dt_web_link), ("Active", "link"))
        note, = here.incident.notes
        self.assertEqual(lines(note)[1], "There is no mailbox x.")
        self.assertNotIn("ErrorInvalidUser", note)


class Moved(unittest.TestCase):
    results = {"exo_destination_mailfolder_id": {"id": 126, "name": "junkemail"}}

    def test_it_goes_where_the_form_says(self):
        inputs = host().ask("move_message_to_folder", exo_destination_mailfolder_id="archive")
        self.assertEqual(inputs, dict(MESSAGE, exo_mailfolders_id="", exo_destination_mailfolder_id="archive"))

    def test_a_custom_folder_takes_the_place_of_the_list(self):
        for own in ({}, {"exo_destination_mailfolder_id": "junkemail"}):
            inputs = host().ask("move_message_to_folder", own=own, exo_custom_folder_name="Inbox/Phishing")
            self.assertEqual(inputs, dict(MESSAGE, exo_mailfolders_id="", exo_custom_folder_name="Inbox/Phishing"))

    def test_two_folders_end_the_run(self):
        for own in ({}, {"exo_destination_mailfolder_id": "junkemail"}):
            with self.assertRaises(Failed) as failed:
                host().ask("move_message_to_folder", own=own, exo_destination_mailfolder_id="archive",
                           exo_custom_folder_name="Phishing")
            self.assertIn("not both. The message was not moved.", str(failed.exception))

    def test_no_folder_ends_the_run(self):
        with self.assertRaises(Failed):
            host().ask("move_message_to_folder", exo_destination_mailfolder_id=None, exo_custom_folder_name="")

    def test_without_a_word_it_goes_where_the_function_says(self):
        for name, folder in (("exo_destination_mailfolder_id", "junkemail"), ("exo_custom_folder_name", "Phishing")):
            inputs = host().ask("move_message_to_folder", own={name: folder})
            self.assertEqual(inputs, dict(MESSAGE, exo_mailfolders_id="", **{name: folder}))

    def test_the_row_follows_the_message(self):
        here = host()
        content = {"new_message_id": "NEW=", "new_web_link": "https://outlook.office.com/?a=1&b=2"}
        here.answer("move_message_to_folder", success=True, inputs=self.results, content=content)
        self.assertEqual(here.row.exo_dt_message_id, "NEW=")
        self.assertIn('href="https://outlook.office.com/?a=1&amp;b=2"', here.row.exo_dt_web_link.content)
        self.assertEqual(here.row.exo_dt_status.content, "Moved")
        self.assertEqual(here.row.exo_dt_message_folder, "junkemail")
        note, = here.incident.notes
        self.assertEqual(lines(note), [
            u"Exchange Online: message {0} moved to junkemail".format(TITLE), "Mailbox: alice@corp.example",
            "From: eve@evil.example",
            '<a href="https://outlook.office.com/?a=1&amp;b=2" target="_blank">Open in Outlook</a>',
            "Message id: NEW=",
        ])

    def test_an_id_that_stays_is_shown_once(self):
        here = host()
        here.answer("move_message_to_folder", success=True, content={"new_message_id": "AAMk=", "new_web_link": None},
                    inputs={"exo_custom_folder_name": "Inbox/<Phishing>", "exo_destination_mailfolder_id": None})
        self.assertEqual(here.row.exo_dt_message_folder, "Inbox/<Phishing>")
        note, = here.incident.notes
        self.assertEqual(lines(note), [
            u"Exchange Online: message {0} moved to Inbox/&lt;Phishing&gt;".format(TITLE),
            "Mailbox: alice@corp.example", "From: eve@evil.example", "Message id: AAMk=",
        ])

    def test_a_custom_folder_that_is_not_there_is_named_by_the_reason(self):
        here = host()
        reason = "Folder 'Phish' was not found in mailbox alice@corp.example. The message was not moved."
        here.answer("move_message_to_folder", success=False, reason=reason, content={},
                    inputs={"exo_custom_folder_name": "Phish"})
        self.assertEqual((here.row.exo_dt_status, here.row.exo_dt_web_link), ("Active", "link"))
        note, = here.incident.notes
        self.assertEqual(lines(note)[:2], [
            u"Exchange Online: message {0} not moved to Phish".format(TITLE), reason])

    def test_a_message_that_is_gone_marks_the_row_and_keeps_its_id(self):
        here = host()
        here.answer("move_message_to_folder", success=False, inputs=self.results, content=not_found())
        self.assertEqual(here.row.exo_dt_status.content, RED.format("Gone"))
        self.assertEqual(here.row.exo_dt_web_link, "")
        self.assertEqual(here.row.exo_dt_message_id, "AAMk=")
        note, = here.incident.notes
        self.assertIn(u"message {0} not moved to junkemail".format(TITLE), note)

    def test_where_there_is_no_such_folder_the_row_stays(self):
        here = host()
        for code, message in (("ErrorFolderNotFound", "no such folder"),
                              ("ErrorItemNotFound", "Default folder Clutter not found.")):
            here.answer("move_message_to_folder", success=False, content={"error": {"code": code, "message": message}},
                        inputs={"exo_destination_mailfolder_id": "clutter"})
            self.assertEqual(here.row.exo_dt_status, "Active")
            self.assertIn("not moved to clutter", here.incident.notes[-1])


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

    def test_what_is_marked_as_no_formula_is_the_artifact_without_the_mark(self):
        row = Row(exo_dt_sender_email=u"'+1@evil.example", exo_dt_message_subject=u"'quoted'")
        self.assertEqual([value for _, value, _ in self.added(row)], [u"+1@evil.example", u"'quoted'"])

    def test_what_is_empty_becomes_none(self):
        row = Row(exo_dt_email_address="alice@corp.example", exo_dt_sender_email="")
        self.assertEqual([kind for kind, _, _ in self.added(row)], ["Email Recipient"])


if __name__ == "__main__":
    unittest.main()
