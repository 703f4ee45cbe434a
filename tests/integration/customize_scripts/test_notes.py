"""Functions whose results become a note: user profile, meeting, mail."""

import calendar
import datetime
import time
import unittest

from soar import ScriptHost, RichText, lines, not_found


class Profile(unittest.TestCase):
    def test_it_is_asked_for_the_artifacts_address(self):
        inputs = ScriptHost(artifact="alice@corp.example").ask("get_user_profile")
        self.assertEqual(inputs, {"exo_email_address": "alice@corp.example"})

    def test_the_note_shows_it_in_lines_and_no_json(self):
        host = ScriptHost(artifact="alice@corp.example")
        user = {"displayName": u"<\u00c4>", "jobTitle": None, "mail": "alice@corp.example", "mobilePhone": None,
                "businessPhones": ["+1 2", "+3 4"], "id": "87d3"}
        host.answer("get_user_profile", success=True, content=user, pretty_string="{}")
        note, = host.incident.notes
        self.assertEqual(lines(note), [
            u"Exchange Online: user profile of alice@corp.example", u"Name: &lt;\u00c4&gt;",
            u"Mail: alice@corp.example", u"Phone: +1 2, +3 4", u"Directory id: 87d3"])

    def test_the_note_has_five_lines_at_most(self):
        host = ScriptHost(artifact="alice@corp.example")
        user = {"displayName": "Alice", "jobTitle": "Analyst", "mail": "alice@corp.example", "mobilePhone": "+1",
                "businessPhones": ["+2"], "id": "87d3", "userPrincipalName": "al@corp.example",
                "officeLocation": "Room 4", "preferredLanguage": "en-US"}
        host.answer("get_user_profile", success=True, content=user)
        note, = host.incident.notes
        self.assertEqual(lines(note)[1:], [
            u"Name: Alice \u00b7 Analyst", u"Mail: alice@corp.example \u00b7 al@corp.example", u"Phone: +1, +2",
            u"Office: Room 4 \u00b7 en-US", u"Directory id: 87d3"])

    def test_a_profile_with_nothing_in_it_is_a_profile(self):
        host = ScriptHost(artifact="alice@corp.example")
        host.answer("get_user_profile", success=True, content={"businessPhones": None}, pretty_string=None)
        self.assertEqual(host.incident.notes, ["<b>Exchange Online: user profile of alice@corp.example</b>"])

    def test_the_note_says_that_there_is_none(self):
        host = ScriptHost(artifact="<unknown>")
        host.answer("get_user_profile", success=False, content=not_found())
        note, = host.incident.notes
        self.assertIn("no user profile of &lt;unknown&gt;", note)
        self.assertIn("ErrorItemNotFound", note)

    def test_the_reason_comes_before_the_words_of_graph(self):
        host = ScriptHost(artifact="x@corp.example")
        host.answer("get_user_profile", success=False, reason="The user <x> was not found.", content=not_found())
        self.assertEqual(host.incident.notes, ["<b>Exchange Online: no user profile of x@corp.example</b><br>"
                                               "The user &lt;x&gt; was not found."])


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

    event = {
        "id": "AAMk=",
        "start": {"dateTime": "2026-11-30T18:00:00.0000000", "timeZone": "Tokyo Standard Time"},
        "end": {"dateTime": "2026-11-30T18:30:00.0000000", "timeZone": "Tokyo Standard Time"},
        "location": {"displayName": "Room 4"},
        "organizer": {"emailAddress": {"name": "Nora <Kraus>", "address": "nora@corp.example"}},
        "attendees": [{"type": "required", "emailAddress": {"name": "bob@corp.example", "address": "bob@corp.example"}},
                      {"type": "optional", "emailAddress": {"name": "Eve"}}],
        "webLink": "https://outlook.office365.com/?a=1&b=2",
    }

    def answer(self, **results):
        host = ScriptHost()
        asked = {"exo_meeting_email_address": "alice@corp.example", "exo_meeting_subject": "War <room>"}
        asked.update(results.pop("asked", {}))
        host.answer("create_meeting", inputs=asked, **results)
        note, = host.incident.notes
        return note

    def test_the_note_says_when_where_and_who_and_has_no_json(self):
        note = self.answer(success=True, content=self.event, pretty_string="{}")
        self.assertEqual(lines(note), [
            u"Exchange Online: meeting \u201cWar &lt;room&gt;\u201d created",
            u"When: Mon 30 Nov 2026 18:00\u201318:30 (Tokyo Standard Time)",
            "Where: Room 4",
            "Organizer: Nora &lt;Kraus&gt; &lt;nora@corp.example&gt;",
            "Invited: bob@corp.example (required), Eve (optional)",
            '<a href="https://outlook.office365.com/?a=1&amp;b=2" target="_blank">Open in Outlook</a>',
        ])

    def test_a_meeting_over_midnight_names_both_days(self):
        event = dict(self.event, end={"dateTime": "2026-12-01T02:00:00", "timeZone": "Tokyo Standard Time"})
        self.assertIn(u"When: Mon 30 Nov 2026 18:00 \u2013 Tue 1 Dec 2026 02:00 (Tokyo",
                      self.answer(success=True, content=event))

    def test_the_note_has_the_times_in_utc_too(self):
        for begin, hours, utc in (("2026-11-30T18:00", 9, u"09:00\u201309:30 UTC"),
                                  ("2026-11-30T05:00", 9, u"20:00\u201320:30 UTC the day before"),
                                  ("2024-02-29T20:00", -5, u"01:00\u201301:30 UTC the next day")):
            start = calendar.timegm(time.strptime(begin, "%Y-%m-%dT%H:%M")) - hours * 3600
            event = dict(self.event, start=dict(self.event["start"], dateTime=begin + ":00.0000000"),
                         end={"dateTime": begin[:14] + "30:00.0000000"})
            asked = {"exo_meeting_start_time": start * 1000, "exo_meeting_end_time": (start + 1800) * 1000}
            note = self.answer(success=True, content=event, asked=asked)
            self.assertTrue(lines(note)[1].endswith(u"(Tokyo Standard Time) = " + utc), note)

    def test_the_weekday_is_that_of_the_calendar(self):
        for day in ("2024-02-29", "2026-12-31", "2027-01-01", "2028-03-01", "2100-03-01"):
            event = dict(self.event, start={"dateTime": day + "T18:00"}, end={"dateTime": day + "T19:00"})
            weekday = datetime.date(*[int(part) for part in day.split("-")]).strftime("%a")
            self.assertIn("When: %s " % weekday, self.answer(success=True, content=event))

    def test_what_graph_leaves_out_is_left_out(self):
        note = self.answer(success=True, content={"id": "AAMk=", "location": None, "attendees": []})
        self.assertEqual(lines(note), [u"Exchange Online: meeting \u201cWar &lt;room&gt;\u201d created",
                                       u"Organizer: alice@corp.example"])

    def test_the_note_says_that_it_was_not_created(self):
        note = self.answer(success=False, content=not_found())
        self.assertIn(u"meeting \u201cWar &lt;room&gt;\u201d not created", note)
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
