# Applies the plan that the closed task names. Who closed the task has approved the plan.
def line(name):
    """Returns what the instructions say after this name, up to the end of the line; empty if they do not."""
    text = (task.instructions.content if task.instructions else u"").partition(name + u": ")[2]
    for end in (u"\n", u"<"):
        text = text.partition(end)[0]
    return text.strip()


inputs.incident_id = incident.id
inputs.exo_plan_digest = line(u"Plan digest")
inputs.exo_plan_attachment = line(u"Plan attachment")
inputs.exo_removal_action = line(u"Action")
inputs.exo_include_meetings = line(u"Calendar entries") == u"yes"
inputs.exo_approved_by = principal.name
if line(u"Expected messages").isdigit():
    inputs.exo_expected_messages = int(line(u"Expected messages"))
else:
    helper.fail(u"Nothing was removed: the task does not say any more which plan it approves. Run Plan Removal again.")
