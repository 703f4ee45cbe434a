//! A message's JSON.

use serde_json::{Value, json};

use super::attachments;
use super::calendar;
use super::folder::Folder;
use super::headers;
use super::identifier::IdForm;
use super::json::{Object, string};
use super::message::{Message, date_time, web_link};
use super::options::Address;
use super::query::encode;
use super::rng::guid;
use super::view::View;

impl Message<'_> {
    /// Appends the message as JSON, with `context` as `@odata.context` if the message is the whole response, and with
    /// the calendar entry that it is about, if that is to be shown.
    pub(super) fn write(&self, out: &mut Vec<u8>, view: &View, context: Option<&str>, event: Option<&Value>) {
        let chance = self.chance();
        let id = match view.ids {
            IdForm::Default => self.id(),
            IdForm::Immutable => self.immutable_id(),
        };
        let mut object = Object::begin(out);
        if let Some(context) = context {
            object.text("@odata.context", context);
        }
        let meeting = self.item.meeting();
        if let Some(meeting) = meeting {
            object.text("@odata.type", meeting.message.news.odata_type());
        }
        let change_key = format!("CQAAABYAAA{chance:016X}AAA");
        object.text("@odata.etag", &format!("W/\"{change_key}\""));
        object.text("id", &id);
        for property in view.select.properties() {
            self.write_property(&mut object, property, chance, &id, &change_key, view.text_body);
        }
        if let Some(meeting) = meeting {
            let out_of_date = self.item.marks.out_of_date;
            calendar::write_properties(&mut object, meeting, out_of_date, view.select.meeting());
        }
        if let Some(event) = event {
            let (root, user) = (&self.base.root, self.base.directory.user(self.mailbox).id);
            let context = format!(
                "{root}/$metadata#users('{user}')/messages('{}')/microsoft.graph.eventMessage/event/$entity",
                encode(&id)
            );
            object.text("event@odata.context", &context).raw("event", &event.to_string());
        }
        self.item.marks.properties.write_expanded(&mut object, &view.expand.properties);
        if let Some(select) = view.expand.attachments {
            attachments::write_expanded(&mut object, self, &id, select);
        }
        object.end();
    }

    fn write_property(
        &self,
        object: &mut Object<'_>,
        property: &'static str,
        chance: u64,
        id: &str,
        change_key: &str,
        text_body: bool,
    ) {
        match property {
            "createdDateTime" | "lastModifiedDateTime" | "receivedDateTime" => {
                object.text(property, &date_time(self.received()))
            }
            "sentDateTime" => object.text(property, &date_time(self.sent())),
            "changeKey" => object.text(property, change_key),
            "replyTo" => object.raw(property, "[]"),
            "categories" => object.raw(property, &json!(self.item.marks.categories).to_string()),
            "hasAttachments" => object.boolean(property, self.has_attachments()),
            "internetMessageId" => match self.internet_message_id() {
                Some(id) => object.text(property, &id),
                None => object.raw(property, "null"),
            },
            "subject" => object.text(property, &self.subject()),
            "bodyPreview" => object.text(property, &preview(&self.text())),
            "importance" => object.raw(property, "\"normal\""),
            "parentFolderId" => object.text(property, &self.folder_id()),
            "conversationId" => {
                object.text(property, &format!("AAQkAG{}=", guid(chance, !chance).replace('-', "")))
            }
            "conversationIndex" => object.text(property, &format!("AQHb{chance:016x}==")),
            "isDeliveryReceiptRequested" => object.raw(property, "null"),
            "isReadReceiptRequested" => object.raw(property, "false"),
            "isRead" => object.boolean(property, self.is_read()),
            "isDraft" => object.boolean(property, self.is_draft()),
            "webLink" => object.text(property, &web_link(id)),
            "inferenceClassification" => object.raw(property, "\"focused\""),
            "body" | "uniqueBody" => {
                let (body, html) = if text_body { (self.text(), false) } else { self.body() };
                let mut value = Object::begin(object.key(property));
                value.text("contentType", if html { "html" } else { "text" }).text("content", &body);
                value.end();
                object
            }
            // A message that did not arrive has none.
            "internetMessageHeaders" if self.item.folder == Folder::SENT || self.is_draft() => object,
            "internetMessageHeaders" => {
                headers::write(object.key(property), &self.headers());
                object
            }
            "sender" | "from" => {
                if let Some(from) = self.from() {
                    recipient(object.key(property), &from);
                }
                object
            }
            "toRecipients" => recipients(object, property, &self.to()),
            "ccRecipients" => recipients(object, property, self.written().map_or(&[], |written| &written.cc)),
            "bccRecipients" => {
                recipients(object, property, self.written().map_or(&[], |written| &written.bcc))
            }
            _ => object.raw(property, &self.item.marks.flag.json()),
        };
    }
}

fn recipients<'o, 'b>(object: &'b mut Object<'o>, key: &str, addresses: &[Address]) -> &'b mut Object<'o> {
    let out = object.key(key);
    out.push(b'[');
    for (nth, address) in addresses.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        recipient(out, address);
    }
    out.push(b']');
    object
}

fn recipient(out: &mut Vec<u8>, address: &Address) {
    out.extend_from_slice(b"{\"emailAddress\":{\"name\":");
    string(out, &address.name);
    out.extend_from_slice(b",\"address\":");
    string(out, &address.address);
    out.extend_from_slice(b"}}");
}

/// Returns the first 255 characters.
fn preview(text: &str) -> String {
    text.chars().take(255).collect()
}
