//! Calls of all functions, each with a mark of its own, so that what was done for it can be counted.

use fn_exchange_online::functions::Function;
use sandbox::graph::{Address, Delivery, Meeting, MeetingMessage};
use sandbox::soar::caller::Reply;
use sandbox::soar::rest::Owner;
use serde_json::{Value, json};

use crate::support::deployment::Deployment;

/// Incidents and tasks of calls have numbers from here on.
const FIRST_INCIDENT: i64 = 100_000;
/// The incident whose files are sent.
const FILES: i64 = 90_000;
/// A file that fits into a mail's own request, and one that takes a draft and an upload session.
const SMALL_FILE: (&str, usize) = ("small.txt", 2_000);
const LARGE_FILE: (&str, usize) = ("large.bin", 4 << 20);

/// Puts the files into SOAR that mails are sent with.
pub(crate) async fn add_files(deployment: &Deployment) {
    let rest = &deployment.sandbox.soar.rest;
    rest.add_incident(FILES, "Files to send");
    for (name, size) in [SMALL_FILE, LARGE_FILE] {
        let bytes = vec![b'x'; size];
        rest.add_attachment(Owner::Incident(FILES), name, "application/octet-stream", &bytes).await.unwrap();
    }
}

/// A call to make, and what is to become of it.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) function: Function,
    pub(crate) inputs: Value,
    /// The incident of its own, whether the function writes there or not.
    pub(crate) incident: i64,
    pub(crate) effects: Vec<Effect>,
    answer: Answer,
}

/// Something that is to be done once.
#[derive(Debug)]
pub(crate) enum Effect {
    Mail { subject: String },
    Meeting { mailbox: String, subject: String },
    Move { mailbox: String, id: String, subject: String, folder: &'static str },
    Deletion { mailbox: String, id: String },
    Note { incident: i64 },
    File { owner: Owner, extension: &'static str },
}

/// What the final reply is to say.
#[derive(Debug)]
enum Answer {
    /// This at that place of the content.
    Says(&'static str, Value),
    /// The new id of this message of this mailbox.
    NewId { mailbox: String, subject: String },
    /// The id of this meeting.
    Meeting { mailbox: String, subject: String },
}

impl Order {
    /// The `nth` call, of `function`, with all that has to be there for it.
    #[allow(clippy::too_many_lines, reason = "a match with an arm for each function")]
    pub(crate) async fn new(deployment: &Deployment, nth: usize, function: Function) -> Self {
        let mailbox = deployment.mailbox(nth % 20);
        let mark = format!("Order-{nth:05}.");
        let incident = FIRST_INCIDENT + i64::try_from(nth).unwrap();
        deployment.sandbox.soar.rest.add_incident(incident, &mark);
        let message = |text: &str| deployment.add_message(&mailbox, &mark, text);
        let (inputs, effects, answer) = match function {
            Function::GetEmailUserProfile => (
                json!({"exo_email_address": mailbox}),
                vec![],
                Answer::Says("/userPrincipalName", json!(mailbox)),
            ),
            Function::GetMessage => (
                json!({"exo_email_address": mailbox, "exo_messages_id": message("Read me.")}),
                vec![],
                Answer::Says("/subject", json!(mark)),
            ),
            Function::GetAttachments => (
                json!({"exo_email_address": mailbox, "exo_messages_id": message("Is anything attached?")}),
                vec![],
                Answer::Says("/subject", json!(mark)),
            ),
            Function::WriteMessageAsAttachment => {
                let name = format!("{mark}eml");
                let mut inputs = json!({
                    "incident_id": incident,
                    "exo_email_address": mailbox,
                    "exo_messages_id": message("Keep me."),
                    "exo_attachment_name": name,
                });
                let mut owner = Owner::Incident(incident);
                if nth % 2 == 1 {
                    deployment.sandbox.soar.rest.add_task(incident, incident).unwrap();
                    inputs["task_id"] = json!(incident);
                    owner = Owner::Task(incident);
                }
                (
                    inputs,
                    vec![Effect::File { owner, extension: "" }],
                    Answer::Says("/attachment_name", json!(name)),
                )
            }
            Function::MoveMessageToFolder => {
                let (id, folder) = (message("Move me."), "junkemail");
                let inputs = json!({
                    "exo_email_address": mailbox,
                    "exo_messages_id": id,
                    "exo_destination_mailfolder_id": {"id": 126, "name": folder},
                });
                let moved = Effect::Move { mailbox: mailbox.clone(), id, subject: mark.clone(), folder };
                (inputs, vec![moved], Answer::NewId { mailbox, subject: mark })
            }
            Function::RestoreMessages => {
                let (id, folder) = (message("Bring me back."), "inbox");
                assert!(deployment.sandbox.graph.move_message(&mailbox, &id, "deleteditems"));
                let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
                let moved = Effect::Move { mailbox, id, subject: mark, folder };
                (inputs, vec![moved], Answer::Says("/messages", json!(1)))
            }
            Function::SendMessage => mail(nth, &mailbox, mark),
            Function::CreateMeeting => {
                let start = chrono::Utc::now().timestamp_millis() + 86_400_000;
                let inputs = json!({
                    "exo_meeting_email_address": mailbox,
                    "exo_meeting_start_time": start,
                    "exo_meeting_end_time": start + 1_800_000,
                    "exo_meeting_subject": mark,
                    "exo_meeting_body": "Half an hour.",
                });
                let effect = Effect::Meeting { mailbox: mailbox.clone(), subject: mark.clone() };
                (inputs, vec![effect], Answer::Meeting { mailbox, subject: mark })
            }
            Function::DeleteEmail => {
                let id = message("Delete me.");
                let inputs = json!({"exo_email_address": mailbox, "exo_messages_id": id});
                (inputs, vec![Effect::Deletion { mailbox, id }], Answer::Says("/value", json!(true)))
            }
            Function::QueryEmails => {
                let other = deployment.mailbox((nth + 1) % 20);
                message("Find me.");
                deployment.add_message(&other, &mark, "Find me, too.");
                let inputs = json!({
                    "incident_id": incident,
                    "exo_email_address": format!("{mailbox}, {other}"),
                    "exo_message_subject": mark,
                    "exo_query_output_format": ["Incident note", "Incident attachment"],
                });
                (inputs, reports(incident), Answer::Says("/messages_found", json!(2)))
            }
            Function::TraceMessage => {
                let (message_id, sent) = (format!("<{nth}@elsewhere.example>"), chrono::Utc::now());
                let sent = sent - chrono::TimeDelta::minutes(10);
                let from = Address::new("Zoë", "zoe@elsewhere.example");
                let mail = Delivery::new(&message_id, from, &mark, sent).to([&mailbox]);
                deployment.sandbox.graph.deliver(&mail);
                let inputs = json!({
                    "incident_id": incident,
                    "exo_internet_message_id": message_id,
                    "exo_start_date": (sent - chrono::TimeDelta::hours(1)).timestamp_millis(),
                    "exo_query_output_format": ["Incident note", "Incident attachment"],
                });
                (inputs, reports(incident), Answer::Says("/recipients_found", json!(1)))
            }
            Function::PlanRemoval => {
                let list = json!([{"email_address": mailbox, "email_list": [{"id": message("Plan me.")}]}]);
                let inputs = json!({"incident_id": incident, "exo_query_messages_results": list.to_string()});
                let file = Effect::File { owner: Owner::Incident(incident), extension: "json" };
                (inputs, vec![Effect::Note { incident }, file], Answer::Says("/messages", json!(1)))
            }
            Function::ApplyPlan => {
                let id = message("Remove me.");
                let plan = deployment.removal_plan(incident, &mailbox, &id).await;
                let effects = vec![Effect::Note { incident }, Effect::Deletion { mailbox, id }];
                (plan.inputs(incident), effects, Answer::Says("/settled", json!(true)))
            }
            Function::RemoveMeetings => {
                let organizer = Address::new("Prize Office", "prize@attacker.example");
                let start = chrono::Utc::now() + chrono::TimeDelta::days(3);
                let meeting = Meeting::new(&mark, organizer, &mark, start);
                let inputs = json!({
                    "incident_id": incident, "exo_ical_uid": meeting.uid, "exo_email_address": mailbox,
                });
                let id = format!("<meeting-{nth}@attacker.example>");
                let invitation = MeetingMessage::request(meeting);
                let delivery = Delivery::of_meeting(&id, invitation, chrono::Utc::now()).to([&mailbox]);
                deployment.sandbox.graph.deliver(&delivery);
                let file = Effect::File { owner: Owner::Incident(incident), extension: "json" };
                (inputs, vec![Effect::Note { incident }, file], Answer::Says("/meetings_removed", json!(1)))
            }
            Function::DeleteMessagesFromQueryResults => {
                let other = deployment.mailbox((nth + 1) % 20);
                let (first, second) = (message("Delete me."), message("Me, too."));
                let last = deployment.add_message(&other, &mark, "And me.");
                results(incident, &mark, [(&mailbox, vec![first, second]), (&other, vec![last])])
            }
        };
        Self { function, inputs, incident, effects, answer }
    }

    /// What is wrong with its final reply, if anything is.
    pub(crate) fn objection(&self, deployment: &Deployment, reply: &Reply) -> Option<String> {
        if reply.message_type != 0 || reply.results["success"] != json!(true) {
            let Reply { message, results, .. } = reply;
            return Some(format!("failed: {message} {}: {}", results["reason"], results["content"]));
        }
        let content = &reply.results["content"];
        let graph = &deployment.sandbox.graph;
        let (place, expected) = match &self.answer {
            Answer::Says(place, expected) => (*place, Some(expected.clone())),
            Answer::NewId { mailbox, subject } => {
                let moved = graph.messages(mailbox).into_iter().find(|message| message.subject == *subject);
                ("/new_message_id", moved.map(|message| json!(message.id)))
            }
            Answer::Meeting { mailbox, subject } => {
                let event =
                    graph.events(mailbox).into_iter().find(|event| event.object["subject"] == **subject);
                ("/id", event.map(|event| json!(event.id)))
            }
        };
        let found = content.pointer(place).cloned();
        (found != expected).then(|| format!("{place} of the content is {found:?} instead of {expected:?}"))
    }
}

/// What a call is made of.
type Parts = (Value, Vec<Effect>, Answer);

/// A mail; most have no files, some a small one, a few one that takes the long way.
fn mail(nth: usize, mailbox: &str, mark: String) -> Parts {
    let mut inputs = json!({
        "exo_email_address": mailbox,
        "exo_recipients": "one@elsewhere.example, two@elsewhere.example",
        "exo_message_subject": mark,
        "exo_message_body": {"format": "html", "content": "<p>Look out.</p>"},
    });
    let files = match nth % 10 {
        0..=5 => "",
        6..=8 => SMALL_FILE.0,
        _ => LARGE_FILE.0,
    };
    if !files.is_empty() {
        inputs["incident_id"] = json!(FILES);
        inputs["exo_attachment_names"] = json!(files);
    }
    (inputs, vec![Effect::Mail { subject: mark }], Answer::Says("/value", json!(true)))
}

/// The deletion of what a query found: messages of two mailboxes.
fn results(incident: i64, mark: &str, found: [(&str, Vec<String>); 2]) -> Parts {
    let of_mailbox = |(mailbox, ids): &(&str, Vec<String>)| {
        let list: Vec<_> = ids.iter().map(|id| json!({"id": id, "subject": mark})).collect();
        json!({"email_address": mailbox, "status_code": 200, "email_list": list})
    };
    let results = json!({
        "incident_id": incident,
        "exo_query_output_format": ["Incident note", "Incident attachment"],
        "email_results": found.iter().map(of_mailbox).collect::<Vec<_>>(),
    });
    let mut effects = reports(incident);
    for (mailbox, ids) in found {
        effects.extend(ids.into_iter().map(|id| Effect::Deletion { mailbox: mailbox.to_owned(), id }));
    }
    let inputs = json!({"exo_query_messages_results": results.to_string()});
    (inputs, effects, Answer::Says("/failures", json!([])))
}

fn reports(incident: i64) -> Vec<Effect> {
    let file = |extension| Effect::File { owner: Owner::Incident(incident), extension };
    vec![Effect::Note { incident }, file("txt"), file("csv")]
}

impl Effect {
    /// What it is, in the words of the table.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Mail { .. } => "mail sent",
            Self::Meeting { .. } => "meeting created",
            Self::Move { .. } => "message moved",
            Self::Deletion { .. } => "message deleted",
            Self::Note { .. } => "note written",
            Self::File { .. } => "file attached",
        }
    }

    /// How many times it was done.
    pub(crate) fn times(&self, deployment: &Deployment) -> usize {
        let (graph, rest) = (&deployment.sandbox.graph, &deployment.sandbox.soar.rest);
        match self {
            Self::Mail { subject } => {
                graph.sent_mail().iter().filter(|mail| mail.subject == *subject).count()
            }
            Self::Meeting { mailbox, subject } => {
                graph.events(mailbox).iter().filter(|event| event.object["subject"] == **subject).count()
            }
            // Moved once, and there once, in that folder. Two runs may ask for it at the same time; the later request
            // finds the message in its destination and changes nothing.
            Self::Move { mailbox, id, subject, folder } => {
                let copies: Vec<_> = graph
                    .messages(mailbox)
                    .into_iter()
                    .filter(|message| message.subject == *subject)
                    .map(|message| message.folder)
                    .collect();
                let moves = graph.moved();
                let moves =
                    moves.iter().filter(|moved| moved.id == *id && moved.from != moved.folder).count();
                if copies == [*folder] { moves } else { copies.len().saturating_sub(1) }
            }
            Self::Deletion { mailbox, id } => {
                let deletions = graph.deleted().iter().filter(|deleted| deleted.id == *id).count();
                if graph.message(mailbox, id).is_some() { 0 } else { deletions }
            }
            Self::Note { incident } => rest.notes(*incident).len(),
            Self::File { owner, extension } => {
                let files = rest.attachments(*owner);
                files.iter().filter(|file| file.name.ends_with(extension)).count()
            }
        }
    }
}
