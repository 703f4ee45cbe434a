//! The template, and the example made of it.

use std::fs;

use fn_exchange_online::config::{Loaded, template};

use crate::support::app_config::{load_in, places, problems};

#[test]
fn example_equals_the_template() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/app.config.example");
    assert_eq!(
        fs::read_to_string(example).unwrap(),
        template(),
        "app.config.example is not what --print-config prints"
    );
}

#[test]
fn filled_template_loads_without_warnings() {
    let filled = template()
        .replace("host=resilient\n", "host=soar.example.com\n")
        .replace("org=My Org\n", "org=Security\n")
        .replace("=ApiKeyId", "=id")
        .replace("=ApiKeySecret", "=secret")
        .replace("_id=xxx", "_id=11111111-2222-3333-4444-555555555555")
        .replace("client_secret=xxx", "client_secret=s");
    let Loaded { settings, warnings, .. } = load_in(&filled, &[]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((settings.worker.num_workers, settings.stomp.prefetch), (50, 50));
    // Every option that is only suggested has to be one as well.
    let suggested: String = filled
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(option) if option.split_once('=').is_some_and(|(key, _)| !key.contains(' ')) => {
                format!("{option}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let Loaded { warnings, .. } = load_in(suggested, &[("HOME", "/home/me")]).unwrap();
    let unknown: Vec<_> = warnings.iter().filter(|w| w.to_string().contains("not an option")).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn unfilled_template_names_each_placeholder() {
    assert_eq!(
        places(&problems(template())),
        [
            "resilient.api_key_id",
            "resilient.api_key_secret",
            "fn_exchange_online.tenant_id",
            "fn_exchange_online.client_id",
            "fn_exchange_online.client_secret"
        ]
    );
}
