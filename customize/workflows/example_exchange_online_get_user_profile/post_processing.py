# Writes a note with the profile, or a note that says why there is no profile.
user = results.content or {}
error = user.get("error")
if results.success and not error:
    phones = [phone for phone in [user.get("mobilePhone")] + (user.get("businessPhones") or []) if phone]
    add_note(u"user profile of {0}".format(escaped(artifact.value)), [
        (name, escaped(value))
        for name, value in (
            (u"Name: ", user.get("displayName") or u""),
            (u"Job title: ", user.get("jobTitle") or u""),
            (u"Mail: ", user.get("mail") or u""),
            (u"User name: ", user.get("userPrincipalName") or u""),
            (u"Phone: ", u", ".join(phones)),
            (u"Office: ", user.get("officeLocation") or u""),
            (u"Language: ", user.get("preferredLanguage") or u""),
            (u"Directory id: ", user.get("id") or u""),
        )
    ])
else:
    add_note(u"no user profile of {0}".format(escaped(artifact.value)), [(u"", why(error))])
