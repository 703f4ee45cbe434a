# Sets the status of the row: deleted, already gone, or not deleted. If the call failed, the row stays, and a note says
# why.
error = (results.content or {}).get("error")
rehearsed = bool(error) and error.get("code") == "DryRun"
if results.success:
    row.exo_dt_status = red(u"Deleted")
    row.exo_dt_web_link = u""
elif error and error.get("code") == "ErrorItemNotFound":
    row.exo_dt_status = red(u"Already gone")
    row.exo_dt_web_link = u""
elif error and not rehearsed:
    row.exo_dt_status = red(u"Not deleted ({0})".format(escaped(error.get("code"))))
else:
    note = u"<b>Exchange Online: {0}, nothing was deleted</b><br>Mailbox: {1}<br>Message id: {2}<br>{3}".format(
        u"dry run" if rehearsed else u"the call failed",
        escaped(row.exo_dt_email_address),
        escaped(row.exo_dt_message_id),
        why(error),
    )
    incident.addNote(helper.createRichText(note))
