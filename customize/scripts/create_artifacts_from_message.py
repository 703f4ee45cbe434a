# Adds the data in the row as artifacts.
def add(kind, value, what):
    """Adds an artifact, unless there is no value."""
    if value:
        incident.addArtifact(kind, value, u"{0} of a message in Exchange Online: {1}".format(what, value))


add("Email Recipient", row.exo_dt_email_address, u"Mailbox")
add("Email Sender", row.exo_dt_sender_email, u"Sender")
add("Email Subject", row.exo_dt_message_subject, u"Subject")
