"""The tenant of the mock: its users and their messages. All of it is fixed, so records do not change."""
import uuid

PHISHER = "mallory@evil.example"
GUEST = "dave_partner.example#EXT#@contoso.example"
QUOTED = "o'brien+x@contoso.example"
#: By name: principal name, further addresses, number of phishing mails, whether there is a mailbox.
PEOPLE = {
    "ada": ("ada@contoso.example", ["a.lovelace@contoso.example"], 3, True),
    "bob": ("bob@contoso.example", [], 2, True),
    "carl": ("carl@contoso.example", [], 1, True),
    "dora": ("dora@contoso.example", ["ceo@contoso.example"], 0, True),
    "dave": (GUEST, [], 0, True),
    "kiosk": ("kiosk@contoso.example", [], 0, False),
    "mc1": ("mc.one@contoso.example", [], 1, True),
    "mc2": ("mc.two@contoso.example", [], 0, True),
    "obrien": (QUOTED, [], 1, True),
}
#: The names of calls' references. Daemons of several versions share a queue, so this must never change.
NAMESPACE = uuid.UUID("3d0f2c8e-91b7-4a54-8c6e-57a1b9e204d3")


def reference(message_id):
    """What marks everything that is done for the call of that message."""
    return str(uuid.uuid5(NAMESPACE, message_id))


def user(name):
    """A user of the directory, as Graph shows it."""
    principal, aliases, _, has_mailbox = PEOPLE[name]
    return {
        "id": f"id-{name}",
        "userPrincipalName": principal,
        "displayName": name.title(),
        "mail": principal if has_mailbox else None,
        "proxyAddresses": ([f"SMTP:{principal}"] if has_mailbox else []) + [f"smtp:{alias}" for alias in aliases],
        "businessPhones": [],
        "jobTitle": None,
    }


def person(address, name):
    return {"emailAddress": {"name": name, "address": address}}


def message(name, number, phishing):
    """A message. Ids have characters that mean something in addresses."""
    kind = "phish" if phishing else "plain"
    sender = person(PHISHER, "IT <Service>") if phishing else person("eve@partner.example", "Eve")
    subject = f"Invoice {number} & <b>overdue</b>" if phishing else f"Lunch {number}?"
    return {
        "@odata.etag": f'W/"{name}-{number}"',
        "id": f"AA/{name}+{kind}{number}==",
        "subject": subject,
        "from": sender,
        "sender": sender,
        "toRecipients": [person(PEOPLE[name][0], name.title())],
        "hasAttachments": number % 2 == 1,
        "receivedDateTime": f"2024-03-0{number}T10:00:00Z" if phishing else f"2024-02-0{number}T09:30:00Z",
        "webLink": f"https://outlook.example/{name}/{kind}{number}",
        "internetMessageId": f"<{name}.{kind}{number}@mail.example>",
        "parentFolderId": "folder-inbox",
        "isRead": number % 2 == 0,
        "isDraft": False,
        "body": {"contentType": "html", "content": f"<p>Your {'parcel waits' if phishing else 'lunch is ready'}, {name}</p>"},
    }


def mailbox(name):
    """The messages of a mailbox, the latest first."""
    phishing = [message(name, number, True) for number in range(PEOPLE[name][2], 0, -1)]
    return phishing + [message(name, 1, False)]


def mime(entry):
    """A message as MIME text."""
    sender = entry["from"]["emailAddress"]["address"]
    lines = [f"From: {sender}", f"Subject: {entry['subject']}", f"Message-ID: {entry['internetMessageId']}", "", entry["body"]["content"], ""]
    return "\r\n".join(lines).encode()
