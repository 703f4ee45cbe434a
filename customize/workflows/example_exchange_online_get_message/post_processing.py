# Writes a note with the message, or a note that says why there is no message.
content = results.content or {}
error = content.get("error") or {}
if results.success and not error:
    recipients = [person(one) for one in content.get("toRecipients") or []]
    add_note(u"message in the mailbox of {0}".format(escaped(row.exo_dt_email_address)), [
        (u"Subject: ", escaped(content.get("subject") or u"")),
        (u"From: ", person(content.get("from") or content.get("sender"))),
        (u"To: ", u", ".join(recipients)),
        (u"Received: ", escaped(content.get("receivedDateTime") or u"")),
        (u"", anchor(content.get("webLink"), u"Open in Outlook")),
        (u"<br>", indented(results.pretty_string or u"")),
    ])
else:
    # Of a mailbox that is not there, nothing is known about the message.
    if error.get("code") == "ErrorItemNotFound":
        row.exo_dt_status = red(u"Gone")
        row.exo_dt_web_link = u""
    add_note(u"message not read", [
        (u"", why(error)),
        (u"Mailbox: ", escaped(row.exo_dt_email_address)),
        (u"Subject: ", escaped(row.exo_dt_message_subject or u"")),
        (u"Message id: ", escaped(row.exo_dt_message_id)),
    ])
