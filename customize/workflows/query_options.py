# Copies what the form of every query has.
inputs.incident_id = incident.id
if form.exo_start_date:
    inputs.exo_start_date = form.exo_start_date
if form.exo_end_date:
    inputs.exo_end_date = form.exo_end_date
if form.exo_search_strategy:
    inputs.exo_search_strategy = form.exo_search_strategy
