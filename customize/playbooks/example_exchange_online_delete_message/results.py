# The results of the deletion.
results = playbook.functions.results.exo_deletion_results
