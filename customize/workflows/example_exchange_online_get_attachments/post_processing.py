# Adds hashes, names and URLs as artifacts, and writes a note that lists what is attached.
content = results.content or {}
error = content.get("error") or {}
most = 50  # more artifacts of one kind would bury the others


def files_in(attachments):
    """Returns the attachments, each followed by those of the message that it is."""
    files = []
    for one in attachments or []:
        files.append(one)
        files += files_in((one.get("nested") or {}).get("attachments"))
    return files


def add(kind, values, what):
    """Adds an artifact for each value, once, and returns how many were left out."""
    known = []
    for value in values:
        if value and value not in known:
            known.append(value)
    subject = shown(content.get("subject") or u"")[:100]
    for value in known[:most]:
        incident.addArtifact(kind, value, u"{0} in the message in Exchange Online: {1}".format(what, subject))
    return max(len(known) - most, 0)


def described(one):
    """Returns type, size and hash of an attachment, and what is not known of it, as HTML."""
    parts = [one.get("content_type"), counted(one.get("size"), u"byte") if one.get("size") is not None else u""]
    if one.get("sha256"):
        parts.append(u"SHA-256 {0}".format(one.get("sha256")))
    if one.get("unexamined"):
        parts.append(u"not looked at: {0}".format(one.get("unexamined")))
    return escaped(u", ".join(part for part in parts if part))


if results.success and not error:
    files = files_in(content.get("attachments"))
    # Logos and other pictures within a text say nothing about it.
    kept = [one for one in files if one.get("kind") == "file" and not one.get("is_inline")]
    left_out = add(u"Malware SHA-256 Hash", [one.get("sha256") for one in kept], u"Hash of a file")
    left_out += add(u"Email Attachment Name", [shown(one.get("name") or u"") for one in kept], u"Name of a file")
    left_out += add(u"URL", content.get("urls") or [], u"URL")
    sentences = [escaped(results.reason)] if results.reason else []
    if left_out:
        sentences.append(u"{0} more without an artifact: see the results.".format(counted(left_out, u"value")))
    facts = [(u"{0}: ".format(escaped(one.get("name") or u"without a name")), described(one)) for one in files[:20]]
    if len(files) > 20:
        facts.append((u"", u"and {0} more".format(len(files) - 20)))
    facts.append((u"URLs: ", escaped(u"{0:,}".format(len(content.get("urls") or [])))))
    facts.append((u"Stored as: ", escaped(u", ".join(one.get("name") for one in content.get("stored") or []))))
    heading = u"{0} of message {1}".format(counted(len(files), u"attachment"), quoted(content.get("subject")))
    add_note(heading, sentences, facts, last=short_id(row.exo_dt_message_id))
else:
    # Of a mailbox that is not there, nothing is known about the message.
    if error.get("code") == "ErrorItemNotFound":
        row.exo_dt_status = red(u"Gone")
        row.exo_dt_web_link = u""
    add_note(u"attachments of message {0} not read".format(quoted(row.exo_dt_message_subject)), [why(error)], [
        (u"Mailbox: ", escaped(row.exo_dt_email_address)),
    ], last=short_id(row.exo_dt_message_id))
