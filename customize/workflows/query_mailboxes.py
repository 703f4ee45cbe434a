# Searches the mailboxes that the form names.
if form.exo_email_address_list:
    inputs.exo_email_address = form.exo_email_address_list
