# Writes a note with the profile, or a note that says why there is no profile.
user = results.content or {}
error = user.get("error")
if results.success and not error:
    def known(names):
        """Returns those of the properties that are set, in one line, as HTML."""
        return u" \u00b7 ".join(escaped(user.get(name)) for name in names if user.get(name))

    addresses = [u"mail", u"userPrincipalName"]
    if user.get("mail") == user.get("userPrincipalName"):
        addresses = addresses[:1]
    phones = [phone for phone in [user.get("mobilePhone")] + (user.get("businessPhones") or []) if phone]
    add_note(u"user profile of {0}".format(escaped(artifact.value)), [], [
        (u"Name: ", known(["displayName", "jobTitle"])),
        (u"Mail: ", known(addresses)),
        (u"Phone: ", escaped(u", ".join(phones))),
        (u"Office: ", known(["officeLocation", "preferredLanguage"])),
        (u"Directory id: ", known(["id"])),
    ])
else:
    add_note(u"no user profile of {0}".format(escaped(artifact.value)), [why(error)])
