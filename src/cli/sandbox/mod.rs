//! `sandbox`: shows the daemon at work with an embedded SOAR and Graph tenant; with `--serve` and `--call`, to try it
//! interactively.

mod call;
mod daemon;
mod directory;
mod inputs;
mod investigation;
mod story;
mod undo;
mod watch;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::invoke::functions;
use super::invoke::inputs::{Given, pair};
use super::{ExitCode, Failure};
use crate::customize::{Pack, ScriptLanguage, export_packs};
use daemon::Daemon;
use directory::Directory;
use sandbox::Sandbox;
use sandbox::graph::{OPTIONAL_ROLES, Phish, RetryAfter, Scope, TenantOptions, Throttling};
use sandbox::page::{Page, document};
use sandbox::soar::SoarOptions;
use sandbox::soar::customizations::older_app;
use story::Story;

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Keep the sandbox running for your own daemon, instead of showing an investigation.
    #[arg(long)]
    serve: bool,

    /// Start with a SOAR without the functions, as before a first import. By default it has the customizations of the
    /// older app.
    #[arg(long, requires = "serve")]
    fresh: bool,

    /// Call this function, as SOAR does, in the sandbox that another process serves in --directory, and show the reply
    /// of the daemon. The prefix `exchange_online_` may be left out.
    #[arg(
        long, value_name = "FUNCTION", requires = "directory", conflicts_with = "serve",
        value_parser = functions(), hide_possible_values = true
    )]
    call: Option<String>,

    /// An input of the call, as for invoke: one that the function has in the sandbox's SOAR.
    #[arg(long = "input", value_name = "NAME=VALUE", requires = "call", value_parser = pair)]
    given: Vec<Given>,

    /// Let a playbook call the function, and its script run after it. By default a workflow calls.
    #[arg(long, requires = "call")]
    playbook: bool,

    /// Where to write app.config, the certificate authority and the daemon's log [default: a new temporary
    /// directory].
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,

    /// Mailboxes in the tenant.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    mailboxes: u32,

    /// Time that Graph takes for a request, in milliseconds.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(..=10_000))]
    latency: u64,

    /// Percentage of sub-requests that Graph throttles.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(..=100))]
    throttled: u8,

    /// Seed of the random numbers: the same seed gives the same tenant.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    fn soar(&self) -> Result<SoarOptions, Failure> {
        let ours = |language, packs: &[Pack]| {
            export_packs(language, packs).map_err(|error| Failure::new(ExitCode::Failed, &error))
        };
        let customizations = match (self.serve, self.fresh) {
            (true, true) => json!({}),
            (true, false) => older_app(ours(ScriptLanguage::Python, &[Pack::Core])?),
            (false, _) => ours(ScriptLanguage::Python3, &Pack::ALL)?,
        };
        Ok(SoarOptions { customizations, ..SoarOptions::default() })
    }

    fn tenant(&self) -> TenantOptions {
        let mailboxes = self.mailboxes as usize;
        TenantOptions {
            seed: self.seed,
            mailboxes,
            users_without_mailbox: mailboxes / 40,
            now: Utc::now(),
            phish: Some(Phish { mailboxes: mailboxes.div_ceil(55), ..Phish::default() }),
            ..TenantOptions::default()
        }
    }
}

/// The page with the incidents, which is left of a demonstration.
const PAGE: &str = "incidents.html";

/// Runs the sandbox.
pub(super) async fn sandbox(arguments: Arguments) -> Result<(), Failure> {
    if let (Some(function), Some(directory)) = (&arguments.call, &arguments.directory) {
        return call::call(function, arguments.given, arguments.playbook, directory).await;
    }
    let unsettled = |error| failed(&error);
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt()).map_err(unsettled)?,
        signal(SignalKind::terminate()).map_err(unsettled)?,
    );
    let mut directory = Directory::take(arguments.directory.as_deref())?;
    let mut story = Story::to_stdout();
    // A signal drops the run, which kills its daemon, and then the directory.
    let code = tokio::select! {
        ended = run(&arguments, directory.path(), &mut story) => {
            match ended {
                Ok(()) => directory.keep_only(PAGE),
                // The log of the daemon may show why.
                Err(_) => directory.keep(),
            }
            return ended;
        }
        _ = interrupt.recv() => ExitCode::Interrupted,
        _ = terminate.recv() => ExitCode::Terminated,
    };
    if arguments.serve {
        return Ok(());
    }
    Err(Failure::new(code, &"the sandbox was ended before the investigation was"))
}

async fn run(arguments: &Arguments, directory: &Path, story: &mut Story) -> Result<(), Failure> {
    let sandbox = start(arguments, directory).await?;
    let app_config = sandbox.write_app_config(&[("max_users", "100000")]).map_err(|error| failed(&error))?;
    let engine = sandbox.engine().await.map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let page = Page::serve(engine.clone()).await.map_err(|error| failed(&error))?;
    story.title("fn-exchange-online sandbox");
    story.say(&format!(
        "On this machine now run an IBM SOAR (message broker and REST interface) and a Microsoft Graph tenant \
         with {} mailboxes. Graph takes {} ms for a request and throttles {} of a hundred sub-requests.",
        arguments.mailboxes, arguments.latency, arguments.throttled,
    ));
    story.facts(&[
        ("SOAR", &format!("https://localhost:{}", sandbox.soar.rest.address().port())),
        ("broker", &format!("localhost:{} (STOMP over TLS)", sandbox.soar.broker.address().port())),
        ("Graph", sandbox.graph.graph_url()),
        ("app.config", &app_config.display().to_string()),
        ("incidents", &format!("http://localhost:{}/ in a browser", page.address().port())),
    ]);
    if arguments.serve {
        // The file has to exist before the instructions are shown.
        page.write_endpoint_file(directory).map_err(|error| failed(&error))?;
        instruct(story, &app_config, directory, arguments.fresh);
        return watch::calls(&engine, story).await;
    }
    let log = directory.join("daemon.log");
    let daemon = Daemon::start(&app_config, &log, &sandbox).await?;
    story.facts(&[("daemon", &format!("process {}, logging to {}", daemon.id(), log.display()))]);
    let done = investigation::play(&sandbox, &engine, story).await;
    daemon.stop().await;
    let file = directory.join(PAGE);
    std::fs::write(&file, document(&engine)).map_err(|error| failed(&error))?;
    story.say("The incident with its notes, rows, files and calls, to open in a browser:");
    story.command(&file.display().to_string());
    story.say("Next, keep the sandbox running and call a daemon of your own in it:");
    story.command(&format!("{} sandbox --serve --directory target/exercise", program()));
    story.say("Or connect to your SOAR and tenant: write a configuration, fill it in, and check it:");
    story.command(&format!("{} config --create app.config", program()));
    story.command(&format!("{} selftest --config-file app.config", program()));
    done.and_then(|()| story.check())
}

/// Starts SOAR and the tenant, which takes its time and throttles as the arguments say.
async fn start(arguments: &Arguments, directory: &Path) -> Result<Sandbox, Failure> {
    let sandbox = Sandbox::start(directory, arguments.tenant(), arguments.soar()?).await;
    let sandbox = sandbox.map_err(|error| failed(&error))?;
    for role in OPTIONAL_ROLES {
        sandbox.graph.faults().give_role(role);
    }
    sandbox.graph.faults().set_latency(Duration::from_millis(arguments.latency), Duration::ZERO);
    if arguments.throttled > 0 {
        sandbox.graph.faults().throttle(Some(Throttling {
            share: f64::from(arguments.throttled) / 100.0,
            scope: Scope::SubRequests,
            retry_after: RetryAfter::Seconds(1),
            times: 1,
        }));
    }
    Ok(sandbox)
}

/// What to do with a served sandbox.
fn instruct(story: &mut Story, app_config: &Path, directory: &Path, is_fresh: bool) {
    let program = program();
    let (app_config, directory) = (in_a_shell(app_config), in_a_shell(directory));
    let has = if is_fresh { "none of the functions yet" } else { "the functions of the older app" };
    story.say(&format!("SOAR has {has}. Import the functions and playbooks of this program:"));
    story.command(&format!("{program} customize --config-file {app_config}"));
    story.say("Start a daemon of your own on it, in another terminal; end the sandbox with Ctrl-C:");
    story.command(&format!("{program} run --config-file {app_config}"));
    story.say("Call it as SOAR does, for instance to find the phishing mail that lies in this tenant:");
    story.command(&format!(
        "{program} sandbox --directory {directory} --call query_emails \\\n    \
         --input exo_email_address=all --input exo_email_address_sender={} \\\n    \
         --input exo_query_output_format=\"Incident note,Exchange Online data table\"",
        Phish::default().sender.address,
    ));
    story.say("Its note and its rows appear on the page with the incidents. Calls appear here:");
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::new(ExitCode::Failed, &format!("the sandbox cannot start: {error}"))
}

/// The command for this program: its name if the shell finds it in PATH, otherwise its path.
fn program() -> String {
    const NAME: &str = "fn-exchange-online";
    let Ok(this) = env::current_exe() else { return NAME.to_owned() };
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|directory| directory.join(NAME)).find(|file| file.is_file());
    let by_name = found.and_then(|file| file.canonicalize().ok()) == this.canonicalize().ok();
    if by_name { NAME.to_owned() } else { in_a_shell(&this) }
}

/// A path, quoted for a shell if necessary.
fn in_a_shell(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%=:,".contains(c);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
