//! Whatever happens between a plan and its application, or while it is applied: nothing outside of the approved
//! messages is touched, and nothing twice.
//!
//! `RACES=1000 cargo test --test integration races_touch` is the long run (nextest ends a test after 300 s);
//! `RACES_SEED=7` repeats one.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use fastrand::Rng;
use fn_exchange_online::audit::{Initiator, Trail};
use fn_exchange_online::functions::{Context, Inputs, PriorRun};
use fn_exchange_online::guard::{ChangePolicy, DeletionCount, Guard};
use sandbox::graph::{MessageState, NewMessage, Tenant};

const MAILBOXES: usize = 5;

/// A message: its mailbox and its immutable id.
type Key = (String, String);

/// One race, in an incident of its own.
struct Race<'a> {
    fixture: &'a Fixture,
    random: &'a mut Rng,
    incident: i64,
    subject: String,
    /// How many processes were killed.
    kills: Cell<usize>,
}

impl Race<'_> {
    fn some_mailbox(&mut self) -> String {
        let mut mailboxes = self.fixture.graph().mailboxes();
        mailboxes.swap_remove(self.random.usize(..mailboxes.len()))
    }

    fn put(&mut self) -> Key {
        let mailbox = self.some_mailbox();
        let message = NewMessage { subject: self.subject.clone(), received: Utc::now(), ..phish() };
        let id = self.fixture.put(&mailbox, message);
        let id = self.fixture.graph().immutable_id(&mailbox, &id).unwrap();
        (mailbox, id)
    }

    /// Runs a call in a process of its own, as far as clients, guard and tasks are concerned. `None`: it was killed after
    /// so long.
    async fn process(
        &self,
        (id, prior_run): (&str, PriorRun),
        function: Function,
        inputs: &Value,
        kill: Option<Duration>,
    ) -> Option<Value> {
        let Value::Object(map) = inputs.clone() else { unreachable!() };
        let (settings, template) = (self.fixture.settings.clone(), self.fixture.context.clone());
        let call = Call { id: id.to_owned(), prior_run, ..Call::by_hand() };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let run = runtime.spawn(async move {
            let context = Context {
                call,
                graph: graph::Client::new(&settings.graph).unwrap(),
                sink: soar::Client::connect(&settings.soar).await.unwrap().into(),
                guard: Guard::new(
                    &ChangePolicy::new(settings.guard.clone()),
                    Trail::in_log(),
                    DeletionCount::default(),
                    Initiator { principal: Some("Mary".to_owned()), ..Initiator::default() },
                ),
                ..template
            };
            let outcome = function.run(&context, &Inputs::new(map)).await.unwrap();
            serde_json::from_str(outcome.content.get()).unwrap()
        });
        let ended = match kill {
            Some(kill) => tokio::time::timeout(kill, run).await.ok(),
            None => Some(run.await),
        };
        runtime.shutdown_background();
        if ended.is_none() {
            self.kills.set(self.kills.get() + 1);
            // Graph ends what it has received before the broker hands the call to another process.
            let is_idle = |graph: &Tenant| graph.requests_at_work() == 0;
            assert!(self.fixture.graph().until(Duration::from_secs(10), is_idle).await);
        }
        ended.map(Result::unwrap)
    }

    async fn run(&self, id: &str, function: Function, inputs: &Value) -> Value {
        self.process((id, PriorRun::None), function, inputs, None).await.unwrap()
    }

    /// Queries and plans; perhaps of a list that was cut on its way.
    async fn plan(&mut self) -> Value {
        let mut inputs = query("all", json!({"exo_message_subject": self.subject}));
        inputs["incident_id"] = json!(self.incident);
        let mut found = self.run("query", QueryEmails, &inputs).await;
        let is_cut = self.random.u8(..4) == 0;
        if is_cut {
            let lists = found["email_results"].as_array_mut().unwrap();
            lists.truncate(lists.len().div_ceil(2));
        }
        let inputs = json!({"incident_id": self.incident, "exo_query_messages_results": found.to_string()});
        let plan = self.run("plan", PlanRemoval, &inputs).await;
        assert!(!is_cut || plan["complete"] == false || plan["messages"] == found["messages_found"]);
        plan
    }

    /// The ids in the plan's file.
    async fn approved(&self, plan: &Value) -> BTreeSet<Key> {
        let files = self.fixture.sandbox.soar.rest.attachments(Owner::Incident(self.incident));
        let file = files.into_iter().find(|file| plan["plan_attachment"] == *file.name).unwrap();
        let file: Value = serde_json::from_slice(&file.bytes().await.unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = file["messages"].as_array().unwrap().iter();
        messages.map(|message| (text(&message["mailbox"]), text(&message["id"]))).collect()
    }

    /// Attaches a plan that was edited to have another message, under the name of the approved one.
    async fn edit(&mut self, plan: &Value, innocent: &Key) {
        let files = self.fixture.sandbox.soar.rest.attachments(Owner::Incident(self.incident));
        let file = files.into_iter().find(|file| plan["plan_attachment"] == *file.name).unwrap();
        let mut document: Value = serde_json::from_slice(&file.bytes().await.unwrap()).unwrap();
        document["messages"][0]["id"] = json!(innocent.1);
        document["messages"][0]["mailbox"] = json!(innocent.0);
        let mut bytes = document.to_string().into_bytes();
        if self.random.bool() {
            bytes.truncate(self.random.usize(..bytes.len()));
        }
        let soar = soar::Client::connect(&self.fixture.settings.soar).await.unwrap();
        let target = soar::Target::Incident(self.incident);
        soar.attach(target, &file.name, "application/json", soar::Content::bytes(bytes)).await.unwrap();
    }

    /// Applies the plan in two processes, which may be killed, and whose calls are delivered again then.
    /// Meanwhile owners do something with `others`, messages that are not in the plan.
    async fn apply(
        &mut self,
        inputs: &Value,
        others: &[Key],
        expected: &mut BTreeMap<Key, MessageState>,
    ) -> [Value; 2] {
        let kills = [0; 2].map(|_| {
            let kill = Duration::from_micros(self.random.u64(10_000..90_000));
            Some(kill).filter(|_| self.random.u8(..3) == 0)
        });
        let mut random = self.random.fork();
        let race = &*self;
        let applying = |nth: usize| async move {
            let id = format!("apply-{}-{nth}", race.incident);
            let first = race.process((&id, PriorRun::None), ApplyPlan, inputs, kills[nth]).await;
            match first {
                Some(answer) => answer,
                None => race.process((&id, PriorRun::Possible), ApplyPlan, inputs, None).await.unwrap(),
            }
        };
        let meddling = async {
            for _ in 0..random.usize(..6) {
                meddle(race.fixture, &mut random, others, expected);
                let seen = race.fixture.graph().counters().http_requests;
                let another = |graph: &Tenant| graph.counters().http_requests > seen;
                race.fixture.graph().until(Duration::from_millis(20), another).await;
            }
        };
        let (first, second, ()) = tokio::join!(applying(0), applying(1), meddling);
        [first, second]
    }
}

/// Something that an owner does to one of the messages. What it is like then is what is expected of it.
fn meddle(fixture: &Fixture, random: &mut Rng, messages: &[Key], expected: &mut BTreeMap<Key, MessageState>) {
    let key = messages[random.usize(..messages.len())].clone();
    let ((mailbox, id), graph) = (&key, fixture.graph());
    let _ = match random.u8(..4) {
        0 => graph.move_message(mailbox, id, ["junkemail", "archive"][random.usize(..2)]),
        1 => graph.mark_read(mailbox, id, random.bool()),
        2 => graph.flag_message(mailbox, id, "flagged"),
        _ => graph.purge_message(mailbox, id),
    };
    match graph.snapshot(mailbox).remove(id) {
        Some(state) => expected.insert(key, state),
        None => expected.remove(&key),
    };
}

/// The state of each message of all mailboxes.
fn snapshot(fixture: &Fixture) -> BTreeMap<Key, MessageState> {
    let mailboxes = fixture.graph().mailboxes();
    let of = |mailbox: String| {
        let states = fixture.graph().snapshot(&mailbox).into_iter();
        states.map(move |(id, state)| ((mailbox.clone(), id), state))
    };
    mailboxes.into_iter().flat_map(of).collect()
}

#[tokio::test]
async fn races_touch_nothing_outside_of_the_plan() {
    let rounds = std::env::var("RACES").map_or(24, |rounds| rounds.parse().unwrap());
    let seed = std::env::var("RACES_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("RACES={rounds} RACES_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let tenant = TenantOptions { now: Utc::now(), ..empty(MAILBOXES) };
    let fixture = Fixture::configured(tenant, &[("max_messages", "1000")]).await;
    fixture.graph().faults().set_latency(Duration::from_millis(4), Duration::ZERO);
    let mut totals = BTreeMap::<String, usize>::new();
    for round in 0..rounds {
        let incident = 10_000 + i64::from(round);
        fixture.sandbox.soar.rest.add_incident(incident, "Race");
        let mut race = Race {
            fixture: &fixture,
            random: &mut random,
            incident,
            subject: format!("Round {round} of the invoice"),
            kills: Cell::new(0),
        };
        let mut messages: Vec<Key> = (0..race.random.usize(4..14)).map(|_| race.put()).collect();
        let plan = race.plan().await;
        let approved = race.approved(&plan).await;
        // What comes after the query is not approved, and neither is what a cut list left out.
        messages.extend((0..race.random.usize(1..4)).map(|_| race.put()).collect::<Vec<_>>());
        let innocent = messages.last().unwrap().clone();
        let mut expected = snapshot(&fixture);
        for _ in 0..race.random.usize(..5) {
            meddle(&fixture, race.random, &messages, &mut expected);
        }
        if race.random.u8(..3) == 0 {
            race.edit(&plan, &innocent).await;
        }
        let action = ["Quarantine", "Delete", "Purge"][race.random.usize(..3)];
        let mut inputs = approval(&plan, action);
        inputs["incident_id"] = json!(incident);
        match race.random.u8(..12) {
            0 => inputs["exo_expected_messages"] = json!(approved.len() + 1),
            1 => inputs["exo_plan_digest"] = json!("0f".repeat(32)),
            _ => {}
        }
        let (moved, deleted) = (fixture.graph().moved().len(), fixture.graph().deleted().len());
        let others: Vec<Key> = messages.iter().filter(|key| !approved.contains(*key)).cloned().collect();
        let answers = race.apply(&inputs, &others, &mut expected).await;
        *totals.entry("killed".to_owned()).or_default() += race.kills.get();

        // Graph ends what it has received from who was killed.
        assert!(fixture.graph().until(Duration::from_secs(10), |graph| graph.requests_at_work() == 0).await);
        let after = snapshot(&fixture);
        for (key, before) in expected.iter().filter(|(key, _)| !approved.contains(*key)) {
            assert_eq!(
                after.get(key),
                Some(before),
                "seed {seed}, round {round}: {key:?} is not in the plan"
            );
        }
        let is_refused = |answer: &Value| answer.get("error").is_some();
        if answers.iter().all(is_refused) {
            assert!(expected.iter().all(|(key, before)| after.get(key) == Some(before)), "round {round}");
        } else {
            for key in &approved {
                let is_there =
                    after.get(key).is_some_and(|now| ["inbox", "junkemail", "archive"].contains(&now.folder));
                assert!(!is_there, "seed {seed}, round {round}: {key:?} is still there");
            }
        }
        // Nothing twice, also where a call was killed and delivered again.
        let graph = fixture.graph();
        let mut acted: Vec<Key> =
            graph.moved()[moved..].iter().map(|one| (one.mailbox.clone(), one.new_id.clone())).collect();
        acted.extend(graph.deleted()[deleted..].iter().map(|one| (one.mailbox.clone(), one.id.clone())));
        let once: BTreeSet<&Key> = acted.iter().collect();
        assert_eq!(once.len(), acted.len(), "seed {seed}, round {round}, {action}: {acted:?}, {answers:#?}");
        for answer in &answers {
            let ended = answer.pointer("/error/code").and_then(Value::as_str).unwrap_or("applied");
            *totals.entry(ended.to_owned()).or_default() += 1;
        }
    }
    println!("{totals:?}");
    assert!(totals["applied"] > 0 && (totals["killed"] > 0 || rounds < 24), "{totals:?}");
}
