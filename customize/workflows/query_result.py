# What the query found.
query = workflow.properties.exo_query_results
