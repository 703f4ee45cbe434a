# The results of the removal.
results = playbook.functions.results.exo_meeting_results
