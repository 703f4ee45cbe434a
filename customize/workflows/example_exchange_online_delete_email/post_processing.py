# Sets the status of the row: deleted, quarantined, gone, or not deleted. If the message was not deleted, a note says why.
content = results.content or {}
error = content.get("error") or {}
if results.success:
    row.exo_dt_status = red(u"Quarantined" if content.get("quarantined") else u"Deleted")
    row.exo_dt_web_link = u""
elif error.get("code") == "ErrorItemNotFound":
    row.exo_dt_status = red(u"Gone")
    row.exo_dt_web_link = u""
else:
    if error and error.get("code") != "DryRun":
        row.exo_dt_status = helper.createRichText(u"Not deleted")
    add_note(u"message {0} not deleted".format(quoted(row.exo_dt_message_subject)), [why(error)], [
        (u"Mailbox: ", escaped(row.exo_dt_email_address)),
        (u"From: ", escaped(row.exo_dt_sender_email or u"")),
        (u"Received: ", moment(row.exo_dt_received_date)),
    ], last=short_id(row.exo_dt_message_id))
