//! The options that choose what of the customizations is brought: playbooks, or rules and workflows; and the packs.

use crate::customize::{Examples, Pack, ScriptLanguage};

/// Options of the commands that write or import customizations.
#[derive(Debug, clap::Args)]
pub(super) struct ExamplesArguments {
    /// Bring playbooks, for SOAR 46 or later. By default SOAR's version chooses: for an import, and for a package where
    /// --config-file names SOAR. Other files have rules and workflows.
    #[arg(long, conflicts_with_all = ["workflows", "script_language"])]
    playbooks: bool,

    /// Bring rules and workflows in place of playbooks.
    #[arg(long)]
    workflows: bool,

    /// The language SOAR runs the scripts of rules and workflows in: python3, or python for a SOAR older than 38.2.
    /// Implies --workflows.
    #[arg(long, value_enum, value_name = "LANGUAGE", hide_possible_values = true)]
    script_language: Option<ScriptLanguage>,

    /// Bring one pack only: core (the nine functions that the older app has as well, with what belongs to them) or
    /// response (everything newer). May be repeated. By default all are brought.
    #[arg(long = "pack", value_enum, value_name = "PACK", hide_possible_values = true)]
    packs: Vec<Pack>,
}

impl ExamplesArguments {
    /// The packs to bring.
    pub(super) fn packs(&self) -> &[Pack] {
        if self.packs.is_empty() { &Pack::ALL } else { &self.packs }
    }

    /// What the user chose, if anything.
    pub(super) fn chosen(&self) -> Option<Examples> {
        if self.playbooks {
            return Some(Examples::Playbooks);
        }
        let language = self.script_language.or(self.workflows.then_some(ScriptLanguage::Python3));
        language.map(Examples::Workflows)
    }

    /// What the user chose, or else rules and workflows, which every SOAR takes.
    pub(super) fn chosen_without_a_server(&self) -> Examples {
        self.chosen().unwrap_or(Examples::Workflows(ScriptLanguage::Python3))
    }
}
