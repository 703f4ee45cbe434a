# The results of the profile.
results = playbook.functions.results.exo_profile_results
