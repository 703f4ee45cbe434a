# Adds a row for each message found, if the data table is selected.
content = results.content or {}  # empty if the call failed and the run continues
if "Exchange Online data table" in (content.get("exo_query_output_format") or []):
    queried = now()
    for mailbox in content.get("email_results") or []:
        for message in mailbox.get("email_list") or []:
            row = incident.addRow("exo_message_query_results_dt")
            row.exo_dt_query_date = queried
            row.exo_dt_message_id = message.get("id")
            row.exo_dt_received_date = message.get("receivedDateTime") or u""
            row.exo_dt_email_address = mailbox.get("email_address")
            row.exo_dt_sender_email = sender_of(message)
            row.exo_dt_message_subject = message.get("subject") or u""
            row.exo_dt_has_attachments = bool(message.get("hasAttachments"))
            row.exo_dt_web_link = link(message.get("webLink"))
            row.exo_dt_status = helper.createRichText(u"Active")

if results.reason:
    outcome = u"not everything could be queried" if results.success else u"the messages could not be queried"
    incident.addNote(
        helper.createRichText(u"<b>Exchange Online: {0}</b><br>{1}".format(outcome, escaped(results.reason)))
    )
