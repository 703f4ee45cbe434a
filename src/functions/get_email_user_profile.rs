//! `exchange_online_get_email_user_profile`: returns a user's profile from the directory.

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use super::permissions::{READ_USERS, Use};
use super::spec::{Input, InputKind, Spec, Timeout};
use graph::{Expected, Path, Request};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_get_email_user_profile",
    summary: "Reads the directory's profile of a user.",
    inputs: &[Input::required("exo_email_address", InputKind::Text, "address of the user")],
    uses: &[Use::always(&[READ_USERS])],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let user = reader.required_mailbox("exo_email_address");
    reader.finish()?;

    context.status.say(format!("Reading the profile of {user}"));
    let read = async {
        let request = Request::get(Path::user(&user)?).expecting(Expected::Entity);
        context.graph.send(&request).await?.json()
    };
    match read.await {
        Ok(profile) if is_of(&profile, &user) => Outcome::object(profile),
        Ok(_) => Err(Error::refused(format!(
            "Microsoft Graph answered with the profile of another user than {user}."
        ))),
        Err(source) => {
            let attempt = format!("read the profile of {user}");
            let what = format!("The user {user}");
            Outcome::not_found(Error::graph(attempt, SPEC.permissions(), source), &what)?.with_pretty()
        }
    }
}

/// Whether the profile has that name, as far as it names its user: Graph finds users by id and by principal name (Graph
/// page "Get a user").
fn is_of(profile: &RawValue, name: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Names {
        id: Option<String>,
        user_principal_name: Option<String>,
        mail: Option<String>,
    }
    let Ok(Names { id, user_principal_name, mail }) = serde_json::from_str(profile.get()) else {
        return false;
    };
    let wanted = name.to_lowercase();
    user_principal_name.is_none()
        || [id, user_principal_name, mail].into_iter().flatten().any(|name| name.to_lowercase() == wanted)
}
