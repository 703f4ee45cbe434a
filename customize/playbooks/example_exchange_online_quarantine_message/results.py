# The results of the quarantine.
results = playbook.functions.results.exo_deletion_results
