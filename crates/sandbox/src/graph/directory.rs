//! The tenant's users: members and guests, with and without a mailbox, many with names that need encoding in URLs.
//!
//! A user is created from the seed on demand. Only an index by name is stored.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::rng::{below, guid, hash, mix, pick};

const DOMAIN: &str = "contoso.example";

const GIVEN: [&str; 64] = [
    "Mia", "Noah", "Emma", "Liam", "Sofia", "Jonas", "Hanna", "Elias", "Clara", "Felix", "Lena", "Paul",
    "Ida", "Oskar", "Greta", "Anton", "Marie", "Jakob", "Nora", "Theo", "Alice", "Henry", "Julia", "Lukas",
    "Amelia", "David", "Carla", "Simon", "Helena", "Adrian", "Martha", "Erik", "Olivia", "Samuel", "Zoe",
    "Victor", "Elsa", "Hugo", "Rosa", "Karl", "Ines", "Bruno", "Vera", "Leon", "Thea", "Robert", "Alma",
    "Frida", "Peter", "Ruth", "Tim", "Selma", "Max", "Edith", "Aaron", "Judith", "Ben", "Agnes", "Milan",
    "Dora", "Kurt", "Lotte", "Nils", "Tilda",
];

const SURNAME: [&str; 64] = [
    "Schneider",
    "Fischer",
    "Weber",
    "Meyer",
    "Wagner",
    "Becker",
    "Hoffmann",
    "Koch",
    "Richter",
    "Klein",
    "Wolf",
    "Neumann",
    "Schwarz",
    "Zimmermann",
    "Braun",
    "Hartmann",
    "Lange",
    "Krause",
    "Lehmann",
    "Keller",
    "Huber",
    "Kaiser",
    "Fuchs",
    "Peters",
    "Lang",
    "Scholz",
    "Weiss",
    "Jung",
    "Hahn",
    "Vogel",
    "Friedrich",
    "Berger",
    "Winkler",
    "Lorenz",
    "Baumann",
    "Franke",
    "Albrecht",
    "Schuster",
    "Simons",
    "Ludwig",
    "Winter",
    "Kraus",
    "Martin",
    "Stein",
    "Jansen",
    "Moreau",
    "Rossi",
    "Novak",
    "Larsen",
    "Silva",
    "Kowalski",
    "Evans",
    "Carter",
    "Bennett",
    "Murphy",
    "Walsh",
    "Nakamura",
    "Tanaka",
    "Okafor",
    "Haddad",
    "Costa",
    "Ferrari",
    "Dubois",
    "Lindqvist",
];

const TITLE: [&str; 12] = [
    "Accountant",
    "Software Engineer",
    "Sales Manager",
    "Plant Operator",
    "Buyer",
    "HR Business Partner",
    "Legal Counsel",
    "Security Analyst",
    "Controller",
    "Team Assistant",
    "Product Owner",
    "Field Technician",
];

const OFFICE: [&str; 8] = [
    "Berlin/3.14",
    "Hamburg/1.02",
    "München/2.20",
    "Wien/1.1",
    "Paris/4.7",
    "Boston/12",
    "Dublin/5",
    "Tokyo/8",
];

const ZONE: [&str; 8] = [
    "W. Europe Standard Time",
    "Eastern Standard Time",
    "W. Europe Standard Time",
    "Europe/Berlin",
    "GMT Standard Time",
    "Pacific Standard Time",
    "Tokyo Standard Time",
    "UTC",
];

const UNICODE_NAMES: [&str; 5] =
    ["山田 太郎", "Łukasz Żółć", "Ægir Þórsson", "Μαρία Παπαδοπούλου", "Zoë 🦊 Großmann"];

/// A user object of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The object id, a GUID.
    pub id: String,
    /// The sign-in name. A guest's name contains `#EXT#`.
    pub user_principal_name: String,
    /// The display name.
    pub display_name: String,
    /// First name.
    pub given_name: String,
    /// Family name.
    pub surname: String,
    /// The mail address. A guest has one outside of the tenant, an unlicensed user has none.
    pub mail: Option<String>,
    /// The job title.
    pub job_title: String,
    /// The office location.
    pub office_location: String,
    /// Whether the user is a guest.
    pub guest: bool,
    /// Whether the user has a mailbox in Exchange Online.
    pub has_mailbox: bool,
}

impl User {
    /// The mailbox's proxy addresses: the primary one with `SMTP:` in capitals, and an alias.
    pub fn proxy_addresses(&self) -> Vec<String> {
        let Some(mail) = &self.mail else { return Vec::new() };
        let local = mail.split('@').next().unwrap_or_default();
        vec![format!("SMTP:{mail}"), format!("smtp:{local}@mail.contoso.example")]
    }
}

/// All users, by number (the order in which `GET /users` lists them) and by name.
#[derive(Debug)]
pub(super) struct Directory {
    seed: u64,
    total: usize,
    without_mailbox: usize,
    name_starts: Vec<String>,
    by_name: HashMap<u64, u32>,
    /// The users by their principal names in lower case, from the first filter on.
    sorted: OnceLock<Vec<u32>>,
}

impl Directory {
    pub(super) fn new(seed: u64, mailboxes: usize, without_mailbox: usize, name_starts: Vec<String>) -> Self {
        let total = mailboxes + without_mailbox;
        let by_name = HashMap::with_capacity(total * 2);
        let sorted = OnceLock::new();
        let mut directory = Self { seed, total, without_mailbox, name_starts, by_name, sorted };
        for number in directory.numbers() {
            let user = directory.user(number);
            directory.by_name.insert(name_hash(&user.user_principal_name), number);
            directory.by_name.insert(name_hash(&user.id), number);
        }
        directory
    }

    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.total).unwrap_or(u32::MAX)
    }

    /// The users whose principal name begins with `start`, which is in lower case, sorted by name.
    pub(super) fn beginning_with(&self, start: &str) -> &[u32] {
        let name = |number: &u32| self.user(*number).user_principal_name.to_lowercase();
        let sorted = self.sorted.get_or_init(|| {
            let mut all: Vec<u32> = self.numbers().collect();
            all.sort_by_cached_key(name);
            all
        });
        let rest = &sorted[sorted.partition_point(|number| name(number).as_str() < start)..];
        &rest[..rest.partition_point(|number| name(number).starts_with(start))]
    }

    /// The user with this object id or userPrincipalName, compared case-insensitively.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let number = *self.by_name.get(&name_hash(name))?;
        let user = self.user(number);
        (user.user_principal_name.eq_ignore_ascii_case(name) || user.id.eq_ignore_ascii_case(name))
            .then_some(number)
    }

    /// The user who has this address: the principal name, the mail address or an alias.
    pub(super) fn find_address(&self, address: &str) -> Option<u32> {
        let number = self.find(address).or_else(|| {
            let (local, _) = address.rsplit_once('@')?;
            let guest = format!("{local}_partner.example#EXT#@contoso.onmicrosoft.example");
            self.find(&format!("{local}@{DOMAIN}")).or_else(|| self.find(&guest))
        })?;
        let user = self.user(number);
        let aliases = user.proxy_addresses();
        let mut addresses = aliases.iter().filter_map(|alias| alias.split_once(':')).map(|(_, alias)| alias);
        let known = user.user_principal_name.eq_ignore_ascii_case(address)
            || addresses.any(|alias| alias.eq_ignore_ascii_case(address));
        known.then_some(number)
    }

    /// Users without a mailbox are spread evenly among the others.
    pub(super) fn has_mailbox(&self, number: u32) -> bool {
        self.without_before(number + 1) == self.without_before(number)
    }

    /// How many users before this one have no mailbox.
    fn without_before(&self, number: u32) -> usize {
        number as usize * self.without_mailbox / self.total
    }

    pub(super) fn time_zone(&self, number: u32) -> &'static str {
        pick(&ZONE, mix(self.seed, 0x20AE, number.into()))
    }

    pub(super) fn user(&self, number: u32) -> User {
        let chance = mix(self.seed, 0x05E2, number.into());
        let has_mailbox = self.has_mailbox(number);
        // An odd factor makes this a permutation of all 4,096 pairs: no two users share a name and a round.
        let pair = (number as usize).wrapping_mul(2_641) + below(self.seed, 4_096);
        let given = GIVEN[pair % 64];
        let surname = SURNAME[pair / 64 % 64];
        let round = number / 4_096;
        let nth = if round == 0 { String::new() } else { (round + 1).to_string() };
        let (g, s) = (given.to_lowercase(), surname.to_lowercase());
        let mut display_name = format!("{given} {surname}");
        let without = self.without_before(number);
        let mut guest = !has_mailbox && without.is_multiple_of(2);
        let mut local = format!("{g}.{s}{nth}");
        if has_mailbox {
            match (number as usize - without) % 50 {
                3 => {
                    local = format!("{g}.o'{s}{nth}");
                    display_name = format!("{given} O'{surname}");
                }
                7 => local = format!("{g}.{s}+news{nth}"),
                11 => guest = true,
                15 => {
                    local = format!("r&d.{g}.{s}{nth}");
                    display_name = format!("{given} {surname} (R&D)");
                }
                19 => {
                    local = format!("50%.{g}.{s}{nth}");
                    display_name = format!("{surname}, {given} \"50%\"");
                }
                23 => {
                    local = format!("mc{s}.{g}{nth}");
                    display_name = format!("{given} Mc{surname}");
                }
                27 => pick(&UNICODE_NAMES, chance).clone_into(&mut display_name),
                31 => local = format!("{g}.{s}/ext{nth}"),
                _ => {}
            }
        }
        if !self.name_starts.is_empty() {
            local.insert_str(0, &self.name_starts[number as usize % self.name_starts.len()]);
        }
        let (user_principal_name, mail) = if guest {
            let name = format!("{local}_partner.example#EXT#@contoso.onmicrosoft.example");
            (name, Some(format!("{local}@partner.example")))
        } else {
            let name = format!("{local}@{DOMAIN}");
            (name.clone(), has_mailbox.then_some(name))
        };
        User {
            id: guid(chance, mix(self.seed, 0x1D, number.into())),
            user_principal_name,
            display_name,
            given_name: given.to_owned(),
            surname: surname.to_owned(),
            mail,
            job_title: pick(&TITLE, chance >> 8).to_owned(),
            office_location: pick(&OFFICE, chance >> 16).to_owned(),
            guest,
            has_mailbox,
        }
    }
}

fn name_hash(name: &str) -> u64 {
    hash(0, &name.to_ascii_lowercase())
}
