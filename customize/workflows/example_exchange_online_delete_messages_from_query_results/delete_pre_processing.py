# Deletes what the query found, if it found as many messages as the form expects. If the query failed and the run
# continues, there is nothing to delete.
found = 0
for mailbox in (query.get("content") or {}).get("email_results") or []:
    found += len(mailbox.get("email_list") or [])
expected = form.exo_expected_messages
if not query.get("success"):
    inputs.exo_query_messages_results = u"[]"
elif expected is not None and int(expected) == found:
    inputs.exo_query_messages_results = query.get("raw")
else:
    # Also where a failure does not end the run, nothing is deleted.
    inputs.exo_query_messages_results = u"[]"
    helper.fail(
        u"Nothing was deleted: the query found {0} messages, and the form expects {1}. Run Query Messages with the "
        u"same fields, look at its rows, and give the number found.".format(
            found, u"no number" if expected is None else int(expected)
        )
    )
