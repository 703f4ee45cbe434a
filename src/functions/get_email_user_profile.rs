//! `exchange_online_get_email_user_profile`: the directory's profile of a user.

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use graph::{Path, Request};

const PERMISSION: &str = "User.Read.All";

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let user = reader.required_word("exo_email_address");
    reader.finish()?;

    context.status.say(format!("Reading the profile of {user}"));
    let read = async { context.graph.send(&Request::get(Path::user(&user)?)).await?.json() };
    match read.await {
        Ok(profile) => Outcome::object(profile),
        Err(source) => {
            let attempt = format!("read the profile of {user}");
            let what = format!("The user {user}");
            Outcome::not_found(Error::Graph { attempt, permission: PERMISSION, source }, &what)
        }
    }
}
