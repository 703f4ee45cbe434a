"""Queries: from the form to the inputs, and from the results to the rows."""

import sys
import time
import types
import unittest

from soar import ScriptHost

TABLE = "Exchange Online data table"
MESSAGE = {
    "id": "AAMk=",
    "subject": u"Rechnung f\u00fcr <b>",
    "sender": {"emailAddress": {"name": "Eve", "address": "eve@evil.example"}},
    "hasAttachments": True,
    "receivedDateTime": "2020-02-04T09:08:13Z",
    "webLink": "https://outlook.office365.com/owa/?ItemID=AAMk%3D&exvsurl=1",
}
DRAFT = {"id": "AAMl="}


def found(*messages, **more):
    content = {
        "exo_query_output_format": more.get("output", [TABLE]),
        "email_results": [
            {"email_address": "alice@corp.example", "email_list": list(messages)},
            {"email_address": "bob@corp.example", "email_list": []},
        ],
    }
    return {"success": True, "content": content}


class Form(unittest.TestCase):
    def test_what_the_form_asks_goes_into_the_query(self):
        for workflow in ("query_messages_of_a_group", "delete_messages_from_query_results"):
            inputs = ScriptHost().ask(
                workflow,
                exo_email_address_list="ALL",
                exo_mailfolder_id="inbox",
                exo_email_address_sender="eve@evil.example",
                exo_start_date=1580800000000,
                exo_end_date=1580900000000,
                exo_message_subject="invoice",
                exo_message_body="pay",
                exo_has_attachments=True,
                exo_query_output_format=[TABLE, "Incident note"],
            )
            self.assertEqual(inputs, {
                "incident_id": 2095,
                "exo_email_address": "ALL",
                "exo_mail_folders": "inbox",
                "exo_email_address_sender": "eve@evil.example",
                "exo_start_date": 1580800000000,
                "exo_end_date": 1580900000000,
                "exo_message_subject": "invoice",
                "exo_message_body": "pay",
                "exo_has_attachments": True,
                "exo_query_output_format": [TABLE, "Incident note"],
            })

    def test_what_the_form_leaves_empty_stays_as_it_was(self):
        own = {"exo_email_address": "alice@corp.example", "exo_message_subject": "invoice",
               "exo_query_output_format": [TABLE]}
        inputs = ScriptHost().ask("query_messages_of_a_group", own=own, exo_message_subject="",
                             exo_query_output_format=[])
        self.assertEqual(inputs, dict(own, incident_id=2095))

    def test_no_is_an_answer_about_attachments(self):
        for workflow in ("query_messages_of_a_group", "query_emails"):
            inputs = ScriptHost(artifact="alice@corp.example").ask(workflow, exo_has_attachments=False)
            self.assertIs(inputs["exo_has_attachments"], False)

    def test_from_an_artifact_the_mailbox_of_its_address_is_searched(self):
        inputs = ScriptHost(artifact="alice@corp.example").ask("query_emails", exo_message_subject="invoice")
        self.assertEqual(inputs, {"incident_id": 2095, "exo_email_address": "alice@corp.example",
                                  "exo_message_subject": "invoice"})


class Rows(unittest.TestCase):
    def test_a_call_that_failed_has_none(self):
        for workflow, step in (("query_emails", 0), ("query_messages_of_a_group", 0),
                               ("delete_messages_from_query_results", 1)):
            host = ScriptHost(artifact="alice@corp.example")
            host.workflow = {"exo_query_results": {"success": True}}
            host.answer(workflow, step=step, success=False, reason="no <access>", content=None, inputs=None)
            self.assertEqual(host.incident.rows, [])
            note, = host.incident.notes
            self.assertIn("<br>no &lt;access&gt;", note)

    def test_every_message_gets_a_row(self):
        for workflow in ("query_messages_of_a_group", "query_emails"):
            host = ScriptHost()
            before = int(time.time() * 1000)
            host.answer(workflow, **found(MESSAGE, DRAFT))
            after = int(time.time() * 1000)
            first, second = host.incident.rows
            self.assertTrue(before <= first.exo_dt_query_date <= after)
            self.assertEqual(first.exo_dt_message_id, "AAMk=")
            self.assertEqual(first.exo_dt_received_date, "2020-02-04T09:08:13Z")
            self.assertEqual(first.exo_dt_email_address, "alice@corp.example")
            self.assertEqual(first.exo_dt_sender_email, "eve@evil.example")
            self.assertEqual(first.exo_dt_message_subject, u"Rechnung f\u00fcr <b>")
            self.assertIs(first.exo_dt_has_attachments, True)
            self.assertEqual(
                first.exo_dt_web_link.content,
                '<a href="https://outlook.office365.com/owa/?ItemID=AAMk%3D&amp;exvsurl=1" '
                'target="_blank">Link</a>',
            )
            self.assertEqual(first.exo_dt_status.content, "Active")
            self.assertEqual(second.exo_dt_message_id, "AAMl=")
            self.assertEqual(second.exo_dt_sender_email, "")
            self.assertEqual(second.exo_dt_message_subject, "")
            self.assertIs(second.exo_dt_has_attachments, False)
            self.assertEqual(second.exo_dt_web_link, "")
            self.assertEqual(second.exo_dt_status.content, "Active")

    def test_there_are_no_rows_unless_the_table_was_asked_for(self):
        host = ScriptHost()
        host.answer("query_emails", **found(MESSAGE, output=["Incident note", "Incident attachment"]))
        self.assertEqual(host.incident.rows, [])

    def test_nothing_found_adds_nothing(self):
        host = ScriptHost()
        host.answer("query_emails", **found())
        host.answer("query_emails", success=True,
                     content={"exo_query_output_format": [TABLE], "email_results": None})
        self.assertEqual(host.incident.rows, [])

    def test_without_pythons_clock_the_platforms_is_read(self):
        java, util = types.ModuleType("java"), types.ModuleType("java.util")
        java.util = util
        util.Date = type("Date", (object,), {"getTime": lambda self: 1580807293000})
        modules = {"datetime": None, "java": java, "java.util": util}
        saved = dict((name, sys.modules.get(name)) for name in modules)
        sys.modules.update(modules)
        try:
            host = ScriptHost()
            host.answer("query_emails", **found(MESSAGE))
            results = {"exo_query_output_format": [TABLE],
                       "delete_results": [{"email_address": "a@x", "deleted_list": [MESSAGE]}]}
            host.workflow = {"exo_query_results": {"success": True}}
            host.answer("delete_messages_from_query_results", 1, success=True, content=results)
        finally:
            for name, module in saved.items():
                if module is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = module
        self.assertEqual([row.exo_dt_query_date for row in host.incident.rows], [1580807293000] * 2)


class Delete(unittest.TestCase):
    def test_the_second_function_gets_what_the_first_found(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": True, "raw": '{"email_results":[]}'}}
        inputs = host.ask("delete_messages_from_query_results", 1)
        self.assertEqual(inputs, {"exo_query_messages_results": '{"email_results":[]}'})

    def test_after_a_query_that_failed_nothing_is_deleted_and_a_note_says_why(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": False, "reason": "no access"}}
        inputs = host.ask("delete_messages_from_query_results", 1)
        self.assertEqual(inputs, {"exo_query_messages_results": "[]"})
        host.answer("delete_messages_from_query_results", 1, success=True, reason=None,
                     content={"exo_query_output_format": [], "delete_results": []})
        note, = host.incident.notes
        self.assertIn("no message deleted</b><br>no access", note)

    def test_rows_tell_deleted_already_gone_and_not_deleted_apart(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": True}}
        deleted, gone, left = (dict(MESSAGE, id=name) for name in ("deleted", "gone", "left"))
        results = {"exo_query_output_format": [TABLE], "delete_results": [{
            "email_address": "a@x", "deleted_list": [deleted], "not_deleted_list": [gone, left],
            "already_gone_list": [gone]}]}
        host.answer("delete_messages_from_query_results", 1, success=True, content=results)
        rows = [(row.exo_dt_message_id, row.exo_dt_status.content) for row in host.incident.rows]
        red = u'<span style="color:red">{0}</span>'
        self.assertEqual(rows, [("deleted", red.format("Deleted")), ("gone", red.format("Already gone")),
                                ("left", red.format("Not deleted"))])
        links = [bool(row.exo_dt_web_link) for row in host.incident.rows]
        self.assertEqual(links, [False, False, True])

    def test_where_not_all_could_be_deleted_or_searched_a_note_says_so(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": True, "reason": "1 mailbox was not searched."}}
        host.answer("delete_messages_from_query_results", 1, success=True, reason="1 of 2 could not be deleted.",
                     content={"exo_query_output_format": [], "delete_results": []})
        note, = host.incident.notes
        self.assertIn("not all messages deleted</b><br>1 mailbox was not searched.<br>1 of 2 could", note)
        host = ScriptHost()
        host.answer("query_emails", **dict(found(MESSAGE), reason="1 mailbox was not searched."))
        note, = host.incident.notes
        self.assertIn("not everything could be queried</b><br>1 mailbox was not searched.", note)
        self.assertEqual(len(host.incident.rows), 1)

    def test_a_query_without_raw_is_no_query_that_found_nothing(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": True, "raw": ""}}
        inputs = host.ask("delete_messages_from_query_results", 1)
        self.assertNotEqual(inputs.get("exo_query_messages_results"), "[]")

    def test_every_deleted_message_gets_a_row(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": True}}
        host.answer("delete_messages_from_query_results", 1, success=True, content={
            "exo_query_output_format": [TABLE],
            "delete_results": [{"email_address": "alice@corp.example", "deleted_list": [MESSAGE],
                                "not_deleted_list": []}],
        })
        row, = host.incident.rows
        self.assertEqual(row.exo_dt_message_id, "AAMk=")
        self.assertEqual(row.exo_dt_email_address, "alice@corp.example")
        self.assertEqual(row.exo_dt_sender_email, "eve@evil.example")
        self.assertEqual(row.exo_dt_received_date, "2020-02-04T09:08:13Z")
        self.assertEqual(row.exo_dt_message_subject, u"Rechnung f\u00fcr <b>")
        self.assertIs(row.exo_dt_has_attachments, True)
        self.assertEqual(row.exo_dt_web_link, "")
        self.assertEqual(row.exo_dt_status.content, '<span style="color:red">Deleted</span>')
        self.assertTrue(row.exo_dt_query_date > 1580807293000)
        self.assertEqual(host.incident.notes, [])

    def test_there_are_no_rows_unless_the_table_was_asked_for(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": True}}
        host.answer("delete_messages_from_query_results", 1, success=True, content={
            "exo_query_output_format": None,
            "delete_results": [{"email_address": "a@x", "deleted_list": [MESSAGE]}],
        })
        self.assertEqual(host.incident.rows, [])


if __name__ == "__main__":
    unittest.main()
