//! Guard rails are read strictly: what may be meant as one and is none is a problem, not a warning.

use std::os::unix::fs::symlink;

use fn_exchange_online::config::{AddressPattern, Deletion};
use proptest::prelude::*;

use super::*;

#[test]
fn all_guard_rail_options_are_applied() {
    let guard = app("max_deletions=250\nmailboxes_allowed=*@example.com, *@example.org\n\
                     mailboxes_denied=\n  ceo@example.com\n  board-??@example.com\n\
                     deletion=Deleted_Items\ndry_run=True")
    .guard;
    assert_eq!((guard.max_deletions, guard.deletion, guard.dry_run), (250, Deletion::DeletedItems, true));
    let allowed = guard.allowed.unwrap();
    assert!(allowed.match_address("A@EXAMPLE.ORG") && !allowed.match_address("a@example.org.evil.example"));
    assert!(
        guard.denied.match_address("CEO@example.com") && guard.denied.match_address("board-07@example.com")
    );
    assert!(!guard.denied.match_address("board-7@example.com"));
    assert_eq!(app("deletion=permanent").guard.deletion, Deletion::Permanent);
    for (text, dry_run) in
        [("yes", true), ("on", true), ("1", true), ("False", false), ("off", false), ("", false)]
    {
        assert_eq!(app(&format!("dry_run={text}")).guard.dry_run, dry_run, "{text}");
    }
}

#[test]
fn valid_pattern_is_accepted() {
    for pattern in [
        "ceo@example.com",
        "o'brien@example.com",
        "first.last+tag@mail.example.co.uk",
        "b_1-2@ex-ample.com",
        "*@example.com",
        "ceo@*",
        "*",
        "board-*",
        "board-??@*.example.com",
        "a.*@example.com",
        "andré@example.com",
        "8F7C1E52-6d0b-4c3a-a5c9-2b1f0e9d7a46",
        "user_elsewhere.example#EXT#@contoso.example",
    ] {
        let parsed = AddressPattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert!(parsed.matches(&pattern.to_uppercase()), "{pattern}");
    }
}

#[test]
fn problem_with_pattern_says_how_to_write_it() {
    for (pattern, right) in [
        ("'ceo@example.com'", "without quotes"),
        ("example.com", "*@example.com"),
        ("@example.com", "*@example.com"),
        ("ceo@example.com cfo@example.com", "commas"),
        ("ceo@example.com$", "regular expressions"),
    ] {
        let problems = problems(with("", &format!("mailboxes_denied={pattern}")));
        assert!(problems[0].right.contains(right), "{pattern}: {}", problems[0].right);
        assert!(problems[0].wrong.contains("matches no address"), "{}", problems[0].wrong);
    }
}

#[test]
fn max_deletions_defaults_to_max_messages() {
    assert_eq!(app("").guard.max_deletions, 100);
    assert_eq!(app("max_messages=700").guard.max_deletions, 700);
    assert_eq!(app("max_messages=700\nmax_deletions=5").guard.max_deletions, 5);
    assert_eq!(app("max_deletions_per_hour=50").guard.max_deletions_per_hour, Some(50));
}

#[test]
fn rails_of_plans_are_applied() {
    let guard = app("").guard;
    assert_eq!((guard.max_plan_messages, guard.plan_lifetime.as_secs()), (10_000, 86_400));
    assert!(!guard.four_eyes && !guard.approval_required);
    let guard = app("max_plan_messages=7\nplan_lifetime=3600\nfour_eyes=Yes\napproval_required=true").guard;
    assert_eq!((guard.max_plan_messages, guard.plan_lifetime.as_secs()), (7, 3600));
    assert!(guard.four_eyes && guard.approval_required);
}

#[test]
fn removed_rails_are_named() {
    let former = app("max_deletions=5\nmax_deletions_per_hour=9\nmailboxes_allowed=*@a.example\n\
                      mailboxes_denied=ceo@a.example\nmailboxes_denied_reading=cfo@a.example\ndry_run=true\n\
                      max_plan_messages=7\nplan_lifetime=60\nfour_eyes=true\napproval_required=true")
    .guard;
    assert!(former.removed_since(&former).is_empty());
    assert!(former.removed_since(&app("").guard).is_empty(), "{:?}", former.removed_since(&app("").guard));
    let removed = app("deletion=permanent").guard.removed_since(&former);
    let names = [
        "max_deletions ",
        "max_deletions_per_hour",
        "max_plan_messages",
        "plan_lifetime",
        "mailboxes_allowed",
        "ceo@a.example",
        "cfo@a.example",
        "permanent",
        "four_eyes",
        "approval_required",
        "dry_run",
    ];
    assert_eq!(removed.len(), names.len(), "{removed:?}");
    for (removed, name) in removed.iter().zip(names) {
        assert!(removed.contains(name), "{removed} {name}");
    }
}

#[test]
fn audit_trail_is_next_to_the_log_by_default() {
    let file = |resilient: &str, line: &str| loaded(&with(resilient, line)).audit.file;
    assert_eq!(file("logdir=/var/log/soar", ""), Some("/var/log/soar/audit.log".into()));
    assert_eq!(
        file("logdir=/var/log/soar", "audit_file=acts.jsonl"),
        Some("/var/log/soar/acts.jsonl".into())
    );
    assert_eq!(file("logdir=/var/log/soar", "audit_file=/audit/acts"), Some("/audit/acts".into()));
    assert_eq!(file("logdir=/var/log/soar", "audit_file="), None);
    assert_eq!(file("logfile=", ""), None);
    assert_eq!(file("logfile=", "audit_file=/audit/acts"), Some("/audit/acts".into()));
}

#[test]
fn invalid_guard_rail_is_a_problem() {
    for line in [
        "max_deletions=0",
        "max_deletions=many",
        "mailboxes_allowed=example.com",
        "mailboxes_allowed=,",
        "mailboxes_denied=ceo@example.com; cfo@example.com",
        "mailboxes_denied=a@example.com b@example.com",
        "mailboxes_denied=ceo@example.com;cfo@example.com",
        "mailboxes_denied=ceo@example.com|cfo@example.com",
        "mailboxes_denied=\"ceo@example.com\"",
        "mailboxes_denied=<ceo@example.com>",
        "mailboxes_denied=smtp:ceo@example.com",
        "mailboxes_denied=@example.com",
        "mailboxes_denied=ceo@",
        "mailboxes_denied=.*@example.com",
        "mailboxes_denied='ceo@example.com'",
        "mailboxes_denied=`ceo@example.com`",
        "mailboxes_denied=\u{2018}ceo@example.com\u{2019}",
        "mailboxes_denied=\u{ff1c}ceo@example.com\u{ff1e}",
        "mailboxes_denied=ceo@example.com$",
        "mailboxes_denied=ceo@example.com/",
        "mailboxes_denied=ceo@example.com.",
        "mailboxes_denied=^ceo@example.com",
        "mailboxes_denied=ceo@.example.com",
        "mailboxes_denied=ceo.@example.com",
        "mailboxes_denied=ceo@example..com",
        "mailboxes_denied=ceo@localhost",
        "mailboxes_denied=ceo@ex\u{200b}ample.com",
        "mailboxes_denied=ceo@\u{ff45}xample.com",
        "mailboxes_denied=/ceo@example.com/",
        "mailboxes_denied=(ceo|cfo)@example.com",
        "mailboxes_denied=ceo@example.com@example.com",
        "mailboxes_denied=8f7c1e52-6d0b-4c3a-a5c9-2b1f0e9d7a4",
        "mailboxes_denied_reading='ceo@example.com'",
        "max_deletions_per_hour=0",
        "audit_fsync=perhaps",
        "mailboxes_denied=[a-c]*@example.com",
        "mailboxes_allowed=@example.com",
        "deletion=gone",
        "dry_run=maybe",
        "dry_run=ture",
        "four_eyes=two",
        "approval_required=perhaps",
        "plan_lifetime=0",
        "max_plan_messages=0",
        "max_plan_messages=100001",
        // Misspelt, or in the wrong section.
        "dryrun=true",
        "mailbox_denied=ceo@example.com",
        "max_deletion=5",
        "approvals_required=true",
        "plan_life=60",
        "4_eyes=true",
        "denied_mailboxes=ceo@example.com",
        "allowed=*@example.com",
        // An empty list would allow every mailbox.
        "mailboxes_allowed=",
        "mailboxes_allowed=\n  # all@example.com",
        // A missing or empty variable protects nothing.
        "mailboxes_denied=${NO_SUCH}@example.com",
        "mailboxes_denied=$NO_SUCH",
        "mailboxes_allowed=$EMPTY",
        "max_deletions=$EMPTY",
        "dry_run=$EMPTY",
        "audit_file=$EMPTY",
        // The log overwrites or deletes what is there.
        "audit_file=app.log",
        "audit_file=app.log.3",
        "[integrations]\ndry_run=true",
        "[integrations]\nmailboxes_denied=ceo@example.com",
        // No national cloud can delete for good.
        "deletion=permanent\nmicrosoft_graph_url=https://graph.microsoft.us/v1.0",
        "deletion=permanent\nmicrosoft_graph_url=https://dod-graph.microsoft.us/v1.0",
        "deletion=permanent\nmicrosoft_graph_url=https://microsoftgraph.chinacloudapi.cn/v1.0",
    ] {
        let error = load_in(with("", line), &[("EMPTY", "")]).unwrap_err();
        assert_eq!(error.problems().len(), 1, "{line}: {error}");
    }
    assert_eq!(problems(with("dry_run=true", "")).len(), 1);
}

#[test]
fn audit_file_resolving_to_log_file_is_a_problem() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir_all(at("logs/sub")).unwrap();
    symlink("logs", at("linked")).unwrap();
    symlink(at("linked/sub"), at("deep")).unwrap();
    let audit_file = |logfile: &str, line: &str| {
        let resilient = format!("logdir={}\nlogfile={logfile}", at("logs").display());
        load_in(with(&resilient, line), &[]).map(|loaded| loaded.settings.audit.file.unwrap())
    };
    let is_refused = |logfile: &str, file: &str| {
        let line = format!("audit_file={file}").replace("DIR", &directory.path().display().to_string());
        let problems = audit_file(logfile, &line).map_err(|error| error.problems().to_vec());
        let refused =
            problems.is_err_and(|problems| problems.len() == 1 && problems[0].wrong.contains("log file"));
        assert!(refused, "{logfile} {file}");
    };
    let by_name = [
        "./app.log",
        "../logs/app.log",
        "sub/../app.log",
        "DIR/linked/app.log",
        "DIR/linked/./app.log.12",
        "DIR/deep/../app.log",
        "DIR/logs//app.log",
        "not/there/../../app.log",
    ];
    for file in by_name {
        is_refused("app.log", file);
        is_refused("./app.log", file);
        is_refused("sub/../app.log", file);
    }
    // A link to what the log makes, before it is there and then, and one in the place of a file that it is rotated to.
    for (link, target) in [("to_log", "app.log"), ("to_link", "to_log"), ("to_old", "./app.log.1")] {
        symlink(target, at("logs").join(link)).unwrap();
        is_refused("app.log", link);
    }
    symlink(at("elsewhere"), at("logs/app.log.2")).unwrap();
    is_refused("app.log", "app.log.2");
    fs::write(at("logs/app.log"), "").unwrap();
    is_refused("app.log", "to_link");
    fs::hard_link(at("logs/app.log"), at("logs/second_name")).unwrap();
    is_refused("app.log", "second_name");
    is_refused("to_log", "app.log");
    // The trail if `audit_file` is not set.
    assert_eq!(audit_file("audit.log", "").unwrap_err().problems().len(), 1);
    for file in ["app.log.old", "app.log2", "sub/app.log", "DIR/app.log", "acts"] {
        let line = format!("audit_file={file}").replace("DIR", &directory.path().display().to_string());
        audit_file("app.log", &line).unwrap();
    }
    // Links that lead nowhere lead to no log, and the search for it ends.
    symlink("circle/x", at("logs/circle")).unwrap();
    audit_file("app.log", "audit_file=circle").unwrap();
    audit_file("app.log", &format!("audit_file={}", "a/../".repeat(5_000))).unwrap();
}

#[test]
fn guard_rail_in_section_of_other_app_gives_warning() {
    let text = with("", "[fn_other_app]\nmailboxes_denied=ceo@example.com\nanything=1");
    let warnings = load_in(text, &[]).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning = warnings[0].to_string();
    assert!(warning.contains("fn_other_app") && warning.contains("mailboxes_denied"), "{warning}");
}

/// What a pattern means, in the plainest code.
fn means(pattern: &[char], address: &[char]) -> bool {
    match pattern {
        [] => address.is_empty(),
        ['*', rest @ ..] => (0..=address.len()).any(|taken| means(rest, &address[taken..])),
        ['?', rest @ ..] => !address.is_empty() && means(rest, &address[1..]),
        [c, rest @ ..] => address.first() == Some(c) && means(rest, &address[1..]),
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_what_it_means(pattern in "[ab@.*?]{0,10}", address in "[ab@.]{0,10}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(AddressPattern::new(&pattern).matches(&address), means(&chars(&pattern), &chars(&address)));
    }

    #[test]
    fn case_makes_no_difference(address in "[a-zäöüßσςıK@.+'#]{1,12}") {
        let pattern = AddressPattern::new(&address);
        prop_assert!(pattern.matches(&address.to_uppercase()), "{}", address.to_uppercase());
        prop_assert!(AddressPattern::new(&address.to_uppercase()).matches(&address));
        prop_assert!(AddressPattern::new("*").matches(&address));
        for longer in [format!("{address}x"), format!("x{address}")] {
            prop_assert!(!pattern.matches(&longer), "{}", longer);
        }
    }
}

#[test]
fn pattern_with_many_wildcards_is_evaluated_quickly() {
    let pattern = AddressPattern::new(&"*a".repeat(2_000));
    assert!(!pattern.matches(&format!("{}b", "a".repeat(4_000))));
}
