//! Selects the sources that belong to packs.

use std::collections::BTreeSet;

use super::pack::Pack;
use super::sources::{Field, FormItem, PlaybookStep, Rule, Runs, Sources};

impl Sources {
    /// Keeps what belongs to `packs`. Message destination and data table belong to each.
    pub(super) fn keep(&mut self, packs: &[Pack]) {
        if Pack::ALL.iter().all(|pack| packs.contains(pack)) {
            return;
        }
        let rules: BTreeSet<String> = self
            .rules
            .iter()
            .filter(|rule| packs.contains(&self.pack_of(rule)))
            .map(|rule| rule.name.clone())
            .collect();
        self.keep_rules(&rules);
        let functions: BTreeSet<String> = self
            .functions
            .iter()
            .filter(|function| packs.contains(&function.pack) || self.calls(&function.name))
            .map(|function| function.name.clone())
            .collect();
        let left_out = self.fields_of_others(packs, &rules, &functions);
        self.rules.retain(|rule| rules.contains(&rule.name));
        self.functions.retain(|function| functions.contains(&function.name));
        self.payload_samples.retain(|sample| functions.contains(&sample.function));
        self.function_fields.retain(|field| !left_out.functions.contains(&field.name));
        self.activity_fields.retain(|field| !left_out.forms.contains(&field.name));
    }

    /// Keeps the workflows, scripts and playbooks of these rules.
    fn keep_rules(&mut self, kept: &BTreeSet<String>) {
        let Self { rules, workflows, scripts, playbooks, .. } = self;
        let is_run = |name: &str| {
            rules.iter().filter(|rule| kept.contains(&rule.name)).any(|rule| match &rule.runs {
                Runs::Workflow(run) | Runs::Script(run) => run == name,
            })
        };
        workflows.retain(|workflow| is_run(&workflow.name));
        scripts.retain(|script| is_run(&script.name));
        playbooks.retain(|playbook| kept.contains(&playbook.rule));
    }

    /// Whether a workflow or playbook calls the function, so that the function has to be there.
    fn calls(&self, name: &str) -> bool {
        let steps = self.workflows.iter().flat_map(|workflow| &workflow.functions);
        let in_playbooks = self.playbooks.iter().flat_map(|playbook| &playbook.steps);
        steps
            .map(|step| step.function.as_str())
            .chain(in_playbooks.filter_map(PlaybookStep::function))
            .any(|called| called == name)
    }

    /// The fields that are only used by functions and in forms that are not kept. A field that nothing uses belongs to
    /// `core`.
    fn fields_of_others(
        &self,
        packs: &[Pack],
        rules: &BTreeSet<String>,
        functions: &BTreeSet<String>,
    ) -> LeftOut {
        let inputs = |is_kept: bool| -> BTreeSet<&str> {
            let of = self.functions.iter().filter(|function| functions.contains(&function.name) == is_kept);
            of.flat_map(|function| &function.inputs).map(String::as_str).collect()
        };
        let in_forms = |is_kept: bool| -> BTreeSet<&str> {
            let of = self.rules.iter().filter(|rule| rules.contains(&rule.name) == is_kept);
            of.flat_map(|rule| &rule.form)
                .filter_map(|item| match item {
                    FormItem::Field(name) => Some(name.as_str()),
                    FormItem::Header { .. } => None,
                })
                .collect()
        };
        let others = |fields: &[Field], kept: &BTreeSet<&str>, other: &BTreeSet<&str>| {
            let is_other = |field: &&Field| {
                let name = field.name.as_str();
                let is_unused = !kept.contains(name) && !other.contains(name);
                !(kept.contains(name) || is_unused && packs.contains(&Pack::Core))
            };
            fields.iter().filter(is_other).map(|field| field.name.clone()).collect()
        };
        LeftOut {
            functions: others(&self.function_fields, &inputs(true), &inputs(false)),
            forms: others(&self.activity_fields, &in_forms(true), &in_forms(false)),
        }
    }

    /// The pack of a rule, and so of the workflow, script and playbook that do its work.
    fn pack_of(&self, rule: &Rule) -> Pack {
        let of_functions = || {
            let Runs::Workflow(name) = &rule.runs else { return Pack::Core };
            let workflow = self.workflows.iter().filter(|workflow| workflow.name == *name);
            let steps = workflow.flat_map(|workflow| &workflow.functions);
            let packs = steps.filter_map(|step| {
                self.functions
                    .iter()
                    .find(|function| function.name == step.function)
                    .map(|function| function.pack)
            });
            packs.max().unwrap_or_default()
        };
        rule.pack.unwrap_or_else(of_functions)
    }
}

impl PlaybookStep {
    /// The function that the step calls, if it calls one.
    fn function(&self) -> Option<&str> {
        match self {
            Self::Function { function, .. } => Some(function),
            Self::Script { .. } | Self::SharedScript { .. } => None,
        }
    }
}

/// Names of fields that are not kept.
struct LeftOut {
    functions: BTreeSet<String>,
    forms: BTreeSet<String>,
}
