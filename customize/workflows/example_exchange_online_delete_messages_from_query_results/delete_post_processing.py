# Adds a row for each message, if the data table is selected: deleted, already gone, or not deleted. A note says why
# messages were not deleted.
content = results.content or {}  # empty if the call failed and the run continues
if "Exchange Online data table" in (content.get("exo_query_output_format") or []):
    queried = now()
    for mailbox in content.get("delete_results") or []:
        gone = [message.get("id") for message in mailbox.get("already_gone_list") or []]
        fates = [(message, u"Deleted") for message in mailbox.get("deleted_list") or []]
        for message in mailbox.get("not_deleted_list") or []:
            fates.append((message, u"Already gone" if message.get("id") in gone else u"Not deleted"))
        for message, fate in fates:
            row = incident.addRow("exo_message_query_results_dt")
            row.exo_dt_query_date = queried
            row.exo_dt_message_id = message.get("id")
            row.exo_dt_received_date = message.get("receivedDateTime") or u""
            row.exo_dt_email_address = mailbox.get("email_address")
            row.exo_dt_sender_email = sender_of(message)
            row.exo_dt_message_subject = message.get("subject") or u""
            row.exo_dt_has_attachments = bool(message.get("hasAttachments"))
            row.exo_dt_web_link = link(message.get("webLink")) if fate == u"Not deleted" else u""
            row.exo_dt_status = red(fate)

why = [reason for reason in (query.get("reason"), results.reason) if reason]
if why:
    outcome = u"not all messages deleted" if results.success and query.get("success") else u"no message deleted"
    incident.addNote(
        helper.createRichText(
            u"<b>Exchange Online: {0}</b><br>{1}".format(outcome, u"<br>".join(escaped(reason) for reason in why))
        )
    )
