# Restores what the plan with the digest removed. The files of the incident say where each message was.
inputs.incident_id = incident.id
inputs.exo_plan_digest = form.exo_plan_digest
