# Functions that the scripts below share.
def now():
    """The time in milliseconds since 1970, UTC."""
    try:
        from datetime import datetime
    except ImportError:  # the clock of SOAR's older script language
        from java.util import Date

        return Date().getTime()
    return int((datetime.utcnow() - datetime(1970, 1, 1)).total_seconds() * 1000)


def escaped(text):
    """Returns the text as HTML."""
    text = u"{0}".format(text)
    for character, entity in ((u"&", u"&amp;"), (u"<", u"&lt;"), (u">", u"&gt;"), (u'"', u"&quot;")):
        text = text.replace(character, entity)
    return text


def indented(text):
    """Returns JSON with its lines and indentation, as HTML."""
    return escaped(text).replace(u"    ", u"&nbsp;" * 4).replace(u"\n", u"<br>")


def link(address):
    """Returns a link to a message for its row; empty if the message has no address."""
    if not address:
        return u""
    return helper.createRichText(u'<a href="{0}" target="_blank">Link</a>'.format(escaped(address)))


def red(text):
    """Returns the status of a row that is not active."""
    return helper.createRichText(u'<span style="color:red">{0}</span>'.format(text))


def why(error):
    """Returns why nothing was done: Graph's error, or the reason of a call that failed without an end to the run."""
    if error:
        return escaped(u"{0}: {1}".format(error.get("code"), error.get("message")))
    return escaped(results.reason or u"")


def sender_of(message):
    """Returns the sender's address; empty for a draft, which has none."""
    return ((message.get("sender") or {}).get("emailAddress") or {}).get("address") or u""
