//! Single-value extended properties of messages and folders ("Outlook extended properties overview", "Get
//! singleValueLegacyExtendedProperty").

use serde::Deserialize;

use super::cursor::Cursor;
use super::json::Object;
use super::refusal::Refusal;

/// The types that an id may begin with, without the arrays.
const TYPE: [&str; 13] = [
    "ApplicationTime",
    "Binary",
    "Boolean",
    "CLSID",
    "Currency",
    "Double",
    "Float",
    "Integer",
    "Long",
    "Object",
    "Short",
    "String",
    "SystemTime",
];

/// The id of a property, in the form in which Graph returns it: the name's case counts, that of the GUID does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PropertyId(String);

impl PropertyId {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        Self::canonical(text).map(Self).ok_or_else(|| {
            Refusal::bad_request(
                "PropertyId values may only be in one of the following formats: 'MapiPropertyType namespaceGuid Name \
                 propertyName', 'MapiPropertyType namespaceGuid Id propertyId' or 'MapiPropertyType propertyTag'.",
            )
        })
    }

    fn canonical(text: &str) -> Option<String> {
        let (kind, rest) = text.split_once(' ')?;
        let kind = TYPE.into_iter().find(|known| known.eq_ignore_ascii_case(kind))?;
        if rest.starts_with("0x") {
            return Some(format!("{kind} {}", hex(rest)?));
        }
        let (guid, rest) = rest.split_once(' ')?;
        let inner = guid.strip_prefix('{').and_then(|guid| guid.strip_suffix('}'))?;
        let guid = uuid::Uuid::try_parse(inner).ok().filter(|_| inner.len() == 36)?;
        match rest.split_once(' ')? {
            ("Name", name) if !name.is_empty() => Some(format!("{kind} {{{guid}}} Name {name}")),
            ("Id", id) => Some(format!("{kind} {{{guid}}} Id {}", hex(id)?)),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn hex(text: &str) -> Option<String> {
    let number = u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()?;
    Some(format!("{number:#x}"))
}

/// A property as a request states it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Property {
    id: String,
    value: String,
}

/// The extended properties of a message or folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Properties(Vec<(PropertyId, String)>);

impl Properties {
    /// Reads those that a request states.
    pub(super) fn of(stated: Vec<Property>) -> Result<Self, Refusal> {
        let mut properties = Self::default();
        for Property { id, value } in stated {
            properties.set(PropertyId::parse(&id)?, value);
        }
        Ok(properties)
    }

    fn set(&mut self, id: PropertyId, value: String) {
        self.0.retain(|(known, _)| *known != id);
        self.0.push((id, value));
    }

    /// Adds `others`, which replace those with the same id.
    pub(super) fn extend(&mut self, others: &Self) {
        for (id, value) in &others.0 {
            self.set(id.clone(), value.clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(id, value)| (id.as_str(), value.as_str()))
    }

    /// Those with these ids, as Graph shows them.
    pub(super) fn shown(&self, wanted: &[PropertyId]) -> Vec<serde_json::Value> {
        let found = self.0.iter().filter(|(id, _)| wanted.contains(id));
        found.map(|(id, value)| serde_json::json!({"id": id.as_str(), "value": value})).collect()
    }

    /// Appends those with these ids to the object that has them. Without any, there is no such key.
    pub(super) fn write_expanded(&self, object: &mut Object<'_>, wanted: &[PropertyId]) {
        let found: Vec<_> = self.0.iter().filter(|(id, _)| wanted.contains(id)).collect();
        if found.is_empty() {
            return;
        }
        let out = object.key("singleValueExtendedProperties");
        out.push(b'[');
        for (nth, (id, value)) in found.into_iter().enumerate() {
            if nth > 0 {
                out.push(b',');
            }
            let mut property = Object::begin(out);
            property.text("id", id.as_str()).text("value", value);
            property.end();
        }
        out.push(b']');
    }
}

/// A condition on an extended property in `$filter`. Values are compared without regard to case, as documented.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PropertyTest {
    id: PropertyId,
    comparison: Comparison,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
}

impl PropertyTest {
    /// Reads what follows `singleValueExtendedProperties/Any`.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, Refusal> {
        cursor.expect("(")?;
        let variable = cursor.word();
        let variable = variable.strip_suffix(':').ok_or_else(|| cursor.error("':' expected"))?;
        cursor.expect(&format!("{variable}/id "))?;
        cursor.expect("eq ")?;
        let id = PropertyId::parse(&cursor.string()?)?;
        cursor.expect(" and ")?;
        let functions = [("contains(", Comparison::Contains), ("startswith(", Comparison::StartsWith)];
        let function = functions.into_iter().find(|(name, _)| cursor.keyword(name));
        let (comparison, value) = if let Some((_, comparison)) = function {
            cursor.expect(&format!("{variable}/value"))?;
            cursor.expect(",")?;
            let value = cursor.string()?;
            cursor.expect(")")?;
            (comparison, value)
        } else {
            cursor.expect(&format!("{variable}/value "))?;
            let comparison = if cursor.keyword("ne ") {
                Comparison::NotEqual
            } else {
                cursor.expect("eq ")?;
                Comparison::Equal
            };
            (comparison, cursor.string()?)
        };
        cursor.expect(")")?;
        Ok(Self { id, comparison, value })
    }

    pub(super) fn holds(&self, properties: &Properties) -> bool {
        let wanted = self.value.to_lowercase();
        properties.0.iter().filter(|(id, _)| *id == self.id).map(|(_, value)| value.to_lowercase()).any(
            |value| match self.comparison {
                Comparison::Equal => value == wanted,
                Comparison::NotEqual => value != wanted,
                Comparison::Contains => value.contains(&wanted),
                Comparison::StartsWith => value.starts_with(&wanted),
            },
        )
    }

    /// The comparison's name in OData.
    pub(super) fn comparison(&self) -> &'static str {
        match self.comparison {
            Comparison::Equal => "eq",
            Comparison::NotEqual => "ne",
            Comparison::Contains => "contains",
            Comparison::StartsWith => "startswith",
        }
    }

    /// The id and the value.
    pub(super) fn operands(&self) -> String {
        format!("{} {}", self.id.as_str(), self.value)
    }
}
