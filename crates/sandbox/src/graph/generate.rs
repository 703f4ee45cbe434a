//! The content of a mailbox at the start: created from the seed on demand and never stored, so that unused mailboxes
//! need no memory.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::directory::Directory;
use super::folder::Folder;
use super::options::{Address, Phish};
use super::rng::{below, mix, pick};

/// The age of the oldest message, in seconds.
const SPAN: i64 = 120 * 86_400;

const SUBJECT: [&str; 40] = [
    "Quarterly figures",
    "Re: Quarterly figures",
    "Minutes of the team meeting",
    "Invoice #{n}",
    "Your order {n} has shipped",
    "AW: Angebot Nr. {n} für die Lieferung",
    "Lunch on Friday?",
    "Travel request {n} approved",
    "Rückfrage zur Überweisung",
    "50% off this week only",
    "He wrote \"it's done\"",
    "Don't forget: timesheets",
    "Welcome aboard 🎉",
    "Deployment finished ✅",
    "FW: R&D roadmap",
    "Contract draft v{n} (final)",
    "Reminder: security training",
    "Meeting room 3.14 is moving",
    "Re: Re: printer on floor 2",
    "Ticket #{n} was updated",
    "Weekly newsletter",
    "Vacation calendar",
    "Budget 2026 — first draft",
    "Question about clause {n}",
    "Password policy: what changes",
    "Build {n} is green",
    "Café und Croissants morgen früh",
    "Action required: approve invoice {n}",
    "Access request {n}",
    "Photos from the summer party",
    "見積書 {n}",
    "Candidate interview on Monday",
    "C:\\temp\\report.xlsx",
    "Delivery note {n} / {n}",
    "SLA report",
    "Parking permit 'B'",
    "Re: offsite agenda",
    "Audit findings + actions",
    "Let's sync",
    "",
];

const EXTERNAL: [(&str, &str); 16] = [
    ("Northwind Orders", "orders@northwind.example"),
    ("Fabrikam Billing", "billing@fabrikam.example"),
    ("Adatum Travel", "no-reply@travel.adatum.example"),
    ("Dave O'Connor", "dave.o'connor@partner.example"),
    ("Litware Newsletter", "news+weekly@litware.example"),
    ("Anna Bergström", "anna.bergstrom@tailspin.example"),
    ("Woodgrove Bank", "service@woodgrovebank.example"),
    ("Build Server", "ci@builds.example"),
    ("Proseware Support", "support@proseware.example"),
    ("Wingtip Toys", "info@wingtiptoys.example"),
    ("Kanzlei Müller & Partner", "kanzlei@mueller-partner.example"),
    ("VanArsdel HR", "jobs@vanarsdel.example"),
    ("The Phone Company", "rechnung@phone-company.example"),
    ("Trey Research", "hello@trey-research.example"),
    ("Alpine Ski House", "booking@alpineskihouse.example"),
    ("Calendar", "calendar-notification@calendar.example"),
];

const OPENING: [&str; 6] =
    ["Hello,", "Hi all,", "Good morning,", "Guten Tag,", "Dear colleague,", "Bonjour,"];

const SENTENCE: [&str; 20] = [
    "Please find the numbers for the last quarter below.",
    "Could you have a look at the attached draft before Thursday?",
    "The shipment left our warehouse this morning and should arrive in three days.",
    "We moved the review to Monday because two of us are travelling.",
    "Thanks for the quick answer, that settles it.",
    "The amount of 1.250,00 € will be booked on the first of the month.",
    "If you have any questions, just call me.",
    "The new printer is ready, the driver installs itself.",
    "Bitte prüfen Sie die Angaben und geben Sie uns kurz Bescheid.",
    "The build took eleven minutes and all tests passed.",
    "You need to do nothing before the maintenance window.",
    "I added the missing figures on page four & five.",
    "Our offer is valid until the end of the month.",
    "The minutes are in the usual folder.",
    "Remember to lock your screen when you leave your desk.",
    "We are looking forward to seeing you at the summer party.",
    "The room is booked from nine to eleven.",
    "Your request was approved by your team lead.",
    "Let me know whether the time suits you.",
    "The customer asked for a second opinion on the contract.",
];

const CLOSING: [&str; 5] = ["Best regards", "Kind regards", "Viele Grüße", "Thanks", "See you tomorrow"];

/// One of a mailbox's original messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Origin {
    /// An everyday message, by number: 0 is the newest.
    Everyday(u32),
    /// A copy of the planted mail, by number.
    Phish(u32),
}

/// Creates every mailbox's original messages.
#[derive(Debug)]
pub(super) struct Generator {
    pub(super) seed: u64,
    pub(super) now: i64,
    pub(super) per_mailbox: u32,
    pub(super) phish: Option<Phish>,
    /// The mailboxes that have the phishing mail, in ascending order.
    pub(super) infected: Vec<u32>,
}

impl Generator {
    /// All original messages of a mailbox, in no particular order.
    pub(super) fn origins(&self, mailbox: u32) -> impl Iterator<Item = Origin> + use<'_> {
        let infected = self.infected.binary_search(&mailbox).is_ok();
        let copies = self.phish.as_ref().filter(|_| infected).map_or(0, |phish| phish.copies);
        (0..self.per_mailbox).map(Origin::Everyday).chain((0..copies).map(Origin::Phish))
    }

    /// The original messages of a mailbox that were received from one second to another, both included.
    pub(super) fn origins_between(
        &self,
        mailbox: u32,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = Origin> + use<'_> {
        let step = self.step();
        let number = |seconds: i64| u32::try_from(seconds.max(0) / step).unwrap_or(u32::MAX);
        let first = number(self.now - to).saturating_sub(1);
        let last = number(self.now - from).saturating_add(1).min(self.per_mailbox);
        let infected = self.infected.binary_search(&mailbox).is_ok();
        let copies = self.phish.as_ref().filter(|_| infected).map_or(0, |phish| phish.copies);
        (first..last)
            .map(Origin::Everyday)
            .chain((0..copies).map(Origin::Phish))
            .filter(move |origin| (from..=to).contains(&self.received(mailbox, *origin)))
    }

    /// The time between two everyday messages, in seconds.
    fn step(&self) -> i64 {
        (SPAN / i64::from(self.per_mailbox.max(1))).max(1)
    }

    /// Whether the mailbox had this message at the start.
    pub(super) fn exists(&self, mailbox: u32, origin: Origin) -> bool {
        match origin {
            Origin::Everyday(number) => number < self.per_mailbox,
            Origin::Phish(copy) => {
                self.infected.binary_search(&mailbox).is_ok()
                    && self.phish.as_ref().is_some_and(|phish| copy < phish.copies)
            }
        }
    }

    /// The number that a message's content is derived from.
    pub(super) fn chance(&self, mailbox: u32, origin: Origin) -> u64 {
        let number = match origin {
            Origin::Everyday(number) => u64::from(number),
            Origin::Phish(copy) => u64::from(copy) | 1 << 40,
        };
        mix(self.seed, mailbox.into(), number)
    }

    /// When it was received, in seconds since 1970.
    pub(super) fn received(&self, mailbox: u32, origin: Origin) -> i64 {
        let chance = self.chance(mailbox, origin).cast_signed();
        match (origin, &self.phish) {
            (Origin::Phish(copy), Some(phish)) => {
                let last = self.now - phish.age.num_seconds();
                last - i64::from(copy) * 420 - chance.rem_euclid(300)
            }
            (Origin::Everyday(number) | Origin::Phish(number), _) => {
                let step = self.step();
                self.now - i64::from(number) * step - chance.rem_euclid(step)
            }
        }
    }

    /// Its folder at the start.
    pub(super) fn folder(&self, mailbox: u32, origin: Origin) -> Folder {
        match (origin, self.chance(mailbox, origin) >> 32 & 31) {
            (Origin::Phish(_), 0..=27) | (Origin::Everyday(_), 0..=24) => Folder::INBOX,
            (Origin::Phish(_), _) | (Origin::Everyday(_), 25) => Folder::JUNK,
            (Origin::Everyday(_), 26..=28) => Folder::ARCHIVE,
            (Origin::Everyday(_), _) => Folder::DELETED,
        }
    }

    pub(super) fn has_attachments(&self, mailbox: u32, origin: Origin) -> bool {
        matches!(origin, Origin::Everyday(_)) && (self.chance(mailbox, origin) >> 24).is_multiple_of(8)
    }

    pub(super) fn subject(&self, mailbox: u32, origin: Origin) -> Cow<'_, str> {
        if let (Origin::Phish(_), Some(phish)) = (origin, &self.phish) {
            return Cow::Borrowed(&phish.subject);
        }
        let chance = self.chance(mailbox, origin);
        let subject = pick(&SUBJECT, chance >> 8);
        if subject.contains("{n}") {
            Cow::Owned(subject.replace("{n}", &(1_000 + below(chance >> 16, 9_000)).to_string()))
        } else {
            Cow::Borrowed(subject)
        }
    }

    pub(super) fn from(&self, directory: &Directory, mailbox: u32, origin: Origin) -> Address {
        if let (Origin::Phish(_), Some(phish)) = (origin, &self.phish) {
            return phish.sender.clone();
        }
        let chance = self.chance(mailbox, origin);
        if (chance >> 40).is_multiple_of(4) {
            let users = directory.numbers().len();
            let colleague = directory.user(u32::try_from(below(chance >> 4, users)).unwrap_or(0));
            Address::new(colleague.display_name, colleague.mail.unwrap_or(colleague.user_principal_name))
        } else {
            let (name, address) = pick(&EXTERNAL, chance >> 44);
            Address::new(name, address)
        }
    }

    /// The text's paragraphs.
    pub(super) fn paragraphs(&self, mailbox: u32, origin: Origin) -> Vec<&str> {
        if let (Origin::Phish(_), Some(phish)) = (origin, &self.phish) {
            return vec!["Dear user,", &phish.text, &phish.link];
        }
        let chance = self.chance(mailbox, origin);
        let mut paragraphs = vec![pick(&OPENING, chance >> 3)];
        for nth in 0..2 + (chance >> 50 & 3) {
            paragraphs.push(pick(&SENTENCE, mix(chance, 7, nth)));
        }
        paragraphs.push(pick(&CLOSING, chance >> 13));
        paragraphs
    }

    /// The text as HTML.
    pub(super) fn html(&self, mailbox: u32, origin: Origin) -> String {
        let mut html = String::from(
            "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body>",
        );
        for paragraph in self.paragraphs(mailbox, origin) {
            let text = paragraph.replace('&', "&amp;").replace('<', "&lt;");
            if paragraph.starts_with("https://") {
                html.push_str("<p><a href=\"");
                html.push_str(&text.replace('"', "&quot;"));
                html.push_str("\">");
                html.push_str(&text);
                html.push_str("</a></p>");
            } else {
                html.push_str("<p>");
                html.push_str(&text);
                html.push_str("</p>");
            }
        }
        html.push_str("</body></html>");
        html
    }
}

/// Whether an everyday message can contain this lower-case word, so that a search need not create every text.
pub(super) fn everyday_text_may_hold(word: &str) -> bool {
    static ALL: LazyLock<String> = LazyLock::new(|| {
        let all: Vec<&str> = OPENING.iter().chain(&SENTENCE).chain(&CLOSING).copied().collect();
        all.join("\n").to_lowercase()
    });
    ALL.contains(word)
}
