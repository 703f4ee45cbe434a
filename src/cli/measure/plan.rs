//! The requests that a measurement will send, shown before the first of them.

use std::fmt::Write as _;
use std::io::{IsTerminal, stderr, stdin};
use std::time::Duration;

use graph::{GraphSettings, PARTS_AT_ONCE};
use url::Url;

use super::Arguments;
use crate::cli::terminal::{confirm_on, say, warn};
use crate::cli::{ExitCode, Failure};

/// The most users that Graph puts on one page (Graph page "List users").
const USERS_ON_PAGE: u64 = 999;

/// What a measurement sends at most.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) base_url: Url,
    pub(super) token_url: Url,
    /// Mailboxes to look into.
    pub(super) mailboxes: u16,
    pub(super) time: Duration,
    /// How often each request is sent again at most.
    pub(super) repeats: u32,
    /// Whether the directory has to be asked for the names of each mailbox (`mailboxes_denied_reading`).
    pub(super) identifies: bool,
    pub(super) batch_size: usize,
    pub(super) batches_at_once: usize,
    pub(super) requests_at_once: usize,
}

impl Plan {
    pub(super) fn new(arguments: &Arguments, settings: &GraphSettings, identifies: bool) -> Self {
        Self {
            base_url: settings.base_url.clone(),
            token_url: settings.token_url.clone(),
            mailboxes: arguments.mailboxes,
            time: Duration::from_secs(arguments.seconds.into()),
            repeats: settings.max_retries,
            identifies,
            batch_size: settings.max_batched_requests,
            batches_at_once: settings.max_concurrent_batches,
            requests_at_once: settings.max_concurrent_requests,
        }
    }

    /// Pages of users, where Graph fills them.
    pub(super) fn pages(&self) -> u64 {
        u64::from(self.mailboxes).div_ceil(USERS_ON_PAGE)
    }

    /// How many requests are sent by themselves at once: as many as Graph carries out at once of the batches.
    pub(super) fn single_at_once(&self) -> usize {
        (self.batches_at_once * PARTS_AT_ONCE).min(self.requests_at_once)
    }

    /// Requests for users and mailboxes, without repeats.
    fn once(&self) -> u64 {
        let mailboxes = u64::from(self.mailboxes);
        self.pages() + 2 * mailboxes + if self.identifies { mailboxes } else { 0 }
    }

    /// The number of requests after which the measurement ends in any case.
    pub(super) fn most_requests(&self) -> u64 {
        self.once() * (1 + u64::from(self.repeats))
    }

    /// Shows the plan and asks.
    ///
    /// # Errors
    /// The answer is no, or there is no terminal to ask on.
    pub(super) fn confirm(&self, yes: bool) -> Result<(), Failure> {
        if yes {
            say(&self.text());
            return Ok(());
        }
        warn(&self.text());
        if !stdin().is_terminal() || !stderr().is_terminal() {
            let message =
                "nothing was sent: there is no terminal to ask on. With --yes the requests are sent.";
            return Err(Failure::new(ExitCode::Failed, &message));
        }
        if confirm_on(&mut stderr(), "Send these requests? (y/n): ") == Some(true) {
            return Ok(());
        }
        Err(Failure::new(ExitCode::Failed, &"nothing was sent"))
    }

    fn text(&self) -> String {
        let Self { mailboxes, batch_size, batches_at_once, requests_at_once, repeats, .. } = self;
        let mut text = format!("The measurement sends these requests to {}:\n", self.base_url);
        let mut line = |count: &str, what: &str| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {count:>6}  {what}");
        };
        line("1", &format!("POST for an access token, to {}", self.token_url));
        let more = "more if Graph's pages are shorter";
        line(
            &self.pages().to_string(),
            &format!("GET /users?$select=id,userPrincipalName&$top=999 ({more})"),
        );
        if self.identifies {
            let select = "$select=id,userPrincipalName,mail,proxyAddresses";
            line(&mailboxes.to_string(), &format!("GET /users/ID?{select}, for mailboxes_denied_reading"));
        }
        let messages = "GET /users/ID/messages?$select=id&$top=1";
        line(
            &mailboxes.to_string(),
            &format!("{messages}, by themselves, {} at once", self.single_at_once()),
        );
        line(
            &mailboxes.to_string(),
            &format!("the same as a search does: by themselves, {requests_at_once} at once, or in"),
        );
        line("", &format!("POST /$batch of {batch_size}, {batches_at_once} batches at once"));
        let _ = write!(
            text,
            "These are the most; a tenant with fewer users takes fewer. A request that Graph throttles or\n\
             fails is sent again up to {repeats} times. The measurement ends after {} s, or {} requests to\n\
             Graph. Nothing is changed. Of a mailbox it reads the id of one message, and no content.\n\
             The requests count against the limits of the application, so other work of it, a daemon\n\
             included, may be slower meanwhile (learn.microsoft.com/graph/throttling-limits).",
            self.time.as_secs(),
            self.most_requests(),
        );
        text
    }
}
