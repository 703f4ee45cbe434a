# What the query found.
query = playbook.functions.results.exo_query_results
