//! Promise: what an analyst does in SOAR leads from a query to a plan, from the closed task of the plan to the removal
//! of its messages, and back.

use fn_exchange_online::customize::{Examples, ScriptLanguage, export};
use sandbox::soar::engine::{End, Engine, Run, Scripts, Started};
use sandbox::soar::incidents::{Author, AuthorKind, Incident};
use sandbox::soar::{INCIDENT, SoarOptions};
use serde_json::{Value, json};

use crate::support::deployment::{Daemon, Deployment};
use crate::support::poll::poll;

const SUBJECT: &str = "Your mailbox is full";
const RULE: &str = "Example: Exchange Online ";
const PLAYBOOK: &str = "example_exchange_online_";

fn author(name: &str) -> Author {
    Author {
        id: 9,
        kind: AuthorKind::User,
        name: format!("{name}@corp.example"),
        display_name: name.to_owned(),
    }
}

/// A SOAR with the customizations, a daemon, and three mailboxes that have the message.
struct Setting {
    deployment: Deployment,
    engine: Engine,
    _daemon: Daemon,
    /// Each mailbox, and the id of the message.
    messages: Vec<(String, String)>,
}

impl Setting {
    async fn new(customizations: Value, options: &[(&str, &str)]) -> Self {
        let soar = SoarOptions { customizations, ..SoarOptions::default() };
        let deployment = Deployment::start(None, soar).await;
        let add = |nth| {
            let mailbox = deployment.mailbox(nth);
            let id = deployment.add_message(&mailbox, SUBJECT, "<p>Log in</p>");
            (mailbox, id)
        };
        let messages = (1..4).map(add).collect();
        let mut daemon = deployment.spawn(&deployment.app_config(&[], options));
        daemon.subscribed().await;
        let engine = deployment.sandbox.engine().await.unwrap();
        Self { deployment, engine, _daemon: daemon, messages }
    }

    fn incident(&self) -> Incident {
        self.deployment.sandbox.soar.rest.incidents().get(INCIDENT).unwrap()
    }

    /// Starts what a menu of the incident shows under this name.
    async fn run(&self, name: &str, form: Value) -> Vec<Run> {
        let Value::Object(form) = form else { panic!("a form is an object") };
        let started = Started { process: String::new(), by: author("Paula"), task: None, row: None, form };
        let runs = self.engine.run_rule(name, INCIDENT, started).await.unwrap();
        for run in &runs {
            ended_well(run);
        }
        runs
    }

    async fn plan(&self, name: &str) {
        let mailboxes: Vec<_> = self.messages.iter().map(|(mailbox, _)| mailbox.as_str()).collect();
        let form = json!({
            "exo_email_address_list": mailboxes.join(", "),
            "exo_message_subject": SUBJECT,
            "exo_removal_action": "Quarantine",
        });
        self.run(name, form).await;
    }

    /// The folders of the messages.
    fn folders(&self) -> Vec<String> {
        let graph = &self.deployment.sandbox.graph;
        let folder = |(mailbox, id): &(String, String)| graph.snapshot(mailbox)[id].folder_id.clone();
        self.messages.iter().map(folder).collect()
    }

    /// Closes the task of the plan as this user, and waits for the end of what that starts.
    async fn close_task(&self, by: &str) -> Run {
        let task = self.incident().tasks.last().unwrap().id;
        let before = self.engine.runs().len();
        self.deployment.sandbox.soar.rest.incidents().close_task(task, &author(by)).unwrap();
        poll(async || (self.engine.runs().len() > before).then_some(()).ok_or_else(|| "no call".to_owned()))
            .await;
        self.engine.ended(before + 1).await.unwrap()
    }
}

fn ended_well(run: &Run) {
    let Some(End::Replied { reply, scripts }) = &run.end else { panic!("{run:?}") };
    assert_eq!((reply.message_type, &reply.results["success"]), (0, &json!(true)), "{}", reply.raw_body);
    assert!(!matches!(scripts, Scripts::Failed(_)), "{scripts:?}");
}

/// From the query to the plan, the removal, and back.
async fn there_and_back(customizations: Value, name: impl Fn(&str) -> String) {
    let setting = Setting::new(customizations, &[("four_eyes", "true")]).await;
    let before = setting.folders();
    setting.plan(&name("Plan Removal")).await;
    assert_eq!(setting.folders(), before, "a plan changes nothing");
    let task = setting.incident().tasks.last().unwrap().clone();
    assert!(task.name.contains("quarantine 3 messages in 3 mailboxes"), "{}", task.name);

    let run = setting.close_task("Olga").await;
    ended_well(&run);
    let End::Replied { reply, .. } = run.end.as_ref().unwrap() else { unreachable!() };
    assert_eq!(reply.results["content"]["approved_by"], "Olga@corp.example", "{}", reply.raw_body);
    assert_eq!(reply.results["content"]["messages_removed"], 3);
    assert!(setting.folders().iter().zip(&before).all(|(now, then)| now != then));

    let digest = reply.results["content"]["plan_digest"].clone();
    setting.run(&name("Restore Messages"), json!({"exo_plan_digest": digest})).await;
    assert_eq!(setting.folders(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_task_applies_the_plan_by_rules() {
    there_and_back(export(ScriptLanguage::Python3).unwrap(), |name| format!("{RULE}{name}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_task_applies_the_plan_by_playbooks() {
    let name = |name: &str| format!("{PLAYBOOK}{}", name.to_lowercase().replace(' ', "_"));
    there_and_back(export(Examples::Playbooks).unwrap(), name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn maker_of_the_plan_cannot_approve_it() {
    let setting = Setting::new(export(ScriptLanguage::Python3).unwrap(), &[("four_eyes", "true")]).await;
    let before = setting.folders();
    setting.plan(&format!("{RULE}Plan Removal")).await;
    let run = setting.close_task("Paula").await;
    let Some(End::Replied { reply, .. }) = &run.end else { panic!("{run:?}") };
    assert!(reply.raw_body.contains("four_eyes"), "{}", reply.raw_body);
    assert_eq!(setting.folders(), before);
}
