//! `exchange_online_get_message`: returns one message as Graph shows it.

use super::context::Context;
use super::error::Error;
use super::inputs::Inputs;
use super::outcome::Outcome;
use super::permissions::{READ_MAIL, Use};
use super::spec::{MAILBOX, MESSAGE, Spec, Timeout};
use graph::{Dispatch, Expected, Path, Request};

pub(super) const SPEC: Spec = Spec {
    name: "exchange_online_get_message",
    summary: "Reads one message.",
    inputs: &[MAILBOX, MESSAGE],
    uses: &[Use::always(&[READ_MAIL])],
    changes_mailbox: false,
    timeout: Timeout::Abort,
};

pub(super) async fn run(context: &Context, inputs: &Inputs) -> Result<Outcome, Error> {
    let mut reader = inputs.read();
    let mailbox = reader.required_mailbox("exo_email_address");
    let id = reader.required_id("exo_messages_id");
    reader.finish()?;

    context.status.say(format!("Reading a message of {mailbox}"));
    let read = async {
        let owner = context.guard.authorize_reading(&context.graph, &Dispatch::Single, &mailbox).await?;
        let request = Request::get(Path::message(owner.address(), None, &id)?)
            .in_mailbox(owner.address())
            .expecting(Expected::Entity);
        context.graph.send(&request).await?.json()
    };
    let read = read.await;
    context.guard.record_reading(&mailbox, &id, &read);
    match read {
        Ok(message) => Outcome::object(message),
        Err(source) => {
            let attempt = format!("read message {id} of mailbox {mailbox}");
            let what = format!("Message {id} of mailbox {mailbox}");
            Outcome::not_found_in(&mailbox, Error::graph(attempt, SPEC.permissions(), source), &what)?
                .with_pretty()
        }
    }
}
