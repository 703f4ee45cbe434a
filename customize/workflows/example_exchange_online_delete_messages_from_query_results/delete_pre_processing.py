# Deletes everything that the query found. If the query failed and the run continues, there is nothing to delete.
if query.get("success"):
    inputs.exo_query_messages_results = query.get("raw")
else:
    inputs.exo_query_messages_results = u"[]"
