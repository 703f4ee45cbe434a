//! What a restoration asks for.

use uuid::Uuid;

use super::results::{self, Removals};
use super::wanted::{Place, Wanted};
use crate::functions::error::Error;
use crate::functions::inputs::{Inputs, Reader};
use graph::SearchScope;
use graph::attachments::Sha256;

const ONE_WAY: &str = "Say in one way which messages are to be restored: by exo_plan_digest, by exo_deletion_results, or \
                       one message by exo_email_address and exo_messages_id.";

/// What a restoration asks for.
pub(in crate::functions) struct Wish {
    pub(super) incident: Option<i64>,
    pub(super) way: Way,
}

/// How the messages are named.
pub(super) enum Way {
    /// All that were removed for a job: a plan's digest, or the reference of a call.
    Job { job: String, mailboxes: Option<Mailboxes> },
    /// Those that the result of a removal lists.
    Results(Removals),
    /// One message.
    One(Box<Wanted>),
}

/// The mailboxes that are looked into.
pub(super) struct Mailboxes {
    pub(super) scope: SearchScope,
    /// As they were typed.
    pub(super) asked: String,
}

impl Mailboxes {
    pub(super) fn all() -> Self {
        Self { scope: SearchScope::Tenant { prefix: String::new() }, asked: "all".to_owned() }
    }
}

impl Wish {
    pub(in crate::functions) fn read(inputs: &Inputs) -> Result<Self, Error> {
        let mut reader = inputs.read();
        let incident = reader.incident(false);
        let job = reader.word("exo_plan_digest");
        let results = reader.text("exo_deletion_results");
        let id = reader.word("exo_messages_id");
        let way = match (job, results, id) {
            (Some(job), None, None) => {
                let asked = reader.words("exo_email_address");
                let mailboxes = asked.map(|asked| Mailboxes { scope: reader.scope(asked.trim()), asked });
                reader.finish()?;
                Way::Job { job: checked(&job)?, mailboxes }
            }
            (None, Some(results), None) => {
                let has_mailbox = reader.words("exo_email_address").is_some();
                reader.finish()?;
                if has_mailbox {
                    return Err(Error::refused(ONE_WAY));
                }
                Way::Results(results::parse(&results)?)
            }
            (None, None, Some(_)) => Way::One(Box::new(one(reader)?)),
            _ => {
                // A value of another kind is named first.
                let _ = reader.words("exo_email_address");
                reader.finish()?;
                return Err(Error::refused(ONE_WAY));
            }
        };
        Ok(Self { incident, way })
    }
}

fn one(mut reader: Reader<'_>) -> Result<Wanted, Error> {
    let mailbox = reader.required_mailbox("exo_email_address");
    let id = reader.required_id("exo_messages_id");
    reader.finish()?;
    Ok(Wanted {
        mailbox,
        mailbox_id: None,
        id,
        job: None,
        origin: None,
        place: Place::Unknown,
        state: None,
        listed: None,
    })
}

/// The job as marks have it.
fn checked(job: &str) -> Result<String, Error> {
    if let Ok(digest) = job.parse::<Sha256>() {
        return Ok(digest.to_string());
    }
    match Uuid::parse_str(job) {
        Ok(reference) => Ok(reference.to_string()),
        Err(_) => Err(Error::refused(
            "The input \"exo_plan_digest\" is neither the digest of a plan, which has 64 hexadecimal digits, nor the \
             reference of a deletion, which its note ends with. Nothing was restored.",
        )),
    }
}
