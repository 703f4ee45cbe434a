//! A removal plan: what it freezes, what keeps it from being applied, and that nothing outside of it is touched.

mod applying;
mod crashes;
mod planning;
mod races;
mod refusals;

use std::time::Duration;

use chrono::Utc;
use fn_exchange_online::audit::{Initiator, Trail};
use fn_exchange_online::config::GuardSettings;
use fn_exchange_online::functions::{Call, Function};
use fn_exchange_online::guard::{ChangePolicy, DeletionCount, Guard};
use sandbox::graph::TenantOptions;
use serde_json::{Value, json};

use super::common::*;

const SENDER: &str = "mallory@evil.example";
const SUBJECT: &str = "Your invoice";
pub(super) const APPROVER: &str = "Nora";

/// A phish, received a minute ago.
pub(super) fn phish() -> sandbox::graph::NewMessage {
    sandbox::graph::NewMessage {
        from: sandbox::graph::Address::new("Mallory", SENDER),
        received: Utc::now() - chrono::TimeDelta::minutes(1),
        ..mail(SUBJECT)
    }
}

/// A tenant in whose mailboxes lie `each` phishes and one other mail.
pub(super) async fn campaign(mailboxes: usize, each: usize, options: &[(&str, &str)]) -> Fixture {
    let tenant = TenantOptions { now: Utc::now(), ..empty(mailboxes) };
    let fixture = Fixture::configured(tenant, options).await;
    for mailbox in fixture.graph().mailboxes() {
        fixture.put(&mailbox, mail("Lunch?"));
        for _ in 0..each {
            fixture.put_phish(&mailbox);
        }
    }
    fixture
}

impl Fixture {
    /// Runs a function as a call of its own.
    pub(super) async fn call(&mut self, function: Function, inputs: Value) -> Value {
        self.context.call = Call::by_hand();
        self.run(function, inputs).await.unwrap()
    }

    /// Runs a function that deletes, as a call of its own. After its second deletion other guard rails hold.
    pub(super) async fn call_under_change(
        &mut self,
        function: Function,
        inputs: Value,
        rails: GuardSettings,
    ) -> Value {
        let policy = ChangePolicy::new(self.settings.guard.clone());
        let trail = Trail::at(self.settings.audit.clone());
        let guard = Guard::new(&policy, trail, DeletionCount::default(), Initiator::default());
        (self.context.guard, self.context.call) = (guard, Call::by_hand());
        let some_time = Duration::from_secs(10);
        self.graph().faults().set_latency(Duration::from_millis(10), Duration::ZERO);
        let change = async {
            assert!(self.graph().until(some_time, |graph| graph.deleted().len() >= 2).await);
            policy.replace_rails(rails);
        };
        let (answer, ()) = tokio::join!(self.run(function, inputs), change);
        answer.unwrap()
    }

    /// Puts an unread phish into a mailbox; gives its immutable id.
    pub(super) fn put_phish(&self, mailbox: &str) -> String {
        let id = self.put(mailbox, phish());
        assert!(self.graph().mark_read(mailbox, &id, false));
        self.graph().immutable_id(mailbox, &id).unwrap()
    }

    /// What a query of all mailboxes finds of the campaign.
    pub(super) async fn found(&mut self) -> Value {
        let inputs = query("all", json!({"exo_email_address_sender": SENDER}));
        self.call(QueryEmails, inputs).await["raw"].clone()
    }

    /// The answer to a plan of these results.
    pub(super) async fn plan_of(&mut self, results: Value) -> Value {
        let inputs = json!({"incident_id": INCIDENT, "exo_query_messages_results": results});
        self.call(PlanRemoval, inputs).await
    }

    /// Queries, plans, and returns the inputs that apply the plan.
    pub(super) async fn planned(&mut self, action: &str) -> Value {
        let results = self.found().await;
        let plan = self.plan_of(results).await;
        assert_eq!((&plan["success"], &plan["reason"]), (&json!(true), &Value::Null));
        approval(&plan["content"], action)
    }

    /// Names of the incident's files that begin like this.
    pub(super) fn files(&self, prefix: &str) -> Vec<String> {
        let files = self.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
        files.into_iter().map(|file| file.name).filter(|name| name.starts_with(prefix)).collect()
    }

    /// The bytes of the newest file whose name begins like this.
    pub(super) async fn file(&self, prefix: &str) -> Vec<u8> {
        let files = self.sandbox.soar.rest.attachments(Owner::Incident(INCIDENT));
        let file = files.into_iter().rfind(|file| file.name.starts_with(prefix)).unwrap();
        file.bytes().await.unwrap()
    }

    /// Attaches a file to the incident, as a person does.
    pub(super) async fn attach(&self, name: &str, bytes: Vec<u8>) {
        let soar = soar::Client::connect(&self.settings.soar).await.unwrap();
        let content = soar::Content::bytes(bytes);
        soar.attach(soar::Target::Incident(INCIDENT), name, "application/json", content).await.unwrap();
    }

    /// All messages of all mailboxes, with the folder of each.
    pub(super) fn everything(&self) -> Vec<(String, String, &'static str)> {
        let mailboxes = self.graph().mailboxes();
        let of = |mailbox: &String| {
            let messages = self.graph().snapshot(mailbox).into_iter();
            messages.map(|(id, state)| (mailbox.clone(), id, state.folder)).collect::<Vec<_>>()
        };
        mailboxes.iter().flat_map(of).collect()
    }
}

/// The inputs that apply the plan of a result.
pub(super) fn approval(plan: &Value, action: &str) -> Value {
    json!({
        "incident_id": INCIDENT, "exo_plan_digest": plan["plan_digest"],
        "exo_expected_messages": plan["messages"], "exo_removal_action": {"id": 1, "name": action},
        "exo_approved_by": APPROVER,
    })
}

/// The inputs with one more, or another one.
pub(super) fn with(inputs: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut inputs = inputs.clone();
    inputs[name] = value.into();
    inputs
}

/// The numbers of messages by fate, without those that are 0.
pub(super) fn fates(answer: &Value) -> Vec<(String, u64)> {
    let content = answer["content"].as_object().unwrap();
    let counts =
        content.iter().filter_map(|(key, value)| Some((key.strip_prefix("messages_")?, value.as_u64()?)));
    counts.filter(|(_, count)| *count > 0).map(|(fate, count)| (fate.to_owned(), count)).collect()
}

/// One fate for all messages.
pub(super) fn all(fate: &str, count: u64) -> Vec<(String, u64)> {
    vec![(fate.to_owned(), count)]
}
