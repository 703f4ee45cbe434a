//! Each pack can be imported by itself.

use super::*;

fn names(file: &Value, kind: &str) -> Vec<String> {
    let named = |object: &Value| {
        let key = if object["programmatic_name"].is_string() { "programmatic_name" } else { "name" };
        text(object, key).to_owned()
    };
    list(file, kind).iter().map(named).collect()
}

#[test]
fn core_has_the_nine_functions_and_what_belongs_to_them() {
    for examples in EXAMPLES {
        let file = export_packs(examples, &[Pack::Core]).unwrap();
        assert_eq!(list(&file, "functions").len(), 9);
        assert!(!names(&file, "functions").contains(&"exchange_online_get_attachments".to_owned()));
        let all = export(examples).unwrap();
        for kind in ["actions", "workflows", "scripts", "functions", "fields"] {
            for object in list(&file, kind) {
                let is_same = |one: &&Value| one["uuid"] == object["uuid"];
                let in_all = list(&all, kind).iter().find(is_same).expect("it is in the whole file as well");
                // The numbers differ, which the importing SOAR does not use.
                for key in ["name", "content", "view_items", "conditions", "script_text", "tooltip"] {
                    assert_eq!(in_all[key], object[key]);
                }
            }
        }
    }
}

#[test]
fn packs_together_are_everything_and_have_nothing_twice() {
    for examples in EXAMPLES {
        let [core, response, all] = [&[Pack::Core][..], &[Pack::Response], &Pack::ALL]
            .map(|packs| export_packs(examples, packs).unwrap());
        assert_eq!(all, export(examples).unwrap());
        for kind in ["actions", "workflows", "scripts", "playbooks"] {
            if !all[kind].is_array() {
                continue;
            }
            let mut both = [names(&core, kind), names(&response, kind)].concat();
            both.sort();
            let mut whole = names(&all, kind);
            whole.sort();
            assert_eq!(both, whole, "{kind}");
        }
        assert_eq!(names(&response, "message_destinations"), names(&all, "message_destinations"));
        // A function of the core is there as well where an example calls it.
        let functions: Vec<_> = [&core, &response].map(|file| names(file, "functions")).concat();
        assert!(names(&all, "functions").iter().all(|name| functions.contains(name)));
        assert!(names(&response, "functions").contains(&"exchange_online_get_attachments".to_owned()));
    }
}

#[cfg(feature = "sandbox")]
#[test]
fn soar_accepts_each_pack() {
    for examples in EXAMPLES {
        for pack in Pack::ALL {
            let file = export_packs(examples, &[pack]).unwrap();
            assert_eq!(sandbox::soar::customizations::check(&file), Vec::<String>::new(), "{pack:?}");
        }
    }
}
