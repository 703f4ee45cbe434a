# Sets the status of the row: restored, or what it was. If the message was not restored, a note says why.
content = results.content or {}
if results.success:
    row.exo_dt_status = helper.createRichText(u"Restored")
else:
    add_note(u"message {0} not restored".format(quoted(row.exo_dt_message_subject)), [why(None)], [
        (u"Mailbox: ", escaped(row.exo_dt_email_address)),
        (u"From: ", escaped(row.exo_dt_sender_email or u"")),
        (u"Received: ", moment(row.exo_dt_received_date)),
    ], last=short_id(row.exo_dt_message_id))
