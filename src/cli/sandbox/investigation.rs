//! An investigation of a phishing wave, from the first report to the meeting about it, with calls from SOAR's side of
//! the broker. At the end, the state of the tenant is compared with the replies.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::story::Story;
use crate::cli::{ExitCode, Failure};
use crate::functions::Function;
use sandbox::Sandbox;
use sandbox::graph::{Phish, Planted};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Origin, Reply};
use sandbox::soar::engine::{End, Engine, Request, Run, Scripts};
use sandbox::soar::incidents::AuthorKind;
use sandbox::soar::rest::Owner;

/// The time limit of a step.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs the investigation.
pub(super) async fn play(sandbox: &Sandbox, engine: &Engine, story: &mut Story) -> Result<(), Failure> {
    let phish = Phish::default();
    let planted = sandbox.graph.planted();
    let Some(first) = planted.first().cloned() else {
        return Err(Failure::new(ExitCode::Failed, &"the tenant holds no phishing mail"));
    };
    story.say(&format!(
        "{} reports a mail: “{}”.\nAn incident is opened, number {INCIDENT}.",
        first.mailbox, phish.subject
    ));
    let mut analyst = Analyst { engine, story, steps: 0, rows: true };

    analyst.trace_it(&phish).await?;
    let found = analyst.who_got_it(&phish).await?;
    analyst.who_reported_it(&first).await?;
    analyst.look_at_it(&first).await?;
    analyst.what_is_attached(&first).await?;
    let file = analyst.keep_it(&first).await?;
    analyst.hide_and_restore(&found).await?;
    let moved = analyst.put_one_aside(&first).await?;
    analyst.delete_the_one(&first.mailbox, &moved).await?;
    analyst.delete_it_everywhere(&found).await?;
    analyst.is_it_gone(&phish).await?;
    analyst.remove_a_meeting(sandbox, &first.mailbox).await?;
    analyst.warn(&first.mailbox, &file).await?;
    analyst.call_a_meeting(&first.mailbox).await?;

    let rows = analyst.rows;
    if verdicts(sandbox, &planted, rows, story) {
        Ok(())
    } else {
        Err(Failure::new(ExitCode::Failed, &"the sandbox does not show what it should"))
    }
}

pub(super) struct Analyst<'a> {
    engine: &'a Engine,
    story: &'a mut Story,
    steps: usize,
    /// Whether the scripts that add rows ran.
    rows: bool,
}

impl Analyst<'_> {
    async fn trace_it(&mut self, phish: &Phish) -> Result<(), Failure> {
        let inputs = json!({
            "incident_id": INCIDENT,
            "exo_email_address_sender": phish.sender.address,
            "exo_start_date": (Utc::now() - TimeDelta::days(7)).timestamp_millis(),
            "exo_query_output_format": [{"id": 1, "name": "Incident note"}],
        });
        let say = |results: &Value| {
            let content = &results["content"];
            format!("{} recipients, says the message trace", content["recipients_found"])
        };
        self.ask("Who was it sent to?", Function::TraceMessage, inputs, say).await.map(drop)
    }

    async fn who_got_it(&mut self, phish: &Phish) -> Result<Value, Failure> {
        let inputs = json!({
            "incident_id": INCIDENT,
            "exo_email_address": "all",
            "exo_email_address_sender": phish.sender.address,
            "exo_message_subject": phish.subject,
            "exo_query_output_format": [
                {"id": 1, "name": "Incident note"},
                {"id": 2, "name": "Incident attachment"},
                {"id": 3, "name": "Exchange Online data table"},
            ],
        });
        let results = self.ask("Who in the company got it?", Function::QueryEmails, inputs, found).await?;
        Ok(results)
    }

    async fn who_reported_it(&mut self, first: &Planted) -> Result<(), Failure> {
        let inputs = json!({ "exo_email_address": first.mailbox });
        let say = |results: &Value| {
            let user = &results["content"];
            format!("{}, {}", text(&user["displayName"]), text(&user["jobTitle"]))
        };
        self.ask("Who reported it?", Function::GetEmailUserProfile, inputs, say).await.map(drop)
    }

    async fn look_at_it(&mut self, first: &Planted) -> Result<(), Failure> {
        let say = |results: &Value| {
            let message = &results["content"];
            format!(
                "“{}”, received {}\n{}",
                text(&message["subject"]),
                text(&message["receivedDateTime"]),
                text(&message["bodyPreview"])
            )
        };
        self.ask("What does it say?", Function::GetMessage, message(first), say).await.map(drop)
    }

    async fn what_is_attached(&mut self, first: &Planted) -> Result<(), Failure> {
        let mut inputs = message(first);
        inputs["incident_id"] = json!(INCIDENT);
        let say = |results: &Value| {
            let content = &results["content"];
            let attachments = content["attachments"].as_array().map_or(0, Vec::len);
            let urls = content["urls"].as_array().into_iter().flatten().map(text);
            let urls = urls.collect::<Vec<_>>().join(", ");
            format!("{attachments} attachments; it leads to {urls}")
        };
        self.ask("What comes with it?", Function::GetAttachments, inputs, say).await.map(drop)
    }

    async fn keep_it(&mut self, first: &Planted) -> Result<String, Failure> {
        let mut inputs = message(first);
        inputs["incident_id"] = json!(INCIDENT);
        inputs["exo_attachment_name"] = json!("evidence.eml");
        let say = |results: &Value| {
            format!("kept as {} of the incident", text(&results["content"]["attachment_name"]))
        };
        let results =
            self.ask("Keep it as evidence.", Function::WriteMessageAsAttachment, inputs, say).await?;
        Ok(text(&results["content"]["attachment_name"]).to_owned())
    }

    async fn put_one_aside(&mut self, first: &Planted) -> Result<String, Failure> {
        let mut inputs = message(first);
        inputs["exo_destination_mailfolder_id"] = json!({"id": 126, "name": "junkemail"});
        let say = |_: &Value| "moved; its immutable id stays the same".to_owned();
        let results = self
            .ask("Put the reported one out of sight.", Function::MoveMessageToFolder, inputs, say)
            .await?;
        Ok(text(&results["content"]["new_message_id"]).to_owned())
    }

    async fn delete_it_everywhere(&mut self, found: &Value) -> Result<(), Failure> {
        let inputs = json!({ "exo_query_messages_results": found["raw"] });
        let say = |results: &Value| {
            let mailboxes = results["content"]["delete_results"].as_array();
            let deleted = mailboxes.into_iter().flatten();
            let deleted: usize = deleted.map(|mailbox| count(&mailbox["deleted_list"])).sum();
            let mut summary = format!("{} deleted", counted(deleted, "message"));
            for failure in results["content"]["failures"].as_array().into_iter().flatten() {
                let (mailbox, code) = (text(&failure["email_address"]), text(&failure["code"]));
                let status = &failure["status_code"];
                let _ = write!(
                    summary,
                    "\nalready gone: the one of {mailbox} (HTTP {status}, {code}), deleted a moment ago"
                );
            }
            summary
        };
        let function = Function::DeleteMessagesFromQueryResults;
        self.ask("Delete every other copy that was found.", function, inputs, say).await.map(drop)
    }

    async fn delete_the_one(&mut self, mailbox: &str, id: &str) -> Result<(), Failure> {
        let inputs = json!({ "exo_email_address": mailbox, "exo_messages_id": id });
        let say = |_: &Value| "deleted".to_owned();
        self.ask("Delete the one that was moved.", Function::DeleteEmail, inputs, say).await.map(drop)
    }

    async fn is_it_gone(&mut self, phish: &Phish) -> Result<(), Failure> {
        let inputs = json!({
            "incident_id": INCIDENT,
            "exo_email_address": "all",
            "exo_email_address_sender": phish.sender.address,
            "exo_query_output_format": ["Exchange Online data table"],
        });
        self.ask("Is it gone?", Function::QueryEmails, inputs, found).await.map(drop)
    }

    async fn warn(&mut self, mailbox: &str, file: &str) -> Result<(), Failure> {
        let inputs = json!({
            "incident_id": INCIDENT,
            "exo_email_address": mailbox,
            "exo_recipients": "security@sandbox.example, helpdesk@sandbox.example",
            "exo_message_subject": "Phishing wave stopped",
            "exo_message_body": "<p>The mail is deleted everywhere; a copy is attached.</p>",
            "exo_attachment_names": file,
        });
        let say = |_: &Value| "sent to 2 recipients, with the evidence attached".to_owned();
        self.ask("Warn by mail.", Function::SendMessage, inputs, say).await.map(drop)
    }

    async fn call_a_meeting(&mut self, organizer: &str) -> Result<(), Failure> {
        let start = Utc::now() + TimeDelta::days(1);
        let inputs = json!({
            "exo_meeting_email_address": organizer,
            "exo_meeting_start_time": start.timestamp_millis(),
            "exo_meeting_end_time": (start + TimeDelta::minutes(30)).timestamp_millis(),
            "exo_meeting_subject": format!("Incident {INCIDENT}: what we learn from it"),
            "exo_meeting_body": "<p>Half an hour, please.</p>",
            "exo_meeting_required_attendees": "security@sandbox.example",
            "exo_meeting_location": "Room 4",
        });
        let say = |results: &Value| {
            let start = &results["content"]["start"];
            let time = text(&start["dateTime"]);
            let time = time.get(..16).unwrap_or(time).replace('T', " at ");
            format!("invitations are sent for {time} ({})", text(&start["timeZone"]))
        };
        self.ask("Call a meeting for tomorrow.", Function::CreateMeeting, inputs, say).await.map(drop)
    }

    /// Calls `function`, shows the outcome, and returns the results.
    pub(super) async fn ask(
        &mut self,
        what: &str,
        function: Function,
        inputs: Value,
        say: impl Fn(&Value) -> String,
    ) -> Result<Value, Failure> {
        self.steps += 1;
        self.story.step(self.steps, what, function.name());
        for (name, value) in inputs.as_object().into_iter().flatten() {
            self.story.input(name, value.as_str().unwrap_or(&value.to_string()));
        }
        let Value::Object(inputs) = inputs else { return Err(failed(function)) };
        let request = Request {
            origin: Origin::Workflow,
            function: function.name().to_owned(),
            inputs,
            incident: INCIDENT,
            started: None,
        };
        let run = self.engine.start(request).await.map_err(|error| Failure::new(ExitCode::Failed, &error))?;
        let run = tokio::time::timeout(PATIENCE, self.engine.ended(run)).await.ok().flatten();
        let Some(Run { statuses, started, replied, end: Some(end), .. }) = run else {
            return Err(failed(function));
        };
        let took = replied.and_then(|replied| u64::try_from(replied - started).ok()).unwrap_or_default();
        let took = Duration::from_millis(took);
        for status in statuses {
            self.story.status(&status);
        }
        let (reply, scripts) = match end {
            End::Replied { reply, scripts } => (reply, scripts),
            End::NoReply(why) => return Err(Failure::new(ExitCode::Failed, &why)),
        };
        let Reply { message_type, message, results, .. } = &*reply;
        if *message_type != 0 || results.is_null() {
            self.story.answer(false, message, took);
            return Err(failed(function));
        }
        let success = results["success"] == json!(true);
        let summary = if success { say(results) } else { text(&results["reason"]).to_owned() };
        self.story.answer(success, &summary, took);
        match scripts {
            Scripts::None => {}
            Scripts::Ran(added) => self.story.status(&format!("scripts: {added}")),
            Scripts::Failed(why) => {
                self.rows = false;
                self.story.status(&why);
            }
        }
        Ok(results.clone())
    }
}

fn failed(function: Function) -> Failure {
    Failure::new(ExitCode::Failed, &format!("{} failed", function.name()))
}

fn message(planted: &Planted) -> Value {
    json!({ "exo_email_address": planted.mailbox, "exo_messages_id": planted.id })
}

fn found(results: &Value) -> String {
    let content = &results["content"];
    let found =
        format!("{} messages found in {} mailboxes", content["messages_found"], content["users_searched"]);
    match count(&content["not_searched"]) {
        0 => found,
        others => format!("{found}; {others} users have no mailbox"),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

/// Compares the state of the tenant and of the incident with the expected state. Returns whether everything is right.
fn verdicts(sandbox: &Sandbox, planted: &[Planted], rows: bool, story: &mut Story) -> bool {
    let deleted = sandbox.graph.deleted();
    let moved = sandbox.graph.moved();
    let gone: HashSet<_> = deleted.iter().map(|message| message.id.as_str()).collect();
    let new_ids: Vec<_> = moved.iter().map(|moved| (moved.id.as_str(), moved.new_id.as_str())).collect();
    let planted_gone = planted.iter().filter(|planted| {
        let new_id = new_ids.iter().find(|(id, _)| *id == planted.id).map(|(_, new_id)| *new_id);
        gone.contains(new_id.unwrap_or(&planted.id))
    });
    let planted_gone = planted_gone.count();
    let counters = sandbox.graph.counters();
    let incident = sandbox.soar.rest.incidents().get(INCIDENT);
    let notes = sandbox.soar.rest.notes(INCIDENT);
    let attachments = sandbox.soar.rest.attachments(Owner::Incident(INCIDENT)).len();
    let left = sandbox.soar.broker.queue_depth(&sandbox.soar.actions_queue());

    story.say("State of the tenant and the incident:");
    let mut all = true;
    let mut verdict = |holds: bool, text: String| {
        all &= holds;
        story.verdict(holds, &text);
    };
    verdict(
        planted_gone == planted.len(),
        format!("{planted_gone} of {} copies of the mail are gone", planted.len()),
    );
    verdict(
        deleted.len() == planted.len(),
        format!("{} other than these were deleted", deleted.len() - planted_gone),
    );
    verdict(sandbox.graph.users_deleted().is_empty(), "no user account was deleted".to_owned());
    verdict(
        sandbox.graph.sent_mail().len() == 1,
        format!("{} sent", counted(sandbox.graph.sent_mail().len(), "mail")),
    );
    // Without the scripts, the incident has the functions' own notes.
    let own_notes = notes.iter().filter(|note| note.author.kind == AuthorKind::ApiKey).count();
    verdict(
        own_notes == 7 && attachments == 11,
        format!("the incident has {} notes and {attachments} files", notes.len()),
    );
    if rows {
        let rows = incident.map_or_else(Vec::new, |incident| incident.rows);
        let gone = rows.iter().filter(|row| row.cells.values().any(|cell| text(cell).contains("Deleted")));
        let (gone, rows) = (gone.count(), rows.len());
        verdict(
            gone == planted.len(),
            format!("its data table has {rows} rows, {gone} of them of deleted messages"),
        );
    }
    verdict(left == 0, format!("{} left in the queue", counted(left, "call")));
    verdict(
        counters.most_in_one_mailbox <= 4,
        format!(
            "never more than {} at once in one mailbox",
            counted(counters.most_in_one_mailbox, "request")
        ),
    );
    story.say(&format!(
        "Graph saw {} HTTP requests, {} of them batches with {} sub-requests; it throttled {} and granted {} token.",
        counters.http_requests,
        counters.batches,
        counters.sub_requests,
        counters.throttled,
        counters.token_requests,
    ));
    all
}
