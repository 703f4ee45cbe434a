# Copies what only forms without a plan have. What users have deleted is removed already, and a plan adds no rows.
if form.exo_include_recoverable is not None:
    inputs.exo_include_recoverable = form.exo_include_recoverable
# The form may have the choices in a collection of another kind; an input takes a list.
if form.exo_query_output_format:
    inputs.exo_query_output_format = [choice for choice in form.exo_query_output_format]
