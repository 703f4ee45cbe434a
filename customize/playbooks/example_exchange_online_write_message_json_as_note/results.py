# The results of the message.
results = playbook.functions.results.exo_message_results
