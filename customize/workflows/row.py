# Adds rows of the data table.
def add_row(mailbox, message, queried, folder):
    """Adds the row of a message: the mailbox's entry and the message's in the results, the time, and the folder."""
    new = incident.addRow("exo_message_query_results_dt")
    new.exo_dt_query_date = queried
    new.exo_dt_message_id = message.get("id")
    new.exo_dt_received_date = message.get("receivedDateTime") or u""
    new.exo_dt_email_address = mailbox.get("email_address")
    new.exo_dt_sender_email = cell(sender_of(message))
    new.exo_dt_message_subject = cell(message.get("subject"))
    new.exo_dt_has_attachments = bool(message.get("hasAttachments"))
    new.exo_dt_web_link = link(message.get("webLink"))
    new.exo_dt_status = helper.createRichText(u"Active")
    if folder:  # known only where one folder was searched
        new.exo_dt_message_folder = cell(folder)
    return new


def has_note(content, reasons):
    """Whether the functions have written notes that say what their reasons say."""
    if "Incident note" not in (content.get("exo_query_output_format") or []):
        return False
    # So a reason begins to say that the note could not be written.
    return not [reason for reason in reasons if u"The note " in reason]
