//! The runs of workflows and playbooks that call functions: whether a user has ended one.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Error;
use super::client::Client;
use super::function_call::Run;
use super::rest::RequestBody;

/// A run as SOAR describes it.
#[derive(Deserialize)]
struct Described {
    /// The run of a playbook. That of a workflow is known from the request.
    id: Option<i64>,
    status: Option<String>,
}

/// The executions of playbooks on an incident.
#[derive(Deserialize)]
struct Executions {
    data: Vec<Described>,
}

impl Client {
    /// Whether a user has ended `run`, a workflow or playbook on `incident`. `None` where SOAR cannot be asked: the call
    /// names no run, or for a playbook no incident.
    ///
    /// The status of a workflow that was ended is `terminated` (`resilient_lib`, `workflow_status.py`). That of a playbook
    /// is `canceled`, and only the executions of an incident can be asked for (IBM's app Playbook Utilities,
    /// `fn_playbook_utils`, 1.0).
    ///
    /// # Errors
    /// SOAR refuses the request, for instance because the API key may not read it, or does not answer.
    pub async fn was_ended(&self, run: &Run, incident: Option<i64>) -> Option<Result<bool, Error>> {
        match (run, incident) {
            (Run::Workflow { instance: Some(instance), .. }, _) => {
                Some(self.workflow_was_terminated(*instance).await)
            }
            (Run::Playbook { instance: Some(instance), .. }, Some(incident)) => {
                Some(self.playbook_was_canceled(*instance, incident).await)
            }
            _ => None,
        }
    }

    async fn workflow_was_terminated(&self, instance: i64) -> Result<bool, Error> {
        let instance = instance.to_string();
        let attempt = format!("read the state of workflow instance {instance}");
        let request = self.get(attempt, &["workflow_instances", &instance]);
        let described: Described = self.connection().fetch(&request).await?;
        Ok(described.status.as_deref() == Some("terminated"))
    }

    async fn playbook_was_canceled(&self, instance: i64, incident: i64) -> Result<bool, Error> {
        let condition = |method| json!({"method": method, "field_name": "incident_id", "value": incident});
        let body = json!({"sorts": [], "filters": [{"conditions": [condition("gte"), condition("lte")]}]});
        let request = self.request(
            Method::POST,
            format!("read the playbooks that run on incident {incident}"),
            &["playbooks", "execution", "query_paged"],
            RequestBody::Json(body.to_string().into()),
        );
        let executions: Executions = self.connection().fetch(&request).await?;
        let own = executions.data.into_iter().find(|described| described.id == Some(instance));
        Ok(own.is_some_and(|own| own.status.as_deref() == Some("canceled")))
    }
}
