# Adds a row for each recipient, if the data table is selected. Its status says that it comes from the message trace: there
# is no message to be deleted by such a row. A note says what is missing in the results, unless the function's own note
# says so.
content = results.content or {}  # empty if the call failed and the run continues
rows = content.get("trace_results") or []
if "Exchange Online data table" in (content.get("exo_query_output_format") or []):
    traced = now()
    for row in rows:
        new = incident.addRow("exo_message_query_results_dt")
        new.exo_dt_query_date = traced
        new.exo_dt_message_id = cell(row.get("messageId") or row.get("id"))
        new.exo_dt_received_date = row.get("receivedDateTime") or u""
        new.exo_dt_email_address = cell(row.get("recipientAddress"))
        new.exo_dt_sender_email = cell(row.get("senderAddress"))
        new.exo_dt_message_subject = cell(row.get("subject"))
        new.exo_dt_status = helper.createRichText(u"Traced: {0}".format(escaped(row.get("status"))))

if results.reason and not has_note(content, [results.reason]):
    outcome = u"{0} found in the message trace; not everything is shown".format(counted(len(rows), u"recipient"))
    if not results.success:
        outcome = u"the message could not be traced"
    add_note(outcome, [escaped(results.reason)], label=u"Incomplete" if results.success else u"")
