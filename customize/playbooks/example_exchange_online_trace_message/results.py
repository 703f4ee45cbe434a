# The results of the trace.
results = playbook.functions.results.exo_trace_results
