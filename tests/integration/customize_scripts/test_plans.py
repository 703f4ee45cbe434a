"""From the form of a plan to the task that approves it, and from the closed task to the plan that is applied."""

import unittest

from soar import Failed, Row, ScriptHost, lines

DIGEST = "3f9a" * 16
FORM = {"exo_removal_action": "Quarantine", "exo_include_meetings": True}
PLAN = {
    "plan_digest": DIGEST, "plan_attachment": "exo-removal-plan-3f9a3f9a3f9a.json", "messages": 1412, "mailboxes": 398,
    "complete": True, "expires": "2026-11-30T03:00:00Z",
}


def planned(content=PLAN, form=FORM):
    here = ScriptHost()
    here.workflow = {"exo_query_results": {"success": True, "raw": "{}"}}
    here.answer("plan_removal", step=1, form=form, success=True, content=content)
    return here


def approving(name, instructions):
    return ScriptHost(task=(name, instructions))


class Planned(unittest.TestCase):
    def test_the_plan_has_what_the_query_found(self):
        here = ScriptHost()
        here.workflow = {"exo_query_results": {"success": True, "raw": "found"}}
        self.assertEqual(here.ask("plan_removal", step=1),
                         {"incident_id": 2095, "exo_query_messages_results": "found"})

    def test_a_failed_query_is_no_plan(self):
        here = ScriptHost()
        here.workflow = {"exo_query_results": {"success": False, "raw": None}}
        self.assertRaises(Failed, here.ask, "plan_removal", step=1)

    def test_the_task_says_what_closing_it_does(self):
        (name, instructions), = planned().incident.tasks
        self.assertEqual(name, "Approve removal plan 3f9a3f9a3f9a: quarantine 1,412 messages in 398 mailboxes")
        self.assertTrue(instructions.startswith(
            "Closing this task approves the plan: 1,412 messages in 398 mailboxes will be moved to a hidden folder"))
        self.assertIn("Valid until: 2026-11-30T03:00:00Z", instructions)

    def test_a_purge_says_that_there_is_no_way_back(self):
        (name, instructions), = planned(form={"exo_removal_action": "Purge"}).incident.tasks
        self.assertIn("purge 1,412 messages", name)
        self.assertIn("They cannot be restored.", instructions)

    def test_an_incomplete_plan_says_so_first(self):
        (_, instructions), = planned(dict(PLAN, complete=False)).incident.tasks
        self.assertTrue(instructions.startswith("The plan is INCOMPLETE"))

    def test_without_a_plan_there_is_no_task_but_a_note(self):
        here = ScriptHost()
        here.workflow = {"exo_query_results": {"success": True, "raw": "{}"}}
        here.answer("plan_removal", step=1, success=False, content={}, reason="Nothing was found.")
        self.assertEqual(here.incident.tasks, [])
        self.assertEqual(lines(here.incident.notes[0]), ["Exchange Online: there is no removal plan",
                                                         "Nothing was found."])


class Approved(unittest.TestCase):
    def test_the_closed_task_applies_the_plan_it_names(self):
        task, = planned().incident.tasks
        self.assertEqual(approving(*task).ask("apply_plan"), {
            "incident_id": 2095, "exo_plan_digest": DIGEST, "exo_plan_attachment": PLAN["plan_attachment"],
            "exo_expected_messages": 1412, "exo_removal_action": "Quarantine", "exo_include_meetings": True,
            "exo_approved_by": "olga@corp.example",
        })

    def test_instructions_may_have_become_html(self):
        (name, instructions), = planned(form={"exo_removal_action": "Delete"}).incident.tasks
        html = u"<div>" + instructions.replace(u"\n", u"<br />") + u"</div>"
        asked = approving(name, html).ask("apply_plan")
        self.assertEqual((asked["exo_plan_digest"], asked["exo_removal_action"], asked["exo_include_meetings"]),
                         (DIGEST, "Delete", False))

    def test_a_task_without_its_plan_removes_nothing(self):
        for instructions in (u"", u"Done.", u"Expected messages: many"):
            self.assertRaises(Failed, approving("Approve removal plan", instructions).ask, "apply_plan")

    def test_a_task_whose_name_says_another_plan_removes_nothing(self):
        (name, instructions), = planned().incident.tasks
        for other in (u"Call the CISO", name.replace(u"3f9a", u"4f9a", 1), name.replace(u"quarantine", u"purge"),
                      name.replace(u"1,412", u"412")):
            self.assertRaises(Failed, approving(other, instructions).ask, "apply_plan")

    def test_a_refused_plan_is_a_note(self):
        here = approving("Approve removal plan", u"")
        here.answer("apply_plan", success=False, reason="The plan has expired.", content={
            "incident_id": 2095, "plan_digest": DIGEST, "action": "Quarantine",
            "error": {"code": "PlanExpired", "message": "The plan has expired."}})
        self.assertEqual(lines(here.incident.notes[0]), ["Exchange Online: nothing was changed",
                                                         "The plan has expired."])


def row(status):
    return ScriptHost(row=Row(exo_dt_email_address="alice@corp.example", exo_dt_message_id="AAMk=",
                              exo_dt_message_subject="Hello", exo_dt_status=status, exo_dt_web_link="link"))


class Rows(unittest.TestCase):
    def test_a_quarantined_message_can_be_restored(self):
        here = row("Active")
        here.answer("quarantine_message", success=True, content={"value": True, "quarantined": {"id": "AAMk="}})
        self.assertEqual(here.row.exo_dt_status.content, '<span style="color:red">Quarantined</span>')

    def test_rows_of_a_deletion_say_what_went_to_quarantine(self):
        here = ScriptHost()
        here.workflow = {"exo_query_results": {"success": True}}
        here.answer("delete_messages_from_query_results", 1, success=True, content={
            "exo_query_output_format": ["Exchange Online data table"], "delete_results": [{
                "email_address": "a@x.example", "deleted_list": [{"id": "old"}, {"id": "AAkA"}],
                "quarantined_list": [{"id": "new", "listed_id": "old"}]}]})
        self.assertEqual([lines(row.exo_dt_status.content)[0] for row in here.incident.rows], ["Quarantined", "Deleted"])

    def test_the_message_of_the_row_is_restored(self):
        here = row("Quarantined")
        self.assertEqual(here.ask("restore_message"), {
            "incident_id": 2095, "exo_email_address": "alice@corp.example", "exo_messages_id": "AAMk="})
        here.answer("restore_message", success=True, content={})
        self.assertEqual(here.row.exo_dt_status.content, "Restored")
        self.assertEqual(here.incident.notes, [])

    def test_a_message_that_is_not_restored_keeps_its_status_and_a_note_says_why(self):
        here = row("Quarantined")
        here.answer("restore_message", success=False, content={}, reason="It was purged.")
        self.assertEqual(here.row.exo_dt_status, "Quarantined")
        self.assertEqual(lines(here.incident.notes[0])[:2], [
            u"Exchange Online: message \u201cHello\u201d not restored", "It was purged."])


class Whole(unittest.TestCase):
    def test_a_plan_is_restored_by_its_digest(self):
        asked = ScriptHost().ask("restore_messages", exo_plan_digest=DIGEST)
        self.assertEqual(asked, {"incident_id": 2095, "exo_plan_digest": DIGEST})

    def test_a_meeting_is_removed_from_the_calendars_of_the_form(self):
        asked = ScriptHost().ask("remove_meetings", exo_ical_uid="040000008200", exo_email_address_list="a@b.example")
        self.assertEqual(asked, {"incident_id": 2095, "exo_ical_uid": "040000008200",
                                 "exo_email_address": "a@b.example"})


if __name__ == "__main__":
    unittest.main()
