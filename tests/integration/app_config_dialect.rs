//! Promise: `app.config` is read exactly as Python's `configparser.ConfigParser(interpolation=None)` reads it.
//! Every file here is given to both, and either both refuse it or both find the same.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use fn_exchange_online::config::ini::{IniFormat, ROOT, Sections};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Reads a JSON list of texts, writes each to a file as UTF-8, opens it as the reference does (universal
/// newlines, byte order mark skipped), and answers with a list of its sections, or null where it refuses.
const PYTHON: &str = r#"
import configparser, json, os, sys, tempfile
answers = []
with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "app.config")
    for text in json.load(sys.stdin):
        with open(path, "wb") as f:
            f.write(text.encode("utf-8"))
        parser = configparser.ConfigParser(interpolation=None)
        try:
            with open(path, encoding="utf-8-sig") as f:
                parser.read_file(f)
            answers.append({s: dict(parser.items(s)) for s in parser.sections()})
        except configparser.Error:
            answers.append(None)
json.dump(answers, sys.stdout)
"#;

fn python(files: &[String]) -> Vec<Option<Sections>> {
    let mut child = Command::new("python3")
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs python3");
    let input = serde_json::to_vec(files).unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ours(text: &str) -> Option<Sections> {
    let config =
        config::Config::builder().add_source(config::File::from_str(text, IniFormat)).build().ok()?;
    let sections: BTreeMap<String, config::Value> = config.get_table(ROOT).unwrap().into_iter().collect();
    Some(
        sections
            .into_iter()
            .map(|(name, table)| {
                let options = table.into_table().unwrap();
                let options = options.into_iter().map(|(k, v)| (k, v.into_string().unwrap())).collect();
                (name, options)
            })
            .collect(),
    )
}

fn compare(files: &[String]) -> usize {
    let theirs = python(files);
    assert_eq!(theirs.len(), files.len());
    for (file, theirs) in files.iter().zip(&theirs) {
        assert_eq!(&ours(file), theirs, "Python's answer is on the right; the file was {file:?}");
    }
    theirs.iter().flatten().count()
}

#[test]
fn nasty_files_are_read_as_python_reads_them() {
    let files: Vec<String> = NASTY.iter().map(ToString::to_string).collect();
    let accepted = compare(&files);
    assert!(accepted > 30 && accepted < files.len() - 15, "{accepted} of {} accepted", files.len());
}

#[test]
fn generated_files_are_read_as_python_reads_them() {
    let mut runner = TestRunner::default();
    let any_lines = prop::collection::vec(line(), 0..14);
    let sound = prop::collection::vec(sound_line(), 0..10).prop_map(|mut lines| {
        lines.insert(0, "[s]".to_owned());
        lines
    });
    let file = (
        prop_oneof![any_lines, sound],
        prop::sample::select(vec!["\n", "\n", "\r\n", "\r"]),
        prop::sample::select(vec!["", "", "", "\u{feff}"]),
    )
        .prop_map(|(lines, end, mark)| format!("{mark}{}", lines.join(end)));
    let files: Vec<String> = (0..4000).map(|_| file.new_tree(&mut runner).unwrap().current()).collect();
    let accepted = compare(&files);
    assert!(accepted > 400, "only {accepted} generated files were sound: the test has lost its force");
}

/// Lines of every kind, sound and broken.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => sound_line(),
        1 => ("[ \t]{0,3}", "\\[[a-c.\\]\\[ 0]{0,3}\\]?", "[ ;#x]{0,2}").prop_map(|(i, h, t)| i + &h + &t),
        1 => "[ \t]{0,2}\\[(DEFAULT|a|b)\\]",
        1 => "[ \t]{0,3}[a-cA-C =:#;%$\\[\\]\"'\\\\éİΣß\u{a0}\u{1c}\u{85}\u{2028}\u{0c}\u{0b}]{0,8}",
    ]
}

/// Options with rarely repeated names, their continuations, comments and blank lines.
fn sound_line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => ("[ \t]{0,2}", "[a-zA-Z_. \\[]{1,6}", "[ \t]?[=:][ \t]?", "\\PC{0,8}")
            .prop_map(|(i, k, s, v)| i + &k + &s + &v),
        2 => "[ \t]{1,4}[a-z=:#;\\[\\]%]{1,6}",
        1 => "[ \t]{0,3}[#;].{0,6}".prop_map(|line| line.replace(['\r', '\n'], "")),
        1 => "[ \t\u{0c}]{0,3}",
    ]
}

const NASTY: &[&str] = &[
    "",
    "\n\n",
    "[s]\n",
    "[s]\nkey=value\n",
    "[s]\nkey = value # not a comment\n",
    "[s]\nkey = value ; not a comment\n",
    "[s]\nkey=#value\n",
    "[s]\nkey=;value\n",
    "[s]\n# key=value\n; key=value\n   # indented\n\t; tab\n",
    "[s]\nkey=100%\nother=%(key)s\nthird=%%\n",
    "[s]\nkey=C:\\new\\table\\\\x\\\n",
    "[s]\nkey=\"quoted\"\nother='single'\nthird=\"half\n",
    "[s]\nkey: value\nother : value\nthird:value=1\nfourth=a:b\n",
    "[s]\nkey == value\nother:=value\nthird=:value\n",
    "[s]\nurl=https://login.example/{tenant}/oauth2\n",
    "[s]\nsecret=a=b=c==\n",
    "[s]\nkey=$VAR\nother=${VAR}\nthird=^PAM\n",
    "[s]\nkey=one\n  two\n  three\n",
    "[s]\nkey=one\n  two\n# comment\n  three\n",
    "[s]\nkey=one\n  two\n  # indented comment\n  three\n",
    "[s]\nkey=one\n  two\n\n  three\n\n\nnext=1\n",
    "[s]\nkey=one\n\n\nnext=1\n",
    "[s]\nkey=\n  one\n  two\n",
    "[s]\nkey=\n\n  one\n",
    "[s]\nkey=one\n  two=2\n  three:3\n",
    "[s]\nkey=one\n  [t]\n",
    "[s]\nkey=one\n  bare\n next\n",
    "[s]\n  key=one\n  other=two\n",
    "[s]\n  key=one\n    more\n  other=two\n third=3\n",
    "[s]\n  key=one\nother=two\n  more\n",
    "  [s]\nkey=one\n",
    "  [s]\n    key=one\n  other=2\n",
    "  [s]\n  key=one\n   continued\n",
    "[s]\n\tkey=one\n\t\tmore\n        spaces\n",
    "[s]\nkey=one\n\tmore\n",
    "[s]\nKey=1\nOTHER=2\nmIxEd=3\n",
    "[s]\nkey=1\nKEY=2\n",
    "[s]\nkey=1\nkey=2\n",
    "[s]\nkey=1\nkey =1\n",
    "[s]\na=1\n[s]\nb=2\n",
    "[s]\na=1\n[S]\na=2\n",
    "[s]\na=1\n[ s ]\na=2\n",
    "[s]\na=1\n[t]\na=2\n",
    "\u{feff}[s]\nkey=1\n",
    "\u{feff}\u{feff}[s]\nkey=1\n",
    "\u{feff}",
    " \u{feff}[s]\nkey=1\n",
    "[s]\nkey=\n",
    "[s]\nkey =   \n",
    "[s]\nkey:\n",
    "[s]\nbare\n",
    "[s]\nkey=1\nbare\n",
    "[s]\nkey=1\nbare\nother=2\n",
    "[s]\nkey=1\n\nbare words here\n",
    "[s]\nrem comment\n",
    "[s]\nREM=1\nrem x=2\n",
    "[s]\n=value\n",
    "[s]\n:value\n",
    "[s]\n = value\n",
    "[s]\n=a\n=b\n",
    "key=1\n",
    "key\n[s]\n",
    "# comment\n\nkey=1\n[s]\n",
    "[]\nkey=1\n",
    "[s]\n[]\n",
    "[s]\n[]=1\n",
    "[]]\nkey=1\n",
    "[[s]]\nkey=1\n",
    "[s]trailing\nkey=1\n",
    "[s] # comment\nkey=1\n",
    "[s]t]\nkey=1\n",
    "[s\nkey=1\n",
    "[s]\n[open=1\n",
    "[s=1]\nkey=1\n",
    "[a.b]\nkey=1\n[a]\nb=2\n",
    "[a[0]]\nkey=1\n[x[-1].y]\nk=2\n",
    "[s]\na.b=1\na[0]=2\na=3\n[.]\n.=1\n",
    "[sections]\nsections=1\n",
    "[s]\r\nkey=1\r\n  more\r\n",
    "[s]\rkey=1\rother=2\r",
    "[s]\nkey=1\r\r\n  more\n",
    "[s]\nkey with spaces = 1\n  \nother  key\t=\t2\n",
    "[s]\nkey\t=1\n",
    "[DEFAULT]\na=1\n[s]\nb=2\n[t]\na=3\n",
    "[s]\nb=2\n[DEFAULT]\na=1\nb=9\n",
    "[DEFAULT]\na=1\n[s]\n[DEFAULT]\nb=2\n",
    "[DEFAULT]\na=1\n[DEFAULT]\na=2\n[s]\n",
    "[DEFAULT]\na=1\n",
    "[default]\na=1\n[s]\n",
    "[DEFAULT]\na=one\n two\n[s]\n",
    "[s]\nschlüssel=Straße €\nΣΑΣ=1\nİ=2\n",
    "[s]\nK=1\nk=2\n",
    "[über]\n名=前\n",
    "[s]\nkey=\u{a0}nbsp\u{a0}\n",
    "[s]\n\u{a0}key=1\n",
    "[s]\nkey=a\u{2028}b\u{85}c\n",
    "[s]\nkey=a\u{0c}b\n\u{0c}\nother=\u{0c}c\u{0c}\n",
    "[s]\n\u{0c}key=1\n",
    "[s]\nkey=1\n\u{0c}more\n",
    "[s]\nkey=1\n\u{1c}\u{1f}more\u{1d}\n",
    "[s]\nkey=1\n\u{0b}more\n",
    "[s]\nkey=\u{200b}zero width\u{200b}\n\u{200b}key2=1\n",
    "[s]\nkey=a\0b\n",
    "[s]\nkey=1\n    \n",
    "[s]\nkey=1\n    \n  more\n    ",
    "[s]\nkey=last line without end",
    "[s]\nkey=one\n  two",
    "[s]\n<<<<<<< HEAD\nkey=1\n=======\nkey=2\n>>>>>>> x\n",
    "[s]\n!key=1\n@x:2\n/path=3\n",
    "[s]\nkey=1\n;\n#\n ;x\n  more\n",
    "[s]\n#\n key=1\n",
    "[s]\nkey=1 \\\nother=2\n",
    "[s]\nkey=[value]\n[t]=1\n",
    "[resilient]\nhost=soar\n[fn_exchange_online]\nclient_secret=a~b#c;d%e\\f\"g'h=i:j\n",
    "\u{fe}[s]\nkey=1\n",
];
