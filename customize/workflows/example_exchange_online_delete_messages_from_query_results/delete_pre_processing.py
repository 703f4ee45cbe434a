# Everything that the query before found is deleted.
inputs.exo_query_messages_results = workflow.properties.exo_query_results["raw"]
