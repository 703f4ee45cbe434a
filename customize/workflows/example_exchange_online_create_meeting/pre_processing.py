# Copies the fields of the form into the meeting. An empty field leaves the function's own input as it is.
if form.exo_meeting_email_address:
    inputs.exo_meeting_email_address = form.exo_meeting_email_address
if form.exo_meeting_start_time:
    inputs.exo_meeting_start_time = form.exo_meeting_start_time
if form.exo_meeting_end_time:
    inputs.exo_meeting_end_time = form.exo_meeting_end_time
if form.exo_meeting_subject:
    inputs.exo_meeting_subject = form.exo_meeting_subject
if form.exo_meeting_body and form.exo_meeting_body.content:
    inputs.exo_meeting_body = form.exo_meeting_body.content
if form.exo_meeting_required_attendees:
    inputs.exo_meeting_required_attendees = form.exo_meeting_required_attendees
if form.exo_meeting_optional_attendees:
    inputs.exo_meeting_optional_attendees = form.exo_meeting_optional_attendees
if form.exo_meeting_location:
    inputs.exo_meeting_location = form.exo_meeting_location
