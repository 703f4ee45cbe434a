# Functions that the scripts below share.
def now():
    """The time in milliseconds since 1970, UTC."""
    try:
        from datetime import datetime
    except ImportError:  # the clock of SOAR's older script language
        from java.util import Date

        return Date().getTime()
    return int((datetime.utcnow() - datetime(1970, 1, 1)).total_seconds() * 1000)


def shown(text):
    """Returns the text with a mark for each character that a screen obeys: control, bidirectional and invisible ones."""

    def is_obeyed(code):
        if code in (0x9, 0xA):
            return False
        if code < 0x20 or 0x7F <= code <= 0x9F or 0x2028 <= code <= 0x202E or 0x2060 <= code <= 0x206F:
            return True
        return code in (0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF) or 0xE0000 <= code <= 0xE007F

    return u"".join(u"\ufffd" if is_obeyed(ord(character)) else character for character in u"{0}".format(text))


def cell(text):
    """Returns the text for a cell. A spreadsheet that opens an export of the table does not take it for a formula."""
    text = shown(text or u"")
    return u"'" + text if text[:1] in (u"=", u"+", u"-", u"@", u"\t") else text


def escaped(text):
    """Returns the text as HTML."""
    text = shown(text)
    for character, entity in ((u"&", u"&amp;"), (u"<", u"&lt;"), (u">", u"&gt;"), (u'"', u"&quot;")):
        text = text.replace(character, entity)
    return text


def indented(text):
    """Returns JSON with its lines and indentation, as HTML."""
    return escaped(text).replace(u"    ", u"&nbsp;" * 4).replace(u"\n", u"<br>")


def anchor(address, text):
    """Returns a link, as HTML; empty if there is no address, or one that is not https."""
    if not (address or u"").lower().startswith(u"https://"):
        return u""
    return u'<a href="{0}" target="_blank">{1}</a>'.format(escaped(address), text)


def link(address):
    """Returns a link to a message for its row; empty if the message has no address that is https."""
    html = anchor(address, u"Link")
    return helper.createRichText(html) if html else u""


def red(text):
    """Returns the status of a row whose message is not there any more."""
    return helper.createRichText(u'<span style="color:red">{0}</span>'.format(text))


def why(error):
    """Returns why nothing was done: the reason, or else Graph's error."""
    if results.reason:
        return escaped(results.reason)
    if error:
        return escaped(u"{0}: {1}".format(error.get("code"), error.get("message")))
    return u""


def add_note(outcome, facts):
    """Adds a note: the outcome, and a line for each fact that is known. The facts are HTML, with their names."""
    text = u"<b>Exchange Online: {0}</b>".format(outcome)
    for name, fact in facts:
        if fact:
            text += u"<br>{0}{1}".format(name, fact)
    incident.addNote(helper.createRichText(text))


def label_of(choice):
    """Returns the text of an input that is a choice or a plain text; empty if it is not set."""
    if hasattr(choice, "get"):
        choice = choice.get("name")
    return choice or u""


def person(who):
    """Returns name and address of a sender or recipient, as HTML; empty if Graph names none."""
    address = (who or {}).get("emailAddress") or {}
    name, mail = address.get("name"), address.get("address")
    if name and mail and name != mail:
        return escaped(u"{0} <{1}>".format(name, mail))
    return escaped(mail or name or u"")


def sender_of(message):
    """Returns the sender's address; empty for a draft, and for a sender without an address that mail can go to."""
    for who in (message.get("sender"), message.get("from")):
        address = ((who or {}).get("emailAddress") or {}).get("address") or u""
        if u"@" in address:
            return address
    return u""


def counted(number, what):
    """Returns "1 message", "2 messages"."""
    return u"{0} {1}{2}".format(number, what, u"" if number == 1 else u"s")
