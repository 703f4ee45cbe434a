# Adds the data in the row as artifacts.
def add(kind, value, what):
    """Adds an artifact, unless there is no value."""
    # In the row, what a spreadsheet would take for a formula has an apostrophe before it.
    if value and value[:1] == u"'" and value[1:2] in (u"=", u"+", u"-", u"@"):
        value = value[1:]
    if value:
        incident.addArtifact(kind, value, u"{0} of a message in Exchange Online: {1}".format(what, value))


add("Email Recipient", row.exo_dt_email_address, u"Mailbox")
add("Email Sender", row.exo_dt_sender_email, u"Sender")
add("Email Subject", row.exo_dt_message_subject, u"Subject")
