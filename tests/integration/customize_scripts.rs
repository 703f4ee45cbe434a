//! Promise: the scripts of rules, workflows and playbooks do what their sources say, in Python 3 and in SOAR's older
//! script language. The tests themselves are in `tests/integration/customize_scripts/`, with stand-ins for the objects
//! that SOAR gives to a script.

use std::io;
use std::process::{Command, Output};

/// Runs the tests in that Python: those in files of that name.
fn run(python: &str, files: &str) -> io::Result<Output> {
    Command::new(python)
        .args(["-B", "-m", "unittest", "discover", "-s", "tests/integration/customize_scripts", "-p", files])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
}

fn pass(output: &Output, count: usize) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains(&format!("Ran {count} tests")), "not all tests ran: {stderr}");
}

/// Whether that is a Python 2.7; a shell's stand-in for a missing one is not.
fn is_python_2(python: &str) -> bool {
    let version =
        Command::new(python).args(["-c", "import sys; print(sys.version_info[:2] == (2, 7))"]).output();
    version.is_ok_and(|output| output.status.success() && output.stdout.starts_with(b"True"))
}

#[test]
fn scripts_work_in_python_3() {
    pass(
        &run("python3", "test_*.py").expect("python3, which runs the tests of the scripts, is not installed"),
        211,
    );
}

/// Where no Python 2.7 is installed, at least no script uses what it lacks; `PYTHON2` names one in an odd place.
#[test]
fn scripts_work_in_python_2() {
    let named = std::env::var("PYTHON2").ok();
    if let Some(python) = &named {
        assert!(is_python_2(python), "PYTHON2 is {python}, which is no Python 2.7");
    }
    let installed = ["python2.7", "python2"].into_iter().find(|name| is_python_2(name)).map(str::to_owned);
    match named.or(installed) {
        Some(python) => pass(&run(&python, "test_*.py").unwrap(), 211),
        None => pass(&run("python3", "test_language.py").unwrap(), 2),
    }
}
