#!/usr/bin/env python3
"""Runs Microsoft's own Python client against the sandbox's Graph: what it understands, a client of the service understands.

Usage: graph_client.py BINARY. Starts `BINARY sandbox --serve` on loopback ports and ends it again.
"""

import asyncio
import configparser
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import httpx
from azure.core.credentials import AccessToken
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.attachment_item import AttachmentItem
from msgraph.generated.models.attachment_type import AttachmentType
from msgraph.generated.models.attendee import Attendee
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.event import Event
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.message import Message
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.users.item.messages.item.attachments.create_upload_session.create_upload_session_post_request_body \
    import CreateUploadSessionPostRequestBody
from msgraph.generated.users.item.messages.item.move.move_post_request_body import MovePostRequestBody
from msgraph.generated.users.item.messages.messages_request_builder import MessagesRequestBuilder
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody
from msgraph_core.requests.batch_request_content import BatchRequestContent

SCOPE = "https://graph.microsoft.com/.default"


class SandboxCredential:
    """Asks the sandbox's token endpoint with the client credentials grant, as azure-identity asks Entra ID."""

    def __init__(self, options):
        self.options = options

    def get_token(self, *scopes, **_):
        form = {"grant_type": "client_credentials", "client_id": self.options["client_id"],
                "client_secret": self.options["client_secret"], "scope": scopes[0]}
        url = self.options["microsoft_graph_token_url"].replace("{tenant}", self.options["tenant_id"])
        answer = httpx.post(url, data=form, verify=self.options["verify"]).raise_for_status().json()
        return AccessToken(answer["access_token"], int(time.time()) + int(answer["expires_in"]))


def client_for(options):
    transport = httpx.AsyncClient(verify=options["verify"], base_url=options["microsoft_graph_url"])
    host = httpx.URL(options["microsoft_graph_url"]).host
    provider = AzureIdentityAuthenticationProvider(SandboxCredential(options), scopes=[SCOPE], allowed_hosts=[host])
    adapter = GraphRequestAdapter(provider, client=transport)
    adapter.base_url = options["microsoft_graph_url"]
    return GraphServiceClient(request_adapter=adapter), transport


def recipient(address):
    return Recipient(email_address=EmailAddress(address=address))


async def list_users_and_messages(client):
    users = await client.users.get()
    assert users.value and users.odata_next_link, "users come in pages"
    more = await client.users.with_url(users.odata_next_link).get()
    assert more.value[0].id not in {user.id for user in users.value}
    mailbox = users.value[0].user_principal_name
    query = MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(
        select=["id", "subject", "from", "receivedDateTime", "internetMessageId", "parentFolderId", "isRead"],
        filter="hasAttachments eq false", top=3)
    page = await client.users.by_user_id(mailbox).messages.get(RequestConfiguration(query_parameters=query))
    assert 0 < len(page.value) <= 3 and page.value[0].received_date_time and page.value[0].parent_folder_id
    by_id = await client.users.by_user_id(users.value[0].id).messages.get()
    assert by_id.value, "a mailbox is found by its user's id as well"
    return mailbox, [message.id for message in page.value]


async def get_move_and_delete(client, mailbox, ids):
    messages = client.users.by_user_id(mailbox).messages
    message = await messages.by_message_id(ids[0]).get()
    assert message.subject is not None and message.body.content_type in (BodyType.Html, BodyType.Text)
    mime = await messages.by_message_id(ids[0]).content.get()
    assert b"Subject:" in mime
    moved = await messages.by_message_id(ids[0]).move.post(MovePostRequestBody(destination_id="deleteditems"))
    folder = await client.users.by_user_id(mailbox).mail_folders.by_mail_folder_id("deleteditems").get()
    assert moved.parent_folder_id == folder.id
    await messages.by_message_id(moved.id).delete()
    try:
        await messages.by_message_id(moved.id).get()
    except ODataError as error:
        assert error.response_status_code == 404 and error.error.code == "ErrorItemNotFound", error
    else:
        raise AssertionError("a deleted message is still there")


async def send(client, mailbox, other):
    mail = Message(subject="Warning", body=ItemBody(content_type=BodyType.Html, content="<p>Look out</p>"),
                   to_recipients=[recipient(other)])
    await client.users.by_user_id(mailbox).send_mail.post(SendMailPostRequestBody(message=mail, save_to_sent_items=True))
    draft = await client.users.by_user_id(mailbox).messages.post(mail)
    assert draft.is_draft
    item = AttachmentItem(attachment_type=AttachmentType.File, name="evidence.bin", size=4_000_000)
    attachments = client.users.by_user_id(mailbox).messages.by_message_id(draft.id).attachments
    session = await attachments.create_upload_session.post(CreateUploadSessionPostRequestBody(attachment_item=item))
    assert session.upload_url and session.expiration_date_time
    return draft, session


async def upload(session, transport):
    """Ranges as the documentation has them (Graph page "Attach large files"): 200 with what is expected next, then 201."""
    content, size = bytes(4_000_000), 327_680 * 6
    for start in range(0, len(content), size):
        part = content[start:start + size]
        headers = {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(content)}",
                   "Content-Type": "application/octet-stream"}
        answer = await transport.put(session.upload_url, content=part, headers=headers)
        if start + len(part) < len(content):
            assert answer.status_code == 200 and answer.json()["nextExpectedRanges"], answer.text
    assert answer.status_code == 201 and answer.headers["Location"], answer.text


async def send_draft(client, mailbox, draft):
    await client.users.by_user_id(mailbox).messages.by_message_id(draft.id).send.post()


async def batch(client, mailbox, ids):
    content = BatchRequestContent()
    for message in ids[1:]:
        part = RequestInformation()
        part.http_method = Method.GET
        # Addresses in a batch are relative to the version (Graph page "JSON batching").
        part.url = f"/users/{quote(mailbox, safe='@')}/messages/{quote(message, safe='')}"
        content.add_request_information(part)
    answers = await client.batch.post(content)
    assert len(answers.responses) == len(ids) - 1
    assert all(answer.status == 200 for answer in answers.responses.values())


async def create_event(client, mailbox, other):
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    at = lambda hour: DateTimeTimeZone(date_time=f"{day}T{hour}:00:00", time_zone="Pacific Standard Time")
    event = Event(subject="Incident call", start=at("09"), end=at("10"), transaction_id="transaction-1",
                  attendees=[Attendee(email_address=EmailAddress(address=other))])
    events = client.users.by_user_id(mailbox).calendar.events
    made = await events.post(event)
    again = await events.post(event)
    assert made.id == again.id, "a transaction id makes one event"
    assert made.i_cal_u_id and made.start.time_zone, made


async def run(options):
    client, transport = client_for(options)
    mailbox, ids = await list_users_and_messages(client)
    users = await client.users.get()
    other = users.value[1].user_principal_name
    await get_move_and_delete(client, mailbox, ids)
    draft, session = await send(client, mailbox, other)
    await upload(session, transport)
    await send_draft(client, mailbox, draft)
    await batch(client, mailbox, ids)
    await create_event(client, mailbox, other)
    await transport.aclose()


def options_of(directory):
    """The options of `[fn_exchange_online]` that the sandbox writes for a daemon."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(Path(directory) / "app.config")
    return parser["fn_exchange_online"]


def main():
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.argv[1], "sandbox", "--serve", "--directory", directory, "--mailboxes", "1500", "--throttled", "0",
                   "--latency", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
            try:
                for line in sandbox.stdout:
                    if "--call" in line:
                        break
                asyncio.run(run(options_of(directory)))
            finally:
                sandbox.terminate()
    print("Microsoft's Python client works with the sandbox: list, get, move, delete, send, batch, upload session, events")


if __name__ == "__main__":
    main()
