# The results of the move.
results = playbook.functions.results.exo_move_results
