"""Queries: from the form to the inputs, and from the results to the rows."""

import sys
import time
import types
import unittest

from soar import Failed, ScriptHost, lines, source

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
    return {"success": True, "content": content, "inputs": more.get("inputs", {})}


def query(*messages, **more):
    """The results of the query before a deletion."""
    return {"exo_query_results": dict(found(*messages), **dict({"raw": "these"}, **more))}


class Hostile(unittest.TestCase):
    def row_of(self, **message):
        here = ScriptHost()
        here.answer("query_messages_of_a_group", **found(dict(MESSAGE, **message)))
        row, = here.incident.rows
        return row

    def test_no_cell_is_a_formula(self):
        for subject in (u"=cmd|' /C calc'!A0", u"+1", u"-1+1", u"@SUM(1)", u"\t=1"):
            row = self.row_of(subject=subject, sender={"emailAddress": {"address": u"=1@evil.example"}})
            self.assertEqual(row.exo_dt_message_subject, u"'" + subject)
            self.assertEqual(row.exo_dt_sender_email, u"'=1@evil.example")
        self.assertEqual(self.row_of(subject=u"1 = 1").exo_dt_message_subject, u"1 = 1")

    def test_no_cell_has_characters_that_a_screen_obeys(self):
        row = self.row_of(subject=u"exe.\u202efdp\x1b[31m \u200bok \u0627\u200d")
        self.assertEqual(row.exo_dt_message_subject, u"exe.\ufffdfdp\ufffd[31m \ufffdok \u0627\u200d")

    def test_a_link_is_https_or_absent(self):
        for address in (u"javascript:alert(1)", u"http://outlook.office365.com/", u" https://x.example", u"", None):
            self.assertEqual(self.row_of(webLink=address).exo_dt_web_link, u"")
        html = self.row_of(webLink=u'HTTPS://x.example/"><script>').exo_dt_web_link.content
        self.assertEqual(html, u'<a href="HTTPS://x.example/&quot;&gt;&lt;script&gt;" target="_blank">Link</a>')


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

    def test_the_folder_is_the_one_that_was_searched(self):
        for folder in ("inbox", {"id": 3, "name": "inbox"}):
            host = ScriptHost()
            host.answer("query_emails", **found(MESSAGE, inputs={"exo_mail_folders": folder}))
            self.assertEqual([row.exo_dt_message_folder for row in host.incident.rows], ["inbox"])
        host = ScriptHost()
        host.answer("query_emails", **found(MESSAGE, inputs={"exo_mail_folders": None}))
        self.assertEqual([row.exo_dt_message_folder for row in host.incident.rows], [None])

    def test_a_sender_without_an_address_is_not_shown_as_one(self):
        distinguished = {"emailAddress": {"name": "Nora", "address": "/O=EXCHANGELABS/OU=X/CN=RECIPIENTS/CN=1-NORA"}}
        for sender in (distinguished, {"emailAddress": {"name": "Nora", "address": None}}, None):
            host = ScriptHost()
            other = {"emailAddress": {"address": "nora@corp.example"}}
            host.answer("query_emails", **found(dict(MESSAGE, sender=sender),
                                                dict(MESSAGE, sender=sender, **{"from": other})))
            self.assertEqual([row.exo_dt_sender_email for row in host.incident.rows], ["", "nora@corp.example"])

    def test_there_are_no_rows_unless_the_table_was_asked_for(self):
        host = ScriptHost()
        host.answer("query_emails", **found(MESSAGE, output=["Incident note", "Incident attachment"]))
        self.assertEqual(host.incident.rows, [])

    def test_nothing_found_adds_nothing(self):
        host = ScriptHost()
        host.answer("query_emails", **found())
        host.answer("query_emails", success=True, inputs=None,
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


class Limit(unittest.TestCase):
    """A note begins with the limit that ended a query, whatever its results are shown in."""

    reason = "The search stopped at 2 messages, the most that one query returns here (max_messages)."

    def results(self, output):
        results = found(MESSAGE, DRAFT, output=output)
        results["content"]["limit_reached"] = "max_messages"
        return dict(results, reason=self.reason)

    def test_where_the_table_is_the_only_output_a_note_says_it(self):
        for output in ([TABLE], [TABLE, "Incident attachment"]):
            host = ScriptHost()
            host.answer("query_messages_of_a_group", **self.results(output))
            self.assertEqual(host.incident.notes, [
                '<b><span style="color:red">Incomplete:</span> 2 messages found; there may be more</b><br>'
                + self.reason])
            self.assertEqual(len(host.incident.rows), 2)

    def test_large_numbers_are_readable(self):
        host = ScriptHost()
        results = self.results([TABLE])
        results["content"]["email_results"][0]["email_list"] = [MESSAGE] * 1500
        host.answer("query_messages_of_a_group", **results)
        note, = host.incident.notes
        self.assertEqual(lines(note)[0], "Incomplete: 1,500 messages found; there may be more")

    def test_where_the_function_writes_a_note_there_is_no_second_one(self):
        host = ScriptHost()
        host.answer("query_messages_of_a_group", **self.results([TABLE, "Incident note"]))
        self.assertEqual(host.incident.notes, [])

    def test_where_the_note_of_the_function_is_missing_there_is_one(self):
        host = ScriptHost()
        results = self.results(["Incident note"])
        results["reason"] += " The note was not written: SOAR refused it."
        host.answer("query_messages_of_a_group", **results)
        note, = host.incident.notes
        self.assertIn("The note was not written", note)

    def test_after_a_deletion_it_comes_before_the_number(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": self.results([TABLE])}
        host.answer("delete_messages_from_query_results", 1, success=True, content={
            "exo_query_output_format": [TABLE],
            "delete_results": [{"email_address": "a@x", "deleted_list": [MESSAGE, DRAFT]}]})
        note, = host.incident.notes
        self.assertEqual(lines(note), [
            "Incomplete: 2 messages deleted; the query ended at its limit", self.reason])


class Expected(unittest.TestCase):
    """Nothing is deleted unless the query found as many messages as the analyst expects."""

    def test_the_form_says_first_that_all_are_deleted_and_asks_for_the_number(self):
        form = source("rules", "delete_messages_from_query_results.json")["form"]
        self.assertIn("is DELETED AT ONCE", form[0]["header"])
        self.assertIn("exo_expected_messages", form)
        self.assertTrue(source("activity_fields", "exo_expected_messages.json")["required"])

    def test_another_number_deletes_nothing_and_ends_the_run(self):
        for number, expected in ((1, "expects 1."), (3, "expects 3."), (0, "expects 0."), (None, "expects no number.")):
            host = ScriptHost()
            host.workflow = query(MESSAGE, DRAFT)
            with self.assertRaises(Failed) as failed:
                host.ask("delete_messages_from_query_results", 1, exo_expected_messages=number)
            self.assertIn("Nothing was deleted: the query found 2 messages", str(failed.exception))
            self.assertIn(expected, str(failed.exception))
            self.assertEqual(host.inputs.exo_query_messages_results, "[]")

    def test_none_can_be_expected(self):
        host = ScriptHost()
        host.workflow = query()
        inputs = host.ask("delete_messages_from_query_results", 1, exo_expected_messages=0)
        self.assertEqual(inputs, {"exo_query_messages_results": "these"})


class Delete(unittest.TestCase):
    def test_the_second_function_gets_what_the_first_found(self):
        host = ScriptHost()
        host.workflow = query(MESSAGE, DRAFT)
        inputs = host.ask("delete_messages_from_query_results", 1, exo_expected_messages=2)
        self.assertEqual(inputs, {"exo_query_messages_results": "these"})

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
        self.assertEqual(rows, [("deleted", red.format("Deleted")), ("gone", red.format("Gone")),
                                ("left", "Not deleted")])
        links = [bool(row.exo_dt_web_link) for row in host.incident.rows]
        self.assertEqual(links, [False, False, True])

    def test_where_not_all_could_be_deleted_or_searched_a_note_says_so(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": True, "reason": "1 mailbox was not searched."}}
        two, three = [dict(MESSAGE, id=str(number)) for number in (1, 2)], [dict(MESSAGE, id=str(n)) for n in (3, 4, 5)]
        results = {"exo_query_output_format": [], "delete_results": [
            {"email_address": "a@x", "deleted_list": [MESSAGE], "not_deleted_list": two, "already_gone_list": two[:1]},
            {"email_address": "b@x", "deleted_list": three}]}
        host.answer("delete_messages_from_query_results", 1, success=True, reason="1 of 6 could not be deleted.",
                     content=results)
        note, = host.incident.notes
        self.assertEqual(lines(note), [
            "Incomplete: 4 messages deleted, 1 already gone, 1 not deleted", "1 mailbox was not searched.",
            "1 of 6 could not be deleted."])
        host = ScriptHost()
        host.answer("query_emails", **dict(found(MESSAGE), reason="1 mailbox was not searched."))
        note, = host.incident.notes
        self.assertEqual(lines(note), [
            "Incomplete: 1 message found; not everything could be searched", "1 mailbox was not searched."])
        self.assertEqual(len(host.incident.rows), 1)

    def test_where_the_functions_write_notes_there_is_no_other_one(self):
        for query_reason, reason, count in (("1 mailbox was not searched.", "1 of 2 could not be deleted.", 0),
                                            ("The note was not written: no.", "1 of 2 could not be deleted.", 1),
                                            (None, "The note may not have been written: no.", 1)):
            host = ScriptHost()
            host.workflow = {"exo_query_results": {"success": True, "reason": query_reason}}
            host.answer("delete_messages_from_query_results", 1, success=True, reason=reason,
                         content={"exo_query_output_format": ["Incident note"], "delete_results": []})
            self.assertEqual(len(host.incident.notes), count, reason)

    def test_rows_of_a_deletion_name_the_folder_that_was_searched(self):
        host = ScriptHost()
        host.workflow = {"exo_query_results": {"success": True, "inputs": {"exo_mail_folders": "inbox"}}}
        host.answer("delete_messages_from_query_results", 1, success=True, content={
            "exo_query_output_format": [TABLE],
            "delete_results": [{"email_address": "a@x", "deleted_list": [MESSAGE]}]})
        self.assertEqual([row.exo_dt_message_folder for row in host.incident.rows], ["inbox"])

    def test_a_query_without_raw_is_no_query_that_found_nothing(self):
        host = ScriptHost()
        host.workflow = query(MESSAGE, raw="")
        inputs = host.ask("delete_messages_from_query_results", 1, exo_expected_messages=1)
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


TRACED = {
    "id": "a3f6d2c1-5c3b-4f7a-9d1e-2c8f1b0a6e45",
    "messageId": u"=1@evil.example",
    "senderAddress": "eve@evil.example",
    "recipientAddress": "bob@corp.example",
    "receivedDateTime": "2020-02-04T09:08:13Z",
    "subject": u"@SUM(1)",
    "status": u"<quarantined>",
}


class Trace(unittest.TestCase):
    def test_the_form_becomes_the_criteria(self):
        inputs = ScriptHost().ask("trace_message", exo_internet_message_id="<a@x>", exo_email_address_sender="",
                                  exo_recipient="bob@corp.example", exo_query_output_format=[TABLE])
        self.assertEqual(inputs, {"incident_id": 2095, "exo_internet_message_id": "<a@x>",
                                  "exo_recipient": "bob@corp.example", "exo_query_output_format": [TABLE]})

    def test_every_recipient_gets_a_row_that_no_rule_for_messages_applies_to(self):
        host = ScriptHost()
        host.answer("trace_message", success=True, reason=None,
                    content={"exo_query_output_format": [TABLE], "trace_results": [TRACED, dict(TRACED, messageId="")]})
        first, second = host.incident.rows
        self.assertEqual(first.exo_dt_message_id, u"'=1@evil.example")
        self.assertEqual(second.exo_dt_message_id, TRACED["id"])
        self.assertEqual(first.exo_dt_email_address, "bob@corp.example")
        self.assertEqual(first.exo_dt_message_subject, u"'@SUM(1)")
        self.assertEqual(first.exo_dt_status.content, u"Traced: &lt;quarantined&gt;")
        self.assertEqual(host.incident.notes, [])

    def test_what_is_missing_is_a_note_unless_the_function_writes_one(self):
        for output, notes in (([TABLE], 1), ([TABLE, "Incident note"], 0)):
            host = ScriptHost()
            host.answer("trace_message", success=True, reason="Not looked at: <x>",
                        content={"exo_query_output_format": output, "trace_results": [TRACED]})
            self.assertEqual(len(host.incident.notes), notes)
            if notes:
                self.assertIn("1 recipient found", host.incident.notes[0])
                self.assertIn("Not looked at: &lt;x&gt;", host.incident.notes[0])


if __name__ == "__main__":
    unittest.main()
