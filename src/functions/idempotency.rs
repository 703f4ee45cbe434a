//! Effects that must happen at most once: a mail, a note, a file.
//!
//! Neither Graph nor SOAR offers a key that makes creating one of these repeatable. [`ensure_once`] therefore looks up
//! whether the effect already exists before each attempt that might repeat it. A call that has not run before, and
//! whose attempts have a clear outcome, needs no lookup.
//!
//! ```text
//!                  ┌───────── lease lost ◀─────────┐
//!                  ▼                               │
//! start ─▶ AwaitLease ─▶ Verify ─ not found ─▶    Act ─ done or refused ─▶ Finish
//!            ▲   │          └ found ─▶ Finish      ▲│
//!            │   └─ cannot be a repeat ────────────┘└─ outcome unknown ─▶ Settle ─ found ─▶ Finish
//!            └───────────────────── BackOff ◀─────────── not found ──────────┘
//! ```

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::call::PriorRun;
use super::context::Context;
use super::error::Error;

/// Delays between lookups. An effect may take a moment to become visible, and the process that held the call before may
/// be about to apply it.
const LOOKUP_DELAYS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// Delays between lookups after a throttled request. Graph throttles a request before it carries it out, as a rule, so
/// fewer lookups are enough.
const LOOKUP_DELAYS_AFTER_THROTTLING: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// Maximum number of repeats after an unknown outcome. Repeats that Graph asks to delay are counted by the retry policy
/// instead.
const MAX_REPEATS: u32 = 2;

/// When an effect becomes visible to a lookup.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Visibility {
    /// As soon as it is applied.
    Immediate,
    /// Some seconds later: Exchange files a sent mail asynchronously. Lookups are spaced by at least the retry policy's
    /// back-off.
    Eventual,
}

/// Runs `act` at most once across retries, redeliveries and daemons.
///
/// Before each attempt that might be a repeat, `lookup` checks whether an earlier attempt took effect. If the lookup
/// itself fails, `act` does not run. If the lease on the call's message is lost, the attempt is cancelled; it resumes,
/// after another lookup, once the lease is regained.
pub(super) async fn ensure_once<T, L, A>(
    context: &Context,
    effect: &'static str,
    visibility: Visibility,
    lookup: impl Fn() -> L,
    act: impl Fn() -> A,
) -> Result<T, Error>
where
    L: Future<Output = Result<Option<T>, Error>>,
    A: Future<Output = Result<T, Error>>,
{
    let lookup = || async {
        if net::failpoint::is_set(format_args!("skip-lookup: {effect}")) { Ok(None) } else { lookup().await }
    };
    let mut attempt = Attempt {
        context,
        effect,
        visibility,
        lookup,
        act,
        delivery: 1,
        unverified: context.may_have_been_run(),
        indeterminate: false,
        repeats: 0,
        delayed_repeats: 0,
    };
    let mut step = Step::AwaitLease;
    loop {
        step = match attempt.next(step).await {
            Step::Finish(result) => return result,
            step => step,
        };
    }
}

/// The next thing to do.
enum Step<T> {
    /// Wait until this process holds the lease on the call's message.
    AwaitLease,
    /// Look up whether an earlier run, or a cancelled attempt, applied the effect.
    Verify,
    /// Apply the effect.
    Act,
    /// Look up whether the attempt that failed with `error` applied the effect all the same.
    Settle { error: Error, failed_at: Instant },
    /// Wait before the effect is applied again.
    BackOff { until: Instant },
    /// Return the result.
    Finish(Result<T, Error>),
}

/// The attempts of one run to apply an effect.
struct Attempt<'a, L, A> {
    context: &'a Context,
    effect: &'static str,
    visibility: Visibility,
    lookup: L,
    act: A,
    /// Number of the delivery whose lease covers the attempt.
    delivery: u32,
    /// Whether an attempt that was not looked up yet may have applied the effect.
    unverified: bool,
    /// Whether an attempt of this run may have applied the effect, as far as its own outcome says.
    indeterminate: bool,
    /// Repeats after an unknown outcome.
    repeats: u32,
    /// Repeats that Graph asked to delay.
    delayed_repeats: u32,
}

impl<T, L, A, LookedUp, Acted> Attempt<'_, L, A>
where
    L: Fn() -> LookedUp,
    A: Fn() -> Acted,
    LookedUp: Future<Output = Result<Option<T>, Error>>,
    Acted: Future<Output = Result<T, Error>>,
{
    /// Carries out `step` and decides what follows it.
    async fn next(&mut self, step: Step<T>) -> Step<T> {
        match step {
            Step::AwaitLease => self.await_lease().await,
            Step::Verify => self.verify().await,
            Step::Act => self.apply().await,
            Step::Settle { error, failed_at } => self.settle(error, failed_at).await,
            Step::BackOff { until } => {
                // A stop ends the wait; the change is refused then.
                self.context.guard.sleep(until.saturating_duration_since(Instant::now())).await;
                info!(effect = self.effect, "not done by the earlier attempt; trying again");
                Step::AwaitLease
            }
            Step::Finish(result) => Step::Finish(result),
        }
    }

    /// Without the lease another worker may be applying the effect, and may have applied it when the lease returns.
    async fn await_lease(&mut self) -> Step<T> {
        let lease = &self.context.lease;
        if !lease.is_held() {
            info!(effect = self.effect, "waiting: the connection that delivered the call has closed");
        }
        let delivery = lease.held().await;
        if delivery != self.delivery {
            self.delivery = delivery;
            self.unverified = true;
        }
        if self.unverified { Step::Verify } else { Step::Act }
    }

    async fn verify(&mut self) -> Step<T> {
        let delays = delays(self.context, self.visibility);
        match look_for(self.context, self.indeterminate, delays, &self.lookup).await {
            Ok(Some(done)) => {
                info!(effect = self.effect, "already done by an earlier run of this call");
                Step::Finish(Ok(done))
            }
            Ok(None) => {
                self.unverified = false;
                Step::Act
            }
            Err(error) => Step::Finish(Err(error.after_indeterminate())),
        }
    }

    async fn apply(&mut self) -> Step<T> {
        let acted = tokio::select! {
            biased;
            () = self.context.lease.lost(self.delivery) => None,
            acted = (self.act)() => Some(acted),
        };
        match acted {
            Some(Ok(done)) => Step::Finish(Ok(done)),
            Some(Err(error)) if error.is_indeterminate() => {
                warn!(effect = self.effect, error = error.for_log(), "outcome unknown; looking it up");
                self.indeterminate = true;
                Step::Settle { error, failed_at: Instant::now() }
            }
            Some(Err(error)) => {
                Step::Finish(Err(if self.indeterminate { error.after_indeterminate() } else { error }))
            }
            None => {
                warn!(effect = self.effect, "cancelled: the connection that delivered the call has closed");
                (self.unverified, self.indeterminate) = (true, true);
                Step::AwaitLease
            }
        }
    }

    async fn settle(&mut self, error: Error, failed_at: Instant) -> Step<T> {
        let hint = error.backoff_hint();
        let delays: Vec<_> = if error.is_throttling() {
            LOOKUP_DELAYS_AFTER_THROTTLING.into()
        } else {
            delays(self.context, self.visibility).collect()
        };
        let error = match look_repeatedly(delays.into_iter(), &self.lookup).await {
            Ok(Some(done)) => {
                info!(effect = self.effect, "done in spite of the failed request");
                return Step::Finish(Ok(done));
            }
            Ok(None) => error,
            // Without the permission to look, the meaning of throttling (not carried out) has to do.
            Err(forbidden) if error.is_throttling() && forbidden.is_forbidden_look() => forbidden,
            Err(not_looked_up) => return Step::Finish(Err(not_looked_up.after_indeterminate())),
        };
        let wait = match hint {
            Some(hint) => self.context.graph.again_after(hint.named, self.delayed_repeats),
            None => (self.repeats < MAX_REPEATS).then_some(Duration::ZERO),
        };
        let Some(wait) = wait else { return Step::Finish(Err(error.after_indeterminate())) };
        *(if hint.is_some() { &mut self.delayed_repeats } else { &mut self.repeats }) += 1;
        Step::BackOff { until: failed_at + wait }
    }
}

/// Delays between the lookups of an effect.
fn delays(context: &Context, visibility: Visibility) -> impl Iterator<Item = Duration> {
    context.graph.waits().zip(LOOKUP_DELAYS).map(move |(policy, short)| match visibility {
        Visibility::Immediate => short,
        Visibility::Eventual => short.max(policy),
    })
}

/// Looks up an effect: several times where an attempt was made a moment ago or another worker may be applying the
/// effect, else once.
async fn look_for<T, E, L: Future<Output = Result<Option<T>, E>>>(
    context: &Context,
    attempted: bool,
    delays: impl Iterator<Item = Duration>,
    lookup: impl Fn() -> L,
) -> Result<Option<T>, E> {
    // A call without the redelivery mark that ran all the same came through a broker that was killed since. Nothing of
    // that run is still on its way.
    let several = attempted || context.run_elsewhere() == PriorRun::Likely;
    look_repeatedly(delays.filter(|_| several), lookup).await
}

async fn look_repeatedly<T, E, L: Future<Output = Result<Option<T>, E>>>(
    delays: impl Iterator<Item = Duration>,
    lookup: impl Fn() -> L,
) -> Result<Option<T>, E> {
    for delay in delays {
        if let Some(found) = lookup().await? {
            return Ok(Some(found));
        }
        sleep(delay).await;
    }
    lookup().await
}

/// Whether a request that failed like this may have been carried out. Graph has carried out requests that it answered
/// as throttled.
pub(super) fn may_have_been_applied(error: &graph::Error) -> bool {
    error.is_indeterminate() || error.backoff_hint().is_some()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::audit::{Initiator, Trail};
    use crate::config::{Environment, Settings};
    use crate::functions::call::Call;
    use crate::functions::error::ErrorKind;
    use crate::functions::incident_sink::IncidentSink;
    use crate::functions::lease::Lease;
    use crate::functions::permissions::Permissions;
    use crate::functions::progress::Status;
    use crate::guard::{ChangePolicy, DeletionCount, Guard};

    /// The first wait of the retry policy is 5 s.
    const APP_CONFIG: &str = "\
[resilient]
host=soar.example.com
org=My Org
api_key_id=key-id
api_key_secret=K3Y!
[fn_exchange_online]
tenant_id=tenant
client_id=client
client_secret=S3CR3T
";

    /// What a run did: its result, the attempts, the lookups, and the time that passed, in whole seconds.
    type Run = (Result<&'static str, String>, usize, usize, u64);

    fn context(prior_run: PriorRun) -> Context {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("app.config");
        std::fs::write(&file, APP_CONFIG).unwrap();
        let settings = Settings::load(&file, &Environment::default()).unwrap().settings;
        Context {
            graph: graph::Client::new(&settings.graph).unwrap(),
            sink: IncidentSink::local(directory.path()).0,
            call: Call { prior_run, ..Call::by_hand() },
            lease: Lease::undisputed(),
            guard: Guard::new(
                &ChangePolicy::new(settings.guard),
                Trail::in_log(),
                DeletionCount::default(),
                Initiator::default(),
            ),
            limits: settings.limits,
            zip_password: None,
            status: Status::channel().0,
        }
    }

    fn timed_out() -> Error {
        let source = graph::ErrorKind::TimedOut(Duration::from_secs(30)).into();
        ErrorKind::NotSentAgain { attempt: "send".to_owned(), source }.into()
    }

    fn answered(status: u16, retry_after: Option<Duration>) -> graph::Error {
        let (code, message, body) = ("Code".to_owned(), "message".to_owned(), None);
        graph::ErrorKind::Refused(Box::new(graph::Refusal { status, code, message, retry_after, body }))
            .into()
    }

    fn throttled() -> Error {
        let source = answered(429, Some(Duration::from_secs(1)));
        ErrorKind::NotSentAgain { attempt: "send".to_owned(), source }.into()
    }

    fn refused() -> Error {
        Error::graph("send", Permissions(&[]), answered(403, None))
    }

    /// Runs a mail. `failures` are the failures of the first attempts; the mail is visible from lookup number `seen`.
    async fn run(prior_run: PriorRun, failures: &[fn() -> Error], seen: usize) -> Run {
        let context = context(prior_run);
        let (attempts, lookups) = (Cell::new(0), Cell::new(0));
        let lookup = || async {
            lookups.set(lookups.get() + 1);
            Ok((lookups.get() >= seen).then_some("found"))
        };
        let act = || async {
            attempts.set(attempts.get() + 1);
            failures.get(attempts.get() - 1).map_or(Ok("done"), |failure| Err(failure()))
        };
        let started = Instant::now();
        let result = ensure_once(&context, "the mail", Visibility::Eventual, lookup, act).await;
        (
            result.map_err(|error| error.to_string()),
            attempts.get(),
            lookups.get(),
            started.elapsed().as_secs(),
        )
    }

    const NEVER: usize = usize::MAX;

    #[tokio::test(start_paused = true)]
    async fn first_run_acts_without_lookup() {
        assert_eq!(run(PriorRun::None, &[], NEVER).await, (Ok("done"), 1, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_outcome_is_looked_up_with_backoff_before_a_repeat() {
        let (result, attempts, lookups, seconds) = run(PriorRun::None, &[timed_out], NEVER).await;
        assert_eq!((result, attempts, lookups), (Ok("done"), 2, 4));
        assert!((35..=39).contains(&seconds), "5, 10 and 20 s: {seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn late_effect_is_found_and_not_repeated() {
        let (result, attempts, lookups, seconds) = run(PriorRun::None, &[timed_out], 3).await;
        assert_eq!((result, attempts, lookups), (Ok("found"), 1, 3));
        assert!((15..=17).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_outcome_is_repeated_twice_and_then_reported() {
        let (result, attempts, ..) = run(PriorRun::None, &[timed_out, timed_out, timed_out], NEVER).await;
        assert_eq!(attempts, 3);
        let error = result.unwrap_err();
        assert!(error.contains("It may have been sent all the same"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn earlier_run_is_looked_up_before_the_attempt() {
        assert_eq!(run(PriorRun::Possible, &[], NEVER).await, (Ok("done"), 1, 1, 0));
        let (result, attempts, lookups, seconds) = run(PriorRun::Likely, &[], NEVER).await;
        assert_eq!((result, attempts, lookups), (Ok("done"), 1, 4));
        assert!((35..=39).contains(&seconds), "{seconds}");
        assert_eq!(run(PriorRun::Likely, &[], 1).await, (Ok("found"), 0, 1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn throttled_attempt_is_repeated_after_lookups_of_three_seconds() {
        assert_eq!(run(PriorRun::None, &[throttled], NEVER).await, (Ok("done"), 2, 3, 3));
        assert_eq!(run(PriorRun::None, &[throttled], 3).await, (Ok("found"), 1, 3, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_attempt_is_not_repeated() {
        let (result, attempts, lookups, seconds) = run(PriorRun::None, &[refused], NEVER).await;
        assert_eq!((attempts, lookups, seconds), (1, 0, 0));
        assert!(result.unwrap_err().contains("HTTP status 403"));
    }
}
