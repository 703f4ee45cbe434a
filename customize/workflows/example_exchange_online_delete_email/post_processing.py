# Sets the status of the row: deleted, gone, or not deleted. If the message was not deleted, a note says why.
error = (results.content or {}).get("error") or {}
if results.success:
    row.exo_dt_status = red(u"Deleted")
    row.exo_dt_web_link = u""
elif error.get("code") == "ErrorItemNotFound":
    row.exo_dt_status = red(u"Gone")
    row.exo_dt_web_link = u""
else:
    if error and error.get("code") != "DryRun":
        row.exo_dt_status = helper.createRichText(u"Not deleted")
    add_note(u"message not deleted", [
        (u"", why(error)),
        (u"Mailbox: ", escaped(row.exo_dt_email_address)),
        (u"Subject: ", escaped(row.exo_dt_message_subject or u"")),
        (u"Message id: ", escaped(row.exo_dt_message_id)),
    ])
