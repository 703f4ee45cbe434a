//! Calls as versions 1.3, 1.4 and 1.5 of the older app's processes send them: all nine functions, with success and with
//! failure. What the scripts of these versions test in the results leads into the branch that is right.

use serde_json::{Map, Value, json};

use crate::support::deployment::{Deployment, SOON};
use sandbox::soar::INCIDENT;
use sandbox::soar::caller::{Caller, Origin};

/// A version of the older app's processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Workflows, which leave out what is not set.
    V1_3,
    /// Playbooks, which send null for what is not set.
    V1_4,
    /// Playbooks with a folder by name.
    V1_5,
}

use Version::{V1_3, V1_4, V1_5};

/// What a script does with the results.
#[derive(Debug, PartialEq, Eq)]
enum Branch {
    Success,
    /// It shows this: Graph's error code, or the reason.
    Failure(String),
}

fn failure(shown: &str) -> Branch {
    Branch::Failure(shown.to_owned())
}

impl Version {
    fn origin(self) -> Origin {
        if self == V1_3 { Origin::Workflow } else { Origin::Playbook }
    }

    /// The inputs with those that are not set, as this version sends them.
    fn inputs(self, set: Value, unset: &[&str]) -> Value {
        let Value::Object(mut inputs) = set else { unreachable!() };
        if self != V1_3 {
            inputs.extend(unset.iter().map(|name| ((*name).to_owned(), Value::Null)));
        }
        inputs.into()
    }

    /// Where a script of *move message* looks: in version 1.5 at `success` and `reason`, before at `content.error`.
    fn branch_of_move(self, results: &Value) -> Branch {
        match self {
            V1_5 if results["success"] == true => Branch::Success,
            V1_5 => failure(results["reason"].as_str().unwrap()),
            V1_3 | V1_4 => branch(results),
        }
    }
}

/// Where the other scripts look: at `content["error"]`, and some at `success` before. Both must agree.
fn branch(results: &Value) -> Branch {
    let error = &results["content"]["error"];
    assert_eq!(results["success"] == true, error.is_null(), "{results}");
    if error.is_null() { Branch::Success } else { failure(error["code"].as_str().unwrap()) }
}

/// An option as SOAR sends a choice.
fn option(name: &str) -> Value {
    json!({"id": 126, "name": name})
}

struct Setting {
    deployment: Deployment,
    soar: Caller,
    version: Version,
}

impl Setting {
    async fn results(&self, function: &str, inputs: Value) -> Value {
        let name = format!("exchange_online_{function}");
        let call = self.soar.call_from(self.version.origin(), &name, inputs.clone()).await.unwrap();
        let reply = call.reply(SOON).await.unwrap();
        assert_eq!((reply.message_type, reply.message.as_str()), (0, "Completed"), "{function}");
        assert_eq!(reply.results["inputs"], inputs, "scripts read the inputs as they came");
        reply.results
    }

    fn new_message(&self, subject: &str) -> Value {
        let mailbox = self.deployment.mailbox(1);
        let id = self.deployment.add_message(&mailbox, subject, "click here");
        json!({"exo_email_address": mailbox, "exo_messages_id": id})
    }

    /// A message that is not there.
    async fn missing(&self) -> Value {
        let mut gone = self.new_message("gone");
        let deleted = self.results("delete_email", gone.clone()).await;
        assert_eq!(deleted["success"], true);
        gone["incident_id"] = json!(INCIDENT);
        gone
    }

    async fn reading(&self) {
        let Self { version, .. } = self;
        let profile =
            self.results("get_email_user_profile", json!({"exo_email_address": self.deployment.mailbox(1)}));
        let profile = profile.await;
        assert_eq!(branch(&profile), Branch::Success);
        assert!(profile["pretty_string"].as_str().unwrap().contains("userPrincipalName"));
        let unknown =
            self.results("get_email_user_profile", json!({"exo_email_address": "unknown@x.example"})).await;
        assert_eq!(branch(&unknown), failure("Request_ResourceNotFound"));
        assert!(unknown["pretty_string"].as_str().unwrap().contains("Request_ResourceNotFound"));

        let message = self.results("get_message", self.new_message("to read")).await;
        assert_eq!(branch(&message), Branch::Success);
        assert!(message["pretty_string"].as_str().unwrap().contains("to read"));
        let gone = self.results("get_message", self.missing().await).await;
        assert_eq!(branch(&gone), failure("ErrorItemNotFound"));
        assert!(gone["pretty_string"].as_str().unwrap().contains("ErrorItemNotFound"));

        let mut kept = self.new_message("to keep");
        kept["incident_id"] = json!(INCIDENT);
        let kept = version.inputs(kept, &["exo_attachment_name", "task_id"]);
        let kept = self.results("write_message_as_attachment", kept).await;
        assert_eq!(branch(&kept), Branch::Success);
        assert!(kept["content"]["attachment_name"].as_str().unwrap().contains(".eml"));
        let gone = self.results("write_message_as_attachment", self.missing().await).await;
        assert_eq!(branch(&gone), failure("ErrorItemNotFound"));
    }

    async fn moving(&self) {
        let Self { version, .. } = self;
        let to = |mut message: Value, folder: &str| {
            message["exo_mailfolders_id"] = Value::Null;
            if *version == V1_5 {
                message["exo_destination_mailfolder_id"] = Value::Null;
                message["exo_custom_folder_name"] = json!(folder);
            } else {
                message["exo_destination_mailfolder_id"] = option(folder);
            }
            message
        };
        let moved = self.results("move_message_to_folder", to(self.new_message("to move"), "Archive")).await;
        assert_eq!(version.branch_of_move(&moved), Branch::Success);
        assert!(
            moved["content"]["new_message_id"].is_string() && moved["content"]["new_web_link"].is_string()
        );
        let gone = self.results("move_message_to_folder", to(self.missing().await, "archive")).await;
        let Branch::Failure(shown) = version.branch_of_move(&gone) else { panic!("{gone}") };
        if *version == V1_5 {
            assert!(shown.contains(&self.deployment.mailbox(1)), "{shown}");
            let nowhere = to(self.new_message("to move"), "No such folder");
            let nowhere = self.results("move_message_to_folder", nowhere).await;
            let Branch::Failure(shown) = version.branch_of_move(&nowhere) else { panic!("{nowhere}") };
            assert!(shown.contains("No such folder") && nowhere["content"] == json!({}), "{nowhere}");
        } else {
            assert_eq!(shown, "ErrorItemNotFound");
        }
    }

    async fn sending(&self) {
        let Self { version, .. } = self;
        let mail = json!({
            "incident_id": INCIDENT,
            "exo_email_address": self.deployment.mailbox(1),
            "exo_recipients": "security@sandbox.example, ",
            "exo_message_subject": "Phishing",
            "exo_message_body": "<div class=\"rte\"><div>Do not click.</div></div>",
        });
        let mail = version.inputs(mail, &["exo_attachment_names"]);
        let sent = self.results("send_message", mail.clone()).await;
        assert_eq!(branch(&sent), Branch::Success);
        assert_eq!(sent["content"]["failed_attachments"], Value::Null);
        let mut with_file = mail;
        with_file["exo_attachment_names"] = json!("missing.txt");
        let sent = self.results("send_message", with_file).await;
        assert_eq!(sent["content"]["failed_attachments"], json!(["missing.txt"]));

        let start = chrono::Utc::now().timestamp_millis() + 3_600_000;
        let meeting = |organizer: String| {
            let set = json!({
                "exo_meeting_email_address": organizer,
                "exo_meeting_start_time": start,
                "exo_meeting_end_time": start + 1_800_000,
                "exo_meeting_subject": "phishing meeting",
                "exo_meeting_body": "<div>We need to talk</div>",
                "exo_meeting_required_attendees": "security@sandbox.example, ",
            });
            version.inputs(set, &["exo_meeting_optional_attendees", "exo_meeting_location"])
        };
        let created = self.results("create_meeting", meeting(self.deployment.mailbox(1))).await;
        assert_eq!(branch(&created), Branch::Success);
        assert!(created["pretty_string"].as_str().unwrap().contains("phishing meeting"));
        let unknown = self.results("create_meeting", meeting("unknown@x.example".to_owned())).await;
        assert!(matches!(branch(&unknown), Branch::Failure(_)), "{unknown}");
        assert!(unknown["pretty_string"].as_str().unwrap().contains("\"error\""));
    }

    async fn finding_and_deleting(&self) {
        let Self { version, .. } = self;
        let deleted = self
            .results("delete_email", version.inputs(self.new_message("x"), &["exo_mailfolders_id"]))
            .await;
        assert_eq!(branch(&deleted), Branch::Success);
        assert_eq!(deleted["content"], json!({"value": true}));
        let gone = self.results("delete_email", self.missing().await).await;
        assert_eq!(branch(&gone), failure("ErrorItemNotFound"));

        for _ in 0..2 {
            self.new_message("wave of today");
        }
        let set = json!({
            "incident_id": INCIDENT,
            "exo_email_address": self.deployment.mailbox(1),
            "exo_message_subject": "wave of today",
            "exo_query_output_format": [option("Exchange Online data table"), option("Incident note")],
        });
        let unset = [
            "exo_mail_folders",
            "exo_email_address_sender",
            "exo_start_date",
            "exo_end_date",
            "exo_message_body",
            "exo_has_attachments",
        ];
        let found = self.results("query_emails", version.inputs(set.clone(), &unset)).await;
        assert_eq!(branch(&found), Branch::Success);
        let formats = found["content"]["exo_query_output_format"].as_array().unwrap();
        assert!(formats.contains(&json!("Exchange Online data table")), "scripts look for the label");
        let rows = &found["content"]["email_results"][0];
        assert_eq!(rows["email_address"], json!(self.deployment.mailbox(1)));
        assert_eq!(rows["email_list"].as_array().unwrap().len(), 2);

        // The process hands `raw` to the next function.
        let all = json!({"exo_query_messages_results": found["raw"]});
        let deleted = self.results("delete_messages_from_query_results", all.clone()).await;
        let lists = |results: &Value| {
            let mailbox = &results["content"]["delete_results"][0];
            ["deleted_list", "not_deleted_list"].map(|list| mailbox[list].as_array().map_or(0, Vec::len))
        };
        assert_eq!(lists(&deleted), [2, 0], "{deleted}");
        let again = self.results("delete_messages_from_query_results", all).await;
        assert_eq!(lists(&again), [0, 2], "{again}");
        let nothing = self.results("query_emails", version.inputs(set, &unset)).await;
        assert_eq!(nothing["content"]["email_results"][0]["email_list"], json!([]), "{nothing}");
    }
}

#[tokio::test]
async fn older_calls_lead_scripts_into_the_right_branch() {
    for version in [V1_3, V1_4, V1_5] {
        let deployment = Deployment::new().await;
        let _daemon = deployment.daemon().await;
        let soar = deployment.caller().await;
        let setting = Setting { deployment, soar, version };
        setting.reading().await;
        setting.moving().await;
        setting.sending().await;
        setting.finding_and_deleting().await;
    }
}

/// A call without an input that is required names every missing one, in all versions.
#[tokio::test]
async fn older_call_without_a_required_input_names_it() {
    let deployment = Deployment::new().await;
    let _daemon = deployment.daemon().await;
    let soar = deployment.caller().await;
    for version in [V1_3, V1_4, V1_5] {
        let inputs = version.inputs(Map::new().into(), &["exo_email_address", "exo_messages_id"]);
        let call = soar.call_from(version.origin(), "exchange_online_get_message", inputs).await.unwrap();
        let reply = call.reply(SOON).await.unwrap();
        assert_eq!(reply.message_type, 1);
        for input in ["exo_email_address", "exo_messages_id"] {
            assert!(reply.message.contains(input), "{}", reply.message);
        }
    }
}
