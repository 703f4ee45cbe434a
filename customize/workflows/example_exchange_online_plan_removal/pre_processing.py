# Freezes what the query found. If the query failed and the run continues, there is nothing to plan.
if not query.get("success"):
    helper.fail(u"There is no plan: the query failed.")
inputs.incident_id = incident.id
inputs.exo_query_messages_results = query.get("raw")
