# The results of the mail.
results = playbook.functions.results.exo_mail_results
