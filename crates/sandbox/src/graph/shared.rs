//! What all requests share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::faults::{Faults, Work};
use super::path::Route;
use super::record::Recorder;
use super::refusal::GraphResult;
use super::request::GraphRequest;
use super::rng::{guid, mix};
use super::state::State;
use super::token::Entra;

/// All that requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: State,
    pub(super) faults: Faults,
    pub(super) recorder: Recorder,
    pub(super) entra: Entra,
    pub(super) requests: AtomicU64,
}

impl Shared {
    /// A new `request-id`.
    pub(super) fn request_id(&self) -> String {
        let nth = self.requests.fetch_add(1, Ordering::Relaxed);
        guid(mix(self.state.base.generator.seed, 0x1D, nth), mix(nth, 0x1E, 0))
    }

    /// The mailbox that a request works in, if any.
    pub(super) fn mailbox_of(&self, request: &GraphRequest) -> Option<u32> {
        self.state.base.directory.find(request.mailbox()?)
    }

    /// How long the service works on a request. For a `$batch` call this is what it takes in addition to its parts.
    pub(super) fn time(&self, request: &GraphRequest) -> Duration {
        match request.route {
            Ok(Route::Batch) => self.faults.time(&Work::Batch),
            Ok(Route::Users) => self.faults.time(&Work::UsersPage),
            _ => {
                let mailbox = self.mailbox_of(request);
                self.faults.time(&Work::Request { line: &request.request_line(), mailbox })
            }
        }
    }

    /// Returns `outcome`, and lets a refusal quote the request if the faults demand it.
    pub(super) fn quoted(&self, outcome: GraphResult, request: &GraphRequest) -> GraphResult {
        let quotes = self.faults.quotes_requests();
        outcome.map_err(|refusal| if quotes { request.quote_in(refusal) } else { refusal })
    }
}
