# The results of the query.
results = playbook.functions.results.exo_query_results
