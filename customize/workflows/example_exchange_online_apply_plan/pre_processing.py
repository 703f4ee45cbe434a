# Applies the plan that the closed task names. Who closed the task has approved the plan.
def line(name):
    """Returns what the instructions say after this name, up to the end of the line; empty if they do not."""
    text = (task.instructions.content if task.instructions else u"").partition(name + u": ")[2]
    for end in (u"\n", u"<"):
        text = text.partition(end)[0]
    return text.strip()


digest, action, expected = line(u"Plan digest"), line(u"Action"), line(u"Expected messages")
if not digest or not action or not expected.isdigit():
    helper.fail(u"Nothing was removed: the task does not say any more which plan it approves. Run Plan Removal again.")
# A list of tasks shows only names, so who closes the task has approved what its name says.
name = u"Approve removal plan {0}: {1} {2:,} message".format(digest[:12], action.lower(), int(expected))
if not task.name.startswith(name):
    helper.fail(u"Nothing was removed: the task's name and its instructions differ. Run Plan Removal again.")
inputs.incident_id = incident.id
inputs.exo_plan_digest = digest
inputs.exo_plan_attachment = line(u"Plan attachment")
inputs.exo_expected_messages = int(expected)
inputs.exo_removal_action = action
inputs.exo_include_meetings = line(u"Calendar entries") == u"yes"
inputs.exo_approved_by = principal.name
