//! Tests login and subscription without an effect: no message is received or marked, and other subscribers are not
//! disturbed.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::connection::Connection;
use super::error::{Error, error_text};
use super::session::SessionOptions;
use super::session::reconnect::{ANSWER_WITHIN, open};
use super::transport::Stream;
use super::{ClientCommand, Frame, ServerCommand, client_frames};

/// A connection that is logged in, for tests of subscriptions.
pub struct Probe<'a> {
    options: &'a SessionOptions,
    connection: Connection<Stream>,
    last_receipt: u64,
}

impl<'a> Probe<'a> {
    /// Logs in. Each step takes `options.timeout` at most; the destinations of `options` are not used.
    ///
    /// # Errors
    /// The broker cannot be reached, is not trusted, or refuses the login.
    pub async fn log_in(options: &'a SessionOptions) -> Result<Self, Error> {
        let deadline = Instant::now() + options.timeout;
        let mut patience = ANSWER_WITHIN.min(options.timeout);
        loop {
            match timeout_at(deadline, open(options, patience)).await {
                Ok(Ok(connection)) => return Ok(Self { options, connection, last_receipt: 0 }),
                // A broker may lose a CONNECT: another connection brings the answer. Or it is slow: a longer wait does.
                Ok(Err(Error::NoAnswer(_))) if Instant::now() < deadline => patience *= 2,
                Ok(Err(Error::NoAnswer(_))) | Err(_) => return Err(Error::NoAnswer(options.timeout)),
                Ok(Err(failure)) => return Err(failure),
            }
        }
    }

    /// Subscribes to `destination` in a way that no message matches, and unsubscribes.
    ///
    /// # Errors
    /// The broker refuses it. The connection may be unusable afterwards.
    pub async fn subscribe(&mut self, destination: &str) -> Result<(), Error> {
        let receipt = self.next_receipt();
        self.ask(client_frames::subscribe_to_nothing(destination, receipt), receipt, destination).await?;
        let receipt = self.next_receipt();
        self.ask(client_frames::unsubscribe(destination, receipt), receipt, destination).await
    }

    /// Disconnects. Waits for the broker's receipt, `within` this time at most.
    pub async fn leave(mut self, within: Duration) {
        let receipt = self.next_receipt();
        if self.connection.queue(client_frames::disconnect().with_receipt(receipt)).is_ok() {
            // The connection ends whatever the answer is.
            let _ = timeout(within, self.connection.next_frame(true)).await;
        }
    }

    fn next_receipt(&mut self) -> u64 {
        self.last_receipt += 1;
        self.last_receipt
    }

    /// Sends `frame` and waits for its receipt.
    async fn ask(
        &mut self,
        frame: Frame<ClientCommand>,
        receipt: u64,
        destination: &str,
    ) -> Result<(), Error> {
        self.connection.queue(frame)?;
        let patience = self.options.timeout;
        let answer = timeout(patience, self.connection.next_frame(true));
        let answer = answer.await.map_err(|_| Error::Unconfirmed(patience))??;
        match answer.command {
            ServerCommand::Receipt if answer.header("receipt-id") == Some(receipt.to_string().as_str()) => {
                Ok(())
            }
            ServerCommand::Error => {
                let text = error_text(&answer, &self.options.passcode);
                Err(Error::of_subscription(destination, text))
            }
            ServerCommand::Message => Err(Error::Protocol(
                "it handed out a message to a subscription that selects none; the message goes back"
                    .to_owned(),
            )),
            ServerCommand::Receipt | ServerCommand::Connected => {
                Err(Error::Protocol("the answer to SUBSCRIBE is neither RECEIPT nor ERROR".to_owned()))
            }
        }
    }
}
