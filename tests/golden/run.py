#!/usr/bin/env python3
"""Records what the program does in some 440 calls, and compares it with what is recorded.

    tests/golden/run.py --binary target/debug/fn-exchange-online            compares all calls
    tests/golden/run.py --binary … NAME-PART …                              those whose name has one of the parts
    tests/golden/run.py --binary … --ignore-log                             leaves the log's lines out
    tests/golden/run.py --binary … --update [NAME-PART …]                   records them again
    tests/golden/run.py --list                                              names the calls
"""
import argparse
import concurrent.futures
import difflib
import re
import sys
import tempfile
from pathlib import Path

from calls import CALLS
from normalise import Record
from play import Certificate, Play

EXPECTED = Path(__file__).resolve().parent / "expected"
HEADING = re.compile(r"^#### (.+)\n", re.MULTILINE)
LOG = re.compile(r"^log:\n(?:  .*\n)*", re.MULTILINE)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME-PART")
    parser.add_argument("--binary", help="the program")
    parser.add_argument("--update", action="store_true", help="record what it does now")
    parser.add_argument("--list", action="store_true", help="name the calls")
    parser.add_argument("--ignore-log", action="store_true", help="leave the log's lines out of the comparison")
    parser.add_argument("--jobs", type=int, default=12, help="calls at once (most of them wait)")
    given = parser.parse_args()
    if not given.binary and not given.list:
        parser.error("--binary is required")
    return given


def chosen(parts):
    return {name: call for name, call in CALLS.items() if not parts or any(part in name for part in parts)}


def record(name, call, binary, certificate):
    try:
        return name, Record(call, Play(call, binary, certificate).run()).text()
    except Exception as error:  # one call must not end the others
        return name, f"could not be played: {type(error).__name__}: {error}\n"


def play(calls, binary, jobs):
    """The records of the calls. Those that take long begin first."""
    order = sorted(calls, key=lambda name: not calls[name].get("slow"))
    with tempfile.TemporaryDirectory(prefix="golden-") as directory:
        certificate = Certificate.create(directory)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(record, name, calls[name], binary, certificate) for name in order]
            return dict(future.result() for future in concurrent.futures.as_completed(futures))


def read(file):
    """The records of a file by name."""
    pieces = HEADING.split(file.read_text()) if file.exists() else [""]
    return {name: text.rstrip("\n") + "\n" for name, text in zip(pieces[1::2], pieces[2::2])}


def file_of(name):
    return EXPECTED / f"{name.split('/')[0]}.txt"


def update(records):
    """Writes records into their files, and takes out those of calls that are no more."""
    EXPECTED.mkdir(exist_ok=True)
    for file in {file_of(name) for name in CALLS} | set(EXPECTED.glob("*.txt")):
        known = read(file) | {name: text for name, text in records.items() if file_of(name) == file}
        kept = [name for name in CALLS if name in known and file_of(name) == file]
        if kept:
            file.write_text("\n".join(f"#### {name}\n{known[name]}" for name in kept))
        else:
            file.unlink(missing_ok=True)


def compare(records, ignore_log):
    """Shows each difference; returns how many calls differ."""
    known = {name: text for file in EXPECTED.glob("*.txt") for name, text in read(file).items()}
    different = 0
    for name in sorted(records, key=list(CALLS).index):
        before, now = known.get(name, ""), records[name]
        if ignore_log:
            before, now = LOG.sub("", before), LOG.sub("", now)
        if before != now:
            different += 1
            lines = difflib.unified_diff(before.splitlines(), now.splitlines(), f"recorded {name}", f"now {name}", lineterm="", n=4)
            print("\n".join(lines) + "\n")
    return different


def main():
    given = arguments()
    calls = chosen(given.names)
    if given.list:
        print("\n".join(calls))
        return 0
    records = play(calls, str(Path(given.binary).resolve()), given.jobs)
    if given.update:
        update(records)
        print(f"{len(records)} calls recorded")
        return 0
    different = compare(records, given.ignore_log)
    print(f"{len(records)} calls, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
