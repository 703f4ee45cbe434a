# The results of the attachments.
results = playbook.functions.results.exo_attachments_results
