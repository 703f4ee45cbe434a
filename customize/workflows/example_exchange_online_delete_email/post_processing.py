# The row says what became of its message.
def escaped(text):
    """The text as HTML shows it."""
    text = u"{0}".format(text)
    for character, entity in ((u"&", u"&amp;"), (u"<", u"&lt;"), (u">", u"&gt;"), (u'"', u"&quot;")):
        text = text.replace(character, entity)
    return text


def red(text):
    """A status that says that the message is gone."""
    return helper.createRichText(u'<span style="color:red">{0}</span>'.format(text))


error = (results.content or {}).get("error")
if results.success:
    row.exo_dt_status = red(u"Deleted")
    row.exo_dt_web_link = u""
elif error:
    row.exo_dt_status = red(escaped(error.get("code")))
    if error.get("code") != "DryRun":
        row.exo_dt_web_link = u""
