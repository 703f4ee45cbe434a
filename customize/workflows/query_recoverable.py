# Copies whether to look at what users have deleted, too. A plan does not: such messages are removed already.
if form.exo_include_recoverable is not None:
    inputs.exo_include_recoverable = form.exo_include_recoverable
