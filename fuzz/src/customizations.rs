//! Target: what SOAR has of the customizations, compared with what is to be imported.

use std::sync::LazyLock;

use fn_exchange_online::customize::{Examples, Existing, Kind, Names, ScriptLanguage, export};
use serde_json::{Value, json};

/// An import file with one object of each kind: what SOAR has is compared with one at a time.
static OURS: LazyLock<Value> = LazyLock::new(|| {
    let files = [Examples::Workflows(ScriptLanguage::Python3), Examples::Playbooks].map(export);
    let mut ours = json!({"fields": []});
    for (kind, file) in
        Kind::ALL.into_iter().flat_map(|kind| files.iter().flatten().map(move |file| (kind, file)))
    {
        let Some(first) = kind.of(file).into_iter().next().filter(|_| kind.of(&ours).is_empty()) else {
            continue;
        };
        let is_of_kind =
            |(_, objects): &(&String, &Value)| objects.as_array().is_some_and(|all| all.contains(first));
        let section =
            file.as_object().into_iter().flatten().find(is_of_kind).map(|(section, _)| section.as_str());
        let all = ours[section.unwrap_or_default()].as_array_mut().map(std::mem::take).unwrap_or_default();
        ours[section.unwrap_or_default()] = [all, vec![first.clone()]].concat().into();
    }
    ours
});

/// An object whose keys are kinds, each with the objects that SOAR has: whatever they are, they are compared, and our
/// objects stay in the import file.
pub fn customizations(data: &[u8]) {
    let Ok(Value::Object(theirs)) = serde_json::from_slice(data) else { return };
    let mut existing = Existing::default();
    for kind in Kind::ALL {
        if let Some(Value::Array(objects)) = theirs.get(&format!("{kind:?}")) {
            existing.insert(kind, objects.clone());
        }
    }
    let names = Names::of(&existing.to_json());
    for kind in Kind::ALL {
        for ours in kind.of(&OURS) {
            let counterpart = existing.of(kind).and_then(|theirs| kind.counterpart(ours, theirs));
            let _ = kind.change(ours, counterpart, &names);
            let _ = counterpart.map(|theirs| kind.is_incomplete(ours, theirs));
        }
    }
    let kept = existing.keep_in(OURS.clone());
    assert!(kept.is_ok(), "the file stays JSON: {kept:?}");
    let kept = kept.unwrap_or_default();
    for kind in Kind::ALL {
        let names =
            |file: &Value| kind.of(file).into_iter().map(|one| kind.name(one).to_owned()).collect::<Vec<_>>();
        assert!(names(&kept).starts_with(&names(&OURS)), "{kind:?}");
    }
}
