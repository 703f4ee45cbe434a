//! The kinds of objects in the import file.

use serde_json::Value;

/// A kind of object in the import file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The message destination.
    MessageDestination,
    /// The functions.
    Function,
    /// The functions' input fields.
    FunctionField,
    /// The rules.
    Rule,
    /// The fields of the rules' forms.
    RuleField,
    /// The workflows.
    Workflow,
    /// The playbooks, with their forms and scripts.
    Playbook,
    /// The scripts.
    Script,
    /// The data table.
    DataTable,
}

impl Kind {
    /// All kinds, in the order of the preview.
    pub const ALL: [Self; 9] = [
        Self::MessageDestination,
        Self::Function,
        Self::FunctionField,
        Self::Rule,
        Self::RuleField,
        Self::Workflow,
        Self::Playbook,
        Self::Script,
        Self::DataTable,
    ];

    /// The list of the file with objects of this kind, and how their `export_key` begins.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::MessageDestination => ("message_destinations", ""),
            Self::Function => ("functions", ""),
            Self::FunctionField => ("fields", "__function/"),
            Self::DataTable => ("types", ""),
            Self::Rule => ("actions", ""),
            Self::RuleField => ("fields", "actioninvocation/"),
            Self::Workflow => ("workflows", ""),
            Self::Playbook => ("playbooks", ""),
            Self::Script => ("scripts", ""),
        }
    }

    /// The objects of the file that are of this kind.
    pub fn of(self, file: &Value) -> Vec<&Value> {
        let (section, prefix) = self.place();
        file[section].as_array().into_iter().flatten().filter(|one| starts_with(one, prefix)).collect()
    }

    /// The same, to change them.
    pub(super) fn of_mut(self, file: &mut Value) -> impl Iterator<Item = &mut Value> {
        let (section, prefix) = self.place();
        let all = file[section].as_array_mut().into_iter().flatten();
        all.filter(move |one| starts_with(one, prefix))
    }

    /// The name of an object of this kind.
    pub fn name(self, object: &Value) -> &str {
        object[self.name_key()].as_str().unwrap_or_default()
    }

    fn name_key(self) -> &'static str {
        match self {
            Self::MessageDestination | Self::Workflow => "programmatic_name",
            Self::DataTable => "type_name",
            Self::Function
            | Self::FunctionField
            | Self::Rule
            | Self::RuleField
            | Self::Playbook
            | Self::Script => "name",
        }
    }

    /// The object that SOAR would update: the one with the same uuid, or else with the same name.
    pub fn counterpart<'t>(self, ours: &Value, theirs: &'t [Value]) -> Option<&'t Value> {
        let with = |key: &str| theirs.iter().find(|one| ours[key].is_string() && one[key] == ours[key]);
        with("uuid").or_else(|| with(self.name_key()))
    }
}

fn starts_with(object: &Value, prefix: &str) -> bool {
    object["export_key"].as_str().is_some_and(|key| key.starts_with(prefix))
}
