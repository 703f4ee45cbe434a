//! `measure`: measures how fast a tenant answers. It reads the id of one message of each mailbox, shows which requests
//! it will send before it sends one, and ends after a number of requests and seconds.
//!
//! Standard output has only the report; the plan, the question and the progress go to standard error.

mod json;
mod plan;
mod report;
mod run;
mod sample;

use clap::value_parser;
use graph::GraphSettings;

use self::plan::Plan;
use self::run::{Run, Stop};
use super::common::Common;
use super::invoke::progress::ProgressDisplay;
use super::invoke::{by_hand, load};
use super::terminal::print;
use super::{ExitCode, Failure};
use crate::audit::{Initiator, Trail};
use crate::config::Settings;
use crate::functions::Call;
use crate::guard::{ChangePolicy, DeletionCount, Guard};

/// How often a request that fails is sent again. The daemon is more patient, but its patience cannot be foreseen.
const REPEATS: u32 = 2;

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many mailboxes to look into, at most 5000: the first that the directory lists.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = value_parser!(u16).range(1..=5000))]
    mailboxes: u16,

    /// After how many seconds to end, at most 600.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = value_parser!(u16).range(1..=600))]
    seconds: u16,

    /// Send the requests without a question. A script has to say so.
    #[arg(short = 'y', long)]
    yes: bool,

    /// Write the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Measures the tenant, after a yes.
pub(super) async fn measure(arguments: &Arguments, common: &Common) -> Result<(), Failure> {
    let environment = common.environment(Vec::new());
    let mut display = ProgressDisplay::on_stderr();
    let (Settings { graph, guard, audit, .. }, _log) = load(common, &environment, &display).await?;
    let settings = GraphSettings { max_retries: graph.max_retries.min(REPEATS), ..graph };
    let plan = Plan::new(arguments, &settings, !guard.denied_reading.is_empty());
    plan.confirm(arguments.yes)?;

    let client =
        graph::Client::new(&settings).map_err(|error| Failure::new(ExitCode::of_tls(&error), &error))?;
    let trail = Trail::at(audit);
    let initiator = Initiator {
        principal: Some(by_hand(&environment)),
        correlation_id: Some(Call::by_hand().id),
        ..Initiator::default()
    };
    let guard = Guard::new(&ChangePolicy::new(guard), trail.clone(), DeletionCount::default(), initiator);
    let measured = Run::new(&client, &guard, &plan, &mut display).measure().await;
    display.clear();
    let recorded = trail.flush(super::invoke::LAST_LINES).await;

    print(&if arguments.json { json::text(&plan, &measured) } else { report::text(&plan, &measured) })?;
    recorded.map_err(|failure| Failure::new(ExitCode::Failed, &failure))?;
    match &measured.stopped {
        None | Some(Stop::OutOfTime | Stop::OutOfRequests) => Ok(()),
        Some(Stop::Interrupted) => {
            let message = "interrupted. The report has what was measured until then.";
            Err(Failure::new(ExitCode::Interrupted, &message))
        }
        Some(Stop::Failed(error)) => Err(Failure::new(ExitCode::Failed, &run::in_words(error))),
    }
}
