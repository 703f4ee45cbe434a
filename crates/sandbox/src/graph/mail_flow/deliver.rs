//! Mail that a test lets arrive while the tenant runs.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::delivery::{Click, Delivery, Fate, PostDeliveryEvent};
use super::passage::{File, Mail, Place, Recorded, network_message_id, size};
use crate::graph::calendar::process;
use crate::graph::changes::Changes;
use crate::graph::message::{Text, Written};
use crate::graph::options::{Address, MessageId};
use crate::graph::state::State;
use crate::graph::tenant::Tenant;

/// The copy of a mail in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The address as the sender wrote it, or as the list that was expanded names it.
    pub recipient: String,
    /// The principal name of the mailbox's owner.
    pub mailbox: String,
    /// The message's id.
    pub id: String,
}

/// Mail that arrives.
impl Tenant {
    /// The present time of the indexes of mail: that of the tenant, or of the clock if it is later.
    pub fn present(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.state().base.present()).unwrap_or_default()
    }

    /// Makes `address` a distribution list with these members, each a mailbox, another list or an address outside.
    pub fn add_list<A: AsRef<str>>(&self, address: &str, members: impl IntoIterator<Item = A>) {
        let members = members.into_iter().map(|member| member.as_ref().to_owned()).collect();
        self.state().changes().flow.lists.insert(address.to_ascii_lowercase(), members);
    }

    /// Lets a mail arrive for all of its recipients, and returns the copies. Each recipient has a row in the message
    /// trace that stays whatever happens to the copy. A list has one with the status `expanded`, and so do lists in it;
    /// each of their members has one.
    pub fn deliver(&self, delivery: &Delivery) -> Vec<Copy> {
        let state = self.state();
        let mut changes = state.changes();
        let files = File::among(&delivery.attachments);
        let mail = Arc::new(Mail {
            network_message_id: network_message_id(&delivery.message_id),
            message_id: delivery.message_id.clone(),
            sender: delivery.envelope_from.clone().unwrap_or_else(|| delivery.from.address.clone()),
            from: delivery.from.address.clone(),
            subject: delivery.subject.clone(),
            received: delivery.received.timestamp(),
            size: size(&delivery.body, &files),
            from_ip: delivery.from_ip.clone(),
            urls: delivery.urls.clone(),
            files,
        });
        let mut arrival = Arrival {
            state,
            changes: &mut changes,
            delivery,
            mail,
            copies: Vec::new(),
            seen: HashSet::new(),
        };
        for recipient in &delivery.recipients {
            arrival.reach(&recipient.address, recipient.fate);
        }
        arrival.copies
    }

    /// Records a click on a link.
    pub fn add_click(&self, click: Click) {
        self.state().changes().flow.clicks.push(click);
    }

    /// Records what Defender did to a mail after its delivery.
    pub fn add_post_delivery_event(&self, event: PostDeliveryEvent) {
        self.state().changes().flow.post_delivery.push(event);
    }
}

/// A mail that reaches its recipients.
struct Arrival<'a> {
    state: &'a State,
    changes: &'a mut Changes,
    delivery: &'a Delivery,
    mail: Arc<Mail>,
    copies: Vec<Copy>,
    /// Addresses in lower case. Each gets a mail once, and lists may contain each other.
    seen: HashSet<String>,
}

impl Arrival<'_> {
    fn reach(&mut self, address: &str, fate: Fate) {
        let folded = address.to_ascii_lowercase();
        if !self.seen.insert(folded.clone()) {
            return;
        }
        if let Some(members) = self.changes.flow.lists.get(&folded).cloned() {
            self.record(address, "expanded", None, false);
            for member in members {
                self.reach(&member, fate);
            }
            return;
        }
        let directory = &self.state.base.directory;
        let user = directory.find_address(address);
        let mailbox = user.filter(|number| directory.has_mailbox(*number));
        let copy = mailbox.and_then(|mailbox| self.put(address, mailbox, fate));
        self.record(address, fate.status(), copy, user.is_none());
    }

    /// Puts a copy into a mailbox, if there is to be one.
    fn put(&mut self, address: &str, mailbox: u32, fate: Fate) -> Option<Place> {
        let folder = self.state.folder_named_in(self.changes, mailbox, fate.folder()?).ok()?;
        let Delivery { from, subject, html, body, attachments, headers, message_id, meeting, .. } =
            self.delivery;
        let owner = self.state.base.directory.user(mailbox);
        self.changes.written += 1;
        let mut internet_headers = headers.clone();
        internet_headers.push((
            "X-MS-Exchange-Organization-Network-Message-Id".to_owned(),
            self.mail.network_message_id.clone(),
        ));
        let written = Written {
            subject: subject.clone(),
            from: Some(from.clone()),
            to: vec![Address::new(owner.display_name, address)],
            html: *html,
            body: body.clone(),
            attachments: attachments.clone(),
            internet_headers,
            number: self.changes.written,
            message_id: MessageId::Own(message_id.clone()),
            meeting: meeting
                .clone()
                .map(|meeting| Arc::new(process(&self.state.base, self.changes, mailbox, meeting))),
            ..Written::default()
        };
        let text = Text::Written(Arc::new(written));
        let own = self.changes.mailboxes.entry(mailbox).or_default();
        let item = own.add(self.mail.received, folder, text);
        self.copies.push(Copy {
            recipient: address.to_owned(),
            mailbox: owner.user_principal_name,
            id: self.state.base.own_id(mailbox, item.key),
        });
        Some((mailbox, item.root, folder))
    }

    fn record(&mut self, recipient: &str, status: &'static str, copy: Option<Place>, outside: bool) {
        let recorded = Recorded {
            mail: Arc::clone(&self.mail),
            recipient: recipient.to_owned(),
            status,
            copy,
            to_ip: if outside { "192.0.2.40" } else { "" },
        };
        self.changes.flow.passages.push(Arc::new(recorded));
    }
}
