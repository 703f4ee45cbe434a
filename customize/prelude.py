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
    """Returns why nothing was done: the reason, with long ids cut, or else Graph's error."""
    if results.reason:
        words = results.reason.split(u" ")
        return escaped(u" ".join(word if len(word) < 100 else u"\u2026" + word[-24:] for word in words))
    if error:
        return escaped(u"{0}: {1}".format(error.get("code"), error.get("message")))
    return u""


def add_note(outcome, sentences, facts=(), label=u"", last=u""):
    """Adds a note: the outcome, sentences, and a line for each fact that is known. All of them are HTML."""
    start = u'<span style="color:red">{0}:</span>'.format(label) if label else u"Exchange Online:"
    lines = [u"<b>{0} {1}</b>".format(start, outcome)] + [sentence for sentence in sentences if sentence]
    known = [u"<li>{0}{1}</li>".format(name, fact) for name, fact in facts if fact]
    listed = u"<ul>{0}</ul>".format(u"".join(known)) if known else u""
    end = u'<span style="color:gray">{0}</span>'.format(last) if last else u""
    incident.addNote(helper.createRichText(u"<br>".join(lines) + listed + (end if listed or not end else u"<br>" + end)))


def quoted(subject):
    """Returns the subject in quotation marks, as HTML."""
    return u"\u201c{0}\u201d".format(escaped(subject)) if subject else u"without a subject"


def short_id(text):
    """Returns the end of an id, as HTML; in full, an id has 150 characters. The row has it in full."""
    return u"Message id: {0}".format(escaped(text if len(text) < 30 else u"\u2026" + text[-24:])) if text else u""


def moment(text):
    """Returns a time of Graph as "4 Feb 2020 09:08", as HTML, and a time of another form as it is."""
    text = text or u""
    day, _, time = text.partition(u"T")
    parts = day.split(u"-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts) or not 1 <= int(parts[1]) <= 12:
        return escaped(text)
    month = u"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[int(parts[1]) - 1]
    zone = u" UTC" if time.endswith(u"Z") else u""
    return escaped(u"{0} {1} {2} {3}{4}".format(int(parts[2]), month, parts[0], time[:5], zone))


def first(people, most=5):
    """Returns the first of these persons, and how many more there are, as HTML."""
    more = [u"and {0} more".format(len(people) - most)] if len(people) > most else []
    return u", ".join(people[:most] + more)


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
    """Returns "1 message", "2 messages", "1,500 messages"."""
    return u"{0:,} {1}{2}".format(number, what, u"" if number == 1 else u"s")
