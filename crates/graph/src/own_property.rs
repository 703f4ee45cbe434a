//! Extended properties in the namespace of this program, on messages, folders and events. Mail programs do not show
//! them (Graph page "Outlook extended properties overview").

use net::untrusted::json::Bounded;
use serde::Deserialize;

/// The id of a property with this name.
macro_rules! property {
    ($name:literal) => {
        concat!("String {b7a1c6d4-2f0e-4c59-9d3b-6e8f51a07c92} Name ", $name)
    };
}
pub(crate) use property;

/// The properties that Graph shows of something.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Properties(Option<Bounded<Property, 10>>);

#[derive(Debug, Deserialize)]
struct Property {
    id: String,
    value: String,
}

impl Properties {
    /// The value of the property called `id`.
    pub(crate) fn value(&self, id: &str) -> Option<&str> {
        let properties = self.0.as_ref().map_or(&[][..], |properties| &properties.0);
        properties.iter().find(|it| it.id.eq_ignore_ascii_case(id)).map(|it| it.value.as_str())
    }
}
