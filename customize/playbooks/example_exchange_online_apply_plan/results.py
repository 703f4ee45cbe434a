# The results of the application.
results = playbook.functions.results.exo_apply_results
