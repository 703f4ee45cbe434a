"""Functions whose results become a note: user profile, meeting, mail."""

import unittest

from soar import ScriptHost, RichText, not_found


class Profile(unittest.TestCase):
    def test_it_is_asked_for_the_artifacts_address(self):
        inputs = ScriptHost(artifact="alice@corp.example").ask("get_user_profile")
        self.assertEqual(inputs, {"exo_email_address": "alice@corp.example"})

    def test_the_note_shows_it(self):
        host = ScriptHost(artifact="alice@corp.example")
        host.answer("get_user_profile", success=True, content={"displayName": "A"},
                     pretty_string=u'{\n    "displayName": "\u00c4"\n}')
        note, = host.incident.notes
        self.assertIn("alice@corp.example", note)
        self.assertIn(u"&quot;displayName&quot;: &quot;\u00c4&quot;", note)

    def test_the_note_says_that_there_is_none(self):
        host = ScriptHost(artifact="<unknown>")
        host.answer("get_user_profile", success=False, content=not_found())
        note, = host.incident.notes
        self.assertIn("no user profile of &lt;unknown&gt;", note)
        self.assertIn("ErrorItemNotFound", note)


class Meeting(unittest.TestCase):
    def test_what_the_form_asks_goes_into_the_meeting(self):
        form = {
            "exo_meeting_email_address": "alice@corp.example",
            "exo_meeting_start_time": 1580800000000,
            "exo_meeting_end_time": 1580900000000,
            "exo_meeting_subject": "War room",
            "exo_meeting_required_attendees": "bob@corp.example",
            "exo_meeting_optional_attendees": "carol@corp.example",
            "exo_meeting_location": "Room 1",
        }
        inputs = ScriptHost().ask("create_meeting", exo_meeting_body=RichText("<b>Come</b>"), **form)
        self.assertEqual(inputs, dict(form, exo_meeting_body="<b>Come</b>"))

    def test_what_the_form_leaves_empty_stays_as_it_was(self):
        own = {"exo_meeting_subject": "War room", "exo_meeting_body": "Come"}
        inputs = ScriptHost().ask("create_meeting", own=own, exo_meeting_subject="", exo_meeting_body=RichText(""))
        self.assertEqual(inputs, own)

    def test_the_note_shows_it(self):
        host = ScriptHost()
        host.answer("create_meeting", success=True, inputs={"exo_meeting_email_address": "alice@corp.example"},
                     content={"id": "AAMk="}, pretty_string='{\n    "id": "AAMk="\n}')
        note, = host.incident.notes
        self.assertIn("meeting created", note)
        self.assertIn("alice@corp.example", note)
        self.assertIn("&quot;id&quot;: &quot;AAMk=&quot;", note)

    def test_the_note_says_that_it_was_not_created(self):
        host = ScriptHost()
        host.answer("create_meeting", success=False, content=not_found(),
                     inputs={"exo_meeting_email_address": "alice@corp.example"})
        note, = host.incident.notes
        self.assertIn("meeting not created", note)
        self.assertIn("ErrorItemNotFound", note)


class Mail(unittest.TestCase):
    sent = {
        "exo_email_address": "alice@corp.example",
        "exo_recipients": "bob@corp.example, carol@corp.example",
        "exo_message_subject": u"Achtung: <Phishing> f\u00fcr alle",
        "exo_message_body": "<b>Do not click</b>",
    }

    def answer(self, success=True, content=None, **inputs):
        host = ScriptHost()
        host.answer("send_message", success=success, content=content, inputs=dict(self.sent, **inputs))
        note, = host.incident.notes
        return note

    def test_what_the_form_asks_goes_into_the_mail(self):
        inputs = ScriptHost().ask(
            "send_message",
            exo_message_sender_address="alice@corp.example",
            exo_message_recipients="bob@corp.example",
            exo_message_subject="Warning",
            exo_message_send_body=RichText("<b>Do not click</b>"),
            exo_attachment_names="a.txt, b.txt",
        )
        self.assertEqual(inputs, {
            "incident_id": 2095,
            "exo_email_address": "alice@corp.example",
            "exo_recipients": "bob@corp.example",
            "exo_message_subject": "Warning",
            "exo_message_body": "<b>Do not click</b>",
            "exo_attachment_names": "a.txt, b.txt",
        })

    def test_what_the_form_leaves_empty_stays_as_it_was(self):
        own = {"exo_email_address": "soc@corp.example", "exo_message_body": "Hello"}
        self.assertEqual(ScriptHost().ask("send_message", own=own), dict(own, incident_id=2095))

    def test_the_note_says_what_was_sent(self):
        note = self.answer(content={"value": True, "failed_attachments": None})
        for part in ("message sent", "alice@corp.example", "bob@corp.example, carol@corp.example",
                     u"Achtung: &lt;Phishing&gt; f\u00fcr alle", "<b>Do not click</b>"):
            self.assertIn(part, note)
        self.assertNotIn("Warning", note)

    def test_the_note_names_what_could_not_be_attached(self):
        note = self.answer(content={"value": True, "failed_attachments": ["a<b>.txt", "c.txt"]})
        self.assertIn("Warning", note)
        self.assertIn("a&lt;b&gt;.txt, c.txt", note)

    def test_the_note_says_that_nothing_was_sent(self):
        self.assertIn("message not sent", self.answer(success=False, content=not_found()))

    def test_the_note_says_why_nothing_was_sent(self):
        dry_run = {"error": {"code": "DryRun", "message": "this <would> have been sent"}, "value": False}
        self.assertIn("DryRun: this &lt;would&gt; have been sent", self.answer(success=False, content=dry_run))

    def test_a_mail_without_subject_and_body_is_a_mail(self):
        note = self.answer(content={"value": True}, exo_message_subject=None, exo_message_body=None)
        self.assertNotIn("None", note)


class WentOn(unittest.TestCase):
    def test_a_call_that_failed_leaves_a_note_that_says_why(self):
        for workflow in ("get_user_profile", "create_meeting", "send_message"):
            host = ScriptHost(artifact="alice@corp.example")
            host.answer(workflow, success=False, reason="no <access>", content=None, inputs=None)
            note, = host.incident.notes
            self.assertIn("no &lt;access&gt;", note)
            self.assertNotIn("None", note)


if __name__ == "__main__":
    unittest.main()
