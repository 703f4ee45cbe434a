# Everything that the query before found is deleted. A query that failed, where the workflow goes on all the same, found
# nothing.
query = workflow.properties.exo_query_results
if query.get("success"):
    inputs.exo_query_messages_results = query.get("raw")
else:
    inputs.exo_query_messages_results = u"[]"
