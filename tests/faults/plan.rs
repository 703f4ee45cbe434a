//! What is going to happen: how many calls, how many faults, and in which order, all from one seed.

use std::time::Duration;

use fastrand::Rng;
use fn_exchange_online::functions::Function;

/// Frames that a call takes, about.
const FRAMES_OF_A_CALL: usize = 9;

/// How large a run is.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    long: bool,
    pub(crate) seed: u64,
    /// Calls of the storm.
    pub(crate) calls: usize,
    /// Times the broker is killed in it.
    pub(crate) broker_kills: usize,
    /// Times a daemon is killed in it.
    pub(crate) daemon_kills: usize,
    /// Connections cut in it.
    pub(crate) cuts: usize,
    /// How long the broker is away where only that is looked at.
    pub(crate) outage: Duration,
    /// The functions whose calls are cut at every frame.
    pub(crate) cut_functions: Vec<Function>,
}

impl Form {
    /// As the environment says: `FAULTS=long`, `FAULTS_SEED`, `FAULTS_CALLS`, `FAULTS_FUNCTION`.
    pub(crate) fn of_environment() -> Self {
        let long = std::env::var("FAULTS").is_ok_and(|form| form == "long");
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text} is no whole number")))
        };
        let seed = number("FAULTS_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
        let mut form = if long {
            Self {
                long,
                seed,
                calls: 1_000,
                broker_kills: 3,
                daemon_kills: 10,
                cuts: 60,
                outage: Duration::from_secs(60),
                cut_functions: Function::ALL.to_vec(),
            }
        } else {
            Self {
                long,
                seed,
                calls: 180,
                broker_kills: 1,
                daemon_kills: 2,
                cuts: 12,
                outage: Duration::from_secs(8),
                cut_functions: vec![Function::SendMessage],
            }
        };
        if let Some(calls) = number("FAULTS_CALLS") {
            form.calls = usize::try_from(calls).unwrap();
        }
        if let Ok(name) = std::env::var("FAULTS_FUNCTION") {
            let function =
                Function::named(&name).unwrap_or_else(|| panic!("FAULTS_FUNCTION={name} is no function"));
            form.cut_functions = vec![function];
        }
        form
    }

    /// How to have this run again.
    pub(crate) fn command(&self) -> String {
        let Self { long, seed, calls, .. } = self;
        let form = if *long { "FAULTS=long " } else { "" };
        format!("{form}FAULTS_SEED={seed} FAULTS_CALLS={calls} cargo test --test faults -- --nocapture")
    }

    /// Chance for one purpose, the same in every run with this seed.
    pub(crate) fn chance(&self, purpose: u64) -> Rng {
        Rng::with_seed(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ purpose)
    }

    /// The storm, step by step.
    pub(crate) fn storm(&self) -> Vec<Step> {
        let mut chance = self.chance(1);
        let mut steps: Vec<Step> =
            (0..self.calls).map(|nth| Step::Call(Function::ALL[nth % Function::ALL.len()])).collect();
        chance.shuffle(&mut steps);
        // Each kind of blow falls in a part of the run of its own, never before the first calls or after the last.
        for nth in 0..self.daemon_kills {
            let step = Step::KillDaemon { which: chance.usize(..), after: millis(&mut chance, 0..400) };
            insert(&mut steps, &mut chance, (nth, self.daemon_kills), step);
        }
        for nth in 0..self.broker_kills {
            let after = millis(&mut chance, 0..400);
            let step = Step::KillBroker { after, away: millis(&mut chance, 0..3_000) };
            insert(&mut steps, &mut chance, (nth, self.broker_kills), step);
        }
        for nth in 0..self.cuts {
            let step = Step::Cut { at_frame: chance.usize(1..=2 * FRAMES_OF_A_CALL) };
            insert(&mut steps, &mut chance, (nth, self.cuts), step);
        }
        let pauses = self.calls / 60;
        for nth in 0..pauses {
            let step = Step::Throttle(millis(&mut chance, 300..1_500));
            insert(&mut steps, &mut chance, (nth, pauses), step);
        }
        steps
    }
}

/// What happens next in the storm.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// SOAR calls this function.
    Call(Function),
    /// SIGKILL for one of the daemons; another takes its place.
    KillDaemon { which: usize, after: Duration },
    /// SIGKILL for the broker, which is started again.
    KillBroker { after: Duration, away: Duration },
    /// A connection to the broker is cut at the frame that many frames from now, whichever connection it is on.
    Cut { at_frame: usize },
    /// Graph throttles everything for so long.
    Throttle(Duration),
}

fn millis(chance: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(chance.u64(range))
}

/// Puts the `nth` of so many steps of a kind somewhere into its part of the middle of the run.
fn insert(steps: &mut Vec<Step>, chance: &mut Rng, (nth, count): (usize, usize), step: Step) {
    let (first, last) = (steps.len() / 10, steps.len() * 9 / 10);
    let share = (last - first) / count;
    let at = first + nth * share + chance.usize(..share.max(1));
    steps.insert(at, step);
}
