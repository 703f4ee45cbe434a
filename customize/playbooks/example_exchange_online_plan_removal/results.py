# The results of the plan.
results = playbook.functions.results.exo_plan_results
