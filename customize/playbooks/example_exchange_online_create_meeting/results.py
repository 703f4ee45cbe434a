# The results of the meeting.
results = playbook.functions.results.exo_meeting_results
