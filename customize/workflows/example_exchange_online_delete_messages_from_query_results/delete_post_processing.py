# Adds a row for each message, if the data table is selected: Deleted, Quarantined, Gone, or Not deleted. A note says why
# messages were not deleted, and what the query missed, unless the functions' own notes say so.
content = results.content or {}  # empty if the call failed and the run continues
in_table = "Exchange Online data table" in (content.get("exo_query_output_format") or [])
queried = now()
folder = label_of((query.get("inputs") or {}).get("exo_mail_folders"))
counts = {u"Deleted": 0, u"Quarantined": 0, u"Gone": 0, u"Not deleted": 0}
for mailbox in content.get("delete_results") or []:
    gone = [message.get("id") for message in mailbox.get("already_gone_list") or []]
    hidden = [one.get("listed_id") or one.get("id") for one in mailbox.get("quarantined_list") or []]
    fates = []
    for message in mailbox.get("deleted_list") or []:
        fates.append((message, u"Quarantined" if message.get("id") in hidden else u"Deleted"))
    for message in mailbox.get("not_deleted_list") or []:
        fates.append((message, u"Gone" if message.get("id") in gone else u"Not deleted"))
    for message, fate in fates:
        counts[fate] += 1
        if in_table:
            new = add_row(mailbox, message, queried, folder)
            if fate == u"Not deleted":
                new.exo_dt_status = helper.createRichText(fate)
            else:
                new.exo_dt_status = red(fate)
                new.exo_dt_web_link = u""

reasons = [reason for reason in (query.get("reason"), results.reason) if reason]
if reasons and not has_note(content, reasons):
    outcome = u"{0} deleted".format(counted(counts[u"Deleted"], u"message"))
    if counts[u"Quarantined"]:
        outcome += u", {0:,} moved to quarantine".format(counts[u"Quarantined"])
    if counts[u"Gone"]:
        outcome += u", {0:,} already gone".format(counts[u"Gone"])
    if counts[u"Not deleted"]:
        outcome += u", {0:,} not deleted".format(counts[u"Not deleted"])
    label = u"Incomplete" if counts[u"Not deleted"] or query.get("reason") else u""
    if not (results.success and query.get("success")):
        label = u""
        outcome = u"no message deleted"
    elif (query.get("content") or {}).get("limit_reached"):
        outcome += u"; the query ended at its limit"
    add_note(outcome, [escaped(reason) for reason in reasons], label=label)
