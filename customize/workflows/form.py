# The form of the rule that runs the workflow.
form = rule.properties
