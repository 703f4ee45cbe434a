# The results of the restoration.
results = playbook.functions.results.exo_restore_results
