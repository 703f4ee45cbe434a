# Removes the meeting from the calendars of these users.
inputs.incident_id = incident.id
inputs.exo_ical_uid = form.exo_ical_uid
inputs.exo_email_address = form.exo_email_address_list
