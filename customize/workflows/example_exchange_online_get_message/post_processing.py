# Writes a note with the message, or a note that says why there is no message. The message in full is in the results.
content = results.content or {}
error = content.get("error") or {}
if results.success and not error:
    received = moment(content.get("receivedDateTime"))
    if content.get("hasAttachments") is not None:
        received += u", with attachments" if content.get("hasAttachments") else u", no attachments"
    add_note(u"message {0} of {1}".format(quoted(content.get("subject")), escaped(row.exo_dt_email_address)), [], [
        (u"From: ", person(content.get("from") or content.get("sender"))),
        (u"To: ", first([person(one) for one in content.get("toRecipients") or []])),
        (u"Received: ", received),
        (u"Text: ", escaped(u" ".join((content.get("bodyPreview") or u"").split())[:300])),
        (u"", anchor(content.get("webLink"), u"Open in Outlook")),
    ], last=short_id(row.exo_dt_message_id))
else:
    # Of a mailbox that is not there, nothing is known about the message.
    if error.get("code") == "ErrorItemNotFound":
        row.exo_dt_status = red(u"Gone")
        row.exo_dt_web_link = u""
    add_note(u"message {0} not read".format(quoted(row.exo_dt_message_subject)), [why(error)], [
        (u"Mailbox: ", escaped(row.exo_dt_email_address)),
        (u"From: ", escaped(row.exo_dt_sender_email or u"")),
        (u"Received: ", moment(row.exo_dt_received_date)),
    ], last=short_id(row.exo_dt_message_id))
