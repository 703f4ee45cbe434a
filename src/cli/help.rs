//! The help of each command: examples, and where the documentation is.

use std::fmt::Write as _;

use clap::Command;

/// The name of a command, examples of its use, and the document about it.
type Examples = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const PROGRAM: (&[(&str, &str)], &str) = (
    &[
        ("Try it without any account", "fn-exchange-online sandbox"),
        ("Write a configuration, and check it", "fn-exchange-online config --create app.config"),
        ("", "fn-exchange-online selftest --config-file app.config"),
    ],
    "README.md",
);

const COMMANDS: &[Examples] = &[
    (
        "run",
        &[
            ("Run with a configuration", "fn-exchange-online run --config-file app.config"),
            ("Log more than the file says", "fn-exchange-online run --loglevel=DEBUG"),
        ],
        "docs/systemd.md",
    ),
    (
        "selftest",
        &[
            ("Check everything, and one mailbox", "fn-exchange-online selftest --mailbox nora@example.com"),
            (
                "Show only what fails",
                "fn-exchange-online selftest --json \\\n    | jq -r '.checks[] | select(.outcome == \"failed\") | .found'",
            ),
        ],
        "docs/selftest.md",
    ),
    (
        "invoke",
        &[
            ("Show the functions and their inputs", "fn-exchange-online invoke --list"),
            (
                "Find messages, and keep the results",
                "fn-exchange-online invoke query_emails \\\n    --input exo_email_address=all \\\n    \
                 --input exo_email_address_sender=bad@example.com \\\n    >found.json",
            ),
            (
                "See what would be deleted",
                "jq '{exo_query_messages_results: .raw}' found.json \\\n    \
                 | fn-exchange-online invoke --dry-run --inputs - \\\n    \
                 delete_messages_from_query_results",
            ),
        ],
        "docs/command-line.md",
    ),
    (
        "measure",
        &[
            ("Show the requests, and measure after a yes", "fn-exchange-online measure"),
            (
                "Measure a few mailboxes, from a script",
                "fn-exchange-online measure --yes --json \\\n    --mailboxes 100 --seconds 30 >measured.json",
            ),
        ],
        "docs/performance.md",
    ),
    (
        "config",
        &[
            ("Write a new configuration", "fn-exchange-online config --create app.config"),
            ("Add the sections that are missing", "fn-exchange-online config --update app.config"),
        ],
        "docs/settings.md",
    ),
    (
        "customize",
        &[
            ("Show what an import would change", "fn-exchange-online customize --dry-run"),
            ("Import without a question", "fn-exchange-online customize --yes"),
            ("Write the import file", "fn-exchange-online customize --export export.res"),
        ],
        "docs/customizations.md",
    ),
    (
        "package",
        &[(
            "Build the app for an image",
            "fn-exchange-online package --output dist \\\n    --image registry.example.com/fn_exchange_online:2.0.0",
        )],
        "docs/apphost.md",
    ),
    (
        "audit",
        &[
            ("Verify the trail of the configuration", "fn-exchange-online audit"),
            ("List acts without an outcome", "fn-exchange-online audit --open audit.log audit-2.log"),
            ("A table for a spreadsheet", "fn-exchange-online audit --format csv >acts.csv"),
        ],
        "docs/guard-rails.md",
    ),
    ("list", &[("Show what each function does", "fn-exchange-online list --verbose")], "docs/functions.md"),
    (
        "completions",
        &[
            ("bash, in ~/.bashrc", "source <(fn-exchange-online completions bash)"),
            ("zsh, in a directory of $fpath", "fn-exchange-online completions zsh >_fn-exchange-online"),
            ("fish, in ~/.config/fish/config.fish", "fn-exchange-online completions fish | source"),
        ],
        "docs/command-line.md",
    ),
    (
        "man-pages",
        &[
            ("Write them, and read one", "fn-exchange-online man-pages ~/.local/share/man/man1"),
            ("", "man fn-exchange-online-invoke"),
        ],
        "docs/command-line.md",
    ),
    (
        "sandbox",
        &[
            ("Show an investigation", "fn-exchange-online sandbox"),
            (
                "Keep it running for a daemon",
                "fn-exchange-online sandbox --serve --directory target/exercise",
            ),
            (
                "Call that daemon as SOAR does",
                "fn-exchange-online sandbox --directory target/exercise \\\n    \
                 --call get_email_user_profile \\\n    --input exo_email_address=nora.kraus@contoso.example",
            ),
        ],
        "docs/sandbox.md",
    ),
];

/// Adds examples and the document to the help of the program and of each command.
pub(super) fn with_examples(program: Command) -> Command {
    let after = text(PROGRAM.0, PROGRAM.1);
    COMMANDS.iter().fold(program.after_help(after), |program, (name, examples, document)| {
        if program.find_subcommand(name).is_none() {
            // The image is built without the sandbox.
            return program;
        }
        program.mut_subcommand(name, |command| with_usage(command).after_help(text(examples, document)))
    })
}

/// Shows the same usage in errors as in the help. Otherwise clap names all options that were given, in one line.
fn with_usage(command: Command) -> Command {
    let name = format!("fn-exchange-online {}", command.get_name());
    let usage = command.clone().bin_name(name).render_usage().to_string();
    command.override_usage(usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned())
}

fn text(examples: &[(&str, &str)], document: &str) -> String {
    let style = clap::builder::Styles::default();
    let header = style.get_header();
    let mut text = format!("{header}Examples:{header:#}\n");
    for (what, command) in examples {
        // Writing to a String does not fail.
        if !what.is_empty() {
            let _ = writeln!(text, "  {what}:");
        }
        let _ = writeln!(text, "  $ {command}");
    }
    let _ = write!(text, "\n{header}Documentation:{header:#} {document}");
    text
}
