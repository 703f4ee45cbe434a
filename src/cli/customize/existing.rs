//! Reads from SOAR what it has of the objects in the import file.

use serde_json::Value;

use crate::customize::{Existing, Kind};
use soar::{Client, Collection, Error};

/// Reads all objects of the kinds that the file has. A kind that SOAR does not show is left out.
pub(super) async fn read(soar: &Client, file: &Value) -> Result<Existing, Error> {
    let mut existing = Existing::default();
    for kind in Kind::ALL {
        let ours = kind.of(file);
        let Some(first) = ours.first() else { continue };
        let collection = match kind {
            Kind::MessageDestination => Collection::MessageDestinations,
            Kind::Function => Collection::Functions,
            Kind::FunctionField => Collection::Fields("__function"),
            Kind::DataTable => Collection::DataTable(kind.name(first)),
            Kind::Rule => Collection::Rules,
            Kind::RuleField => Collection::Fields("actioninvocation"),
            Kind::Workflow => Collection::Workflows,
            Kind::Playbook => Collection::Playbooks,
            Kind::Script => Collection::Scripts,
        };
        match soar.objects(collection).await {
            Ok(theirs) => existing.insert(kind, completed(soar, kind, collection, &ours, theirs).await?),
            // The key may have the permission to import objects, but not to list them. And not every version of SOAR
            // may list playbooks in the same way.
            Err(Error::Refused { status, .. }) if status == 403 || kind == Kind::Playbook => {}
            Err(error) => return Err(error),
        }
    }
    Ok(existing)
}

/// A list may leave out long properties. Reads the objects that lack them by themselves.
async fn completed(
    soar: &Client,
    kind: Kind,
    collection: Collection<'_>,
    ours: &[&Value],
    mut theirs: Vec<Value>,
) -> Result<Vec<Value>, Error> {
    for our in ours {
        let Some(their) = kind.counterpart(our, &theirs) else { continue };
        let number = their["id"].as_i64().or_else(|| their["workflow_id"].as_i64());
        let (true, Some(number)) = (kind.is_incomplete(our, their), number) else { continue };
        let whole = match soar.object(collection, number).await {
            Ok(whole) => whole,
            Err(Error::Refused { status: 403 | 404, .. }) => continue,
            Err(error) => return Err(error),
        };
        let uuid = their["uuid"].clone();
        let is_it = |one: &Value| {
            one["uuid"] == uuid && [&one["id"], &one["workflow_id"]].iter().any(|id| **id == number)
        };
        if let Some(place) = theirs.iter().position(is_it) {
            theirs[place] = whole;
        }
    }
    Ok(theirs)
}
