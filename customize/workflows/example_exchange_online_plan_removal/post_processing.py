# Adds the task whose closing approves the plan. Apply Plan reads the lines of its instructions.
content = results.content or {}  # empty if the call failed and the run continues
digest = content.get("plan_digest")
if results.success and digest:
    action = label_of(form.exo_removal_action) or u"Quarantine"
    messages = counted(content.get("messages") or 0, u"message")
    mailboxes = content.get("mailboxes") or 0
    where = u"{0:,} mailbox{1}".format(mailboxes, u"" if mailboxes == 1 else u"es")
    effects = {
        u"Quarantine": u"moved to a hidden folder of the mailboxes. Restore Messages brings them back.",
        u"Delete": u"deleted, as the owners would. Restore Messages brings them back as long as they can be recovered.",
        u"Purge": u"deleted for good. They cannot be restored.",
    }
    lines = [
        u"Closing this task approves the plan: {0} in {1} will be {2}".format(messages, where, effects.get(action)),
        u"Look at the plan's note and attachment first. To reject the plan, delete the task.",
        u"Plan digest: {0}".format(digest),
        u"Plan attachment: {0}".format(content.get("plan_attachment") or u""),
        u"Expected messages: {0}".format(content.get("messages") or 0),
        u"Action: {0}".format(action),
        u"Calendar entries: {0}".format(u"yes" if form.exo_include_meetings else u"no"),
        u"Valid until: {0}".format(content.get("expires") or u""),
    ]
    if not content.get("complete"):
        lines.insert(0, u"The plan is INCOMPLETE: its note says what is missing.")
    name = u"Approve removal plan {0}: {1} {2} in {3}".format(digest[:12], action.lower(), messages, where)
    incident.addTask(name, u"Initial", u"\n".join(lines))
elif results.reason:
    add_note(u"there is no removal plan", [escaped(results.reason)])
