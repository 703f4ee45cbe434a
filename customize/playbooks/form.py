# The form that activates the playbook.
form = playbook.inputs
