//! Choices among options: yes or no, selects and multi-selects.

use serde_json::Value;

use super::text::trim;
use super::{LONGEST_WORD, Reader, Reason};

impl Reader<'_> {
    /// Yes or no, as a criterion; SOAR's "unknown" is null and counts as not given.
    pub(in crate::functions) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.given(name)?;
        let flag = match label(value) {
            Some(text) => match self.visible(name, &text)?.to_ascii_lowercase().as_str() {
                "true" | "yes" => Some(true),
                "false" | "no" => Some(false),
                _ => None,
            },
            None => value.as_bool(),
        };
        if flag.is_none() {
            self.refuse(name, Reason::NotFlag);
        }
        flag
    }

    /// The labels chosen in a multi-select, as SOAR writes them.
    pub(in crate::functions) fn required_choices(
        &mut self,
        name: &'static str,
        options: &'static [&'static str],
    ) -> Vec<String> {
        let labels = match self.given(name) {
            None => Some(Vec::new()),
            Some(Value::Array(choices)) => choices.iter().map(label).collect(),
            Some(one) => label(one).map(|labels| listed_labels(&labels, options)),
        };
        let Some(labels) = labels else {
            self.refuse(name, Reason::NotChoices);
            return Vec::new();
        };
        let mut chosen = Vec::new();
        for label in labels.into_iter().filter(|label| !label.is_empty()) {
            match option(&label, options) {
                Some(option) => chosen.push(option.to_owned()),
                None => self.refuse(name, Reason::UnknownChoice { label, options }),
            }
        }
        self.require(name, Some(chosen).filter(|chosen| !chosen.is_empty()))
    }

    /// The label chosen in a select.
    pub(super) fn choice(&mut self, name: &'static str) -> Option<String> {
        let value = self.given(name).map(label);
        if value == Some(None) {
            self.refuse(name, Reason::NotChoice);
        }
        let label = value.flatten().filter(|label| !label.is_empty());
        if label.as_ref().is_some_and(|label| label.len() > LONGEST_WORD) {
            self.refuse(name, Reason::TooLong(LONGEST_WORD));
        }
        label
    }

    /// The option chosen in a select, or given as text.
    pub(in crate::functions) fn choice_of(
        &mut self,
        name: &'static str,
        options: &'static [&'static str],
    ) -> Option<&'static str> {
        let label = self.choice(name)?;
        let option = option(&label, options);
        if option.is_none() {
            self.refuse(name, Reason::UnknownChoice { label, options });
        }
        option
    }

    pub(in crate::functions) fn required_choice_of(
        &mut self,
        name: &'static str,
        options: &'static [&'static str],
    ) -> &'static str {
        let option = self.choice_of(name, options);
        self.require(name, option)
    }
}

/// The label of a choice: `{"id": 126, "name": "inbox"}`, or plain text.
pub(in crate::functions) fn label(value: &Value) -> Option<String> {
    let name = match value {
        Value::Object(option) => option.get("name")?,
        plain => plain,
    };
    name.as_str().map(|name| trim(name).to_owned())
}

/// The labels in one text: the text itself, or a list.
fn listed_labels(text: &str, options: &[&'static str]) -> Vec<String> {
    if option(text, options).is_some() {
        return vec![text.to_owned()];
    }
    text.split([',', ';', '\n']).map(|label| trim(label).to_owned()).collect()
}

/// The option with this label, without regard to case and to the width of blanks.
fn option(label: &str, options: &[&'static str]) -> Option<&'static str> {
    let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
    options.iter().find(|option| option.eq_ignore_ascii_case(&label)).copied()
}
