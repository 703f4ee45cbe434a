# Adds a row for each message found, if the data table is selected. A note says what is missing in the results, unless
# the function's own note says so.
content = results.content or {}  # empty if the call failed and the run continues
found = 0
for mailbox in content.get("email_results") or []:
    found += len(mailbox.get("email_list") or [])
if "Exchange Online data table" in (content.get("exo_query_output_format") or []):
    queried = now()
    folder = label_of((results.inputs or {}).get("exo_mail_folders"))
    for mailbox in content.get("email_results") or []:
        for message in mailbox.get("email_list") or []:
            add_row(mailbox, message, queried, folder)

if results.reason and not has_note(content, [results.reason]):
    outcome = u"{0} found; ".format(counted(found, u"message"))
    if not results.success:
        outcome = u"the messages could not be queried"
    elif content.get("limit_reached") == "max_messages":
        outcome += u"there may be more"
    elif content.get("limit_reached"):
        outcome += u"the other mailboxes were not looked at"
    else:
        outcome += u"not everything could be searched"
    add_note(outcome, [escaped(results.reason)], label=u"Incomplete" if results.success else u"")
