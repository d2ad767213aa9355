#!/usr/bin/env python3
"""Holds src/pipeline/enrich/scopes.csv against IANA's special-purpose address registries.

    scripts/iana-scopes.py [--revision DATE] [IPV4.csv IPV6.csv]

The files are the registries' own CSV exports; without them they are fetched. What is new, gone or
changed is told, one line each, and then the exit code is 1: give each row its scope in
scopes.csv, then let `cargo test --lib scope` say which arms of scope.rs must follow. Where
nothing differs, DATE (the registries' "Last Updated") becomes the revision of the file.
"""

import argparse
import csv
import io
import ipaddress
import pathlib
import re
import sys
import urllib.request

SOURCE = "https://www.iana.org/assignments/iana-{0}-special-registry/iana-{0}-special-registry-1.csv"
OURS = pathlib.Path(__file__).parent.parent / "src/pipeline/enrich/scopes.csv"
# Addresses of it never come to be looked up: they are unmapped first.
LEFT_OUT = {ipaddress.ip_network("::ffff:0:0/96")}
GLOBAL = {"true": "yes", "false": "no", "n/a": "n/a"}


def without_notes(text):
    """A cell without the marks of its footnotes."""
    return re.sub(r"\[\d+\]", "", text).strip()


def registered(text):
    """Each prefix of a registry: its name, and whether it is globally reachable."""
    prefixes = {}
    for row in csv.DictReader(io.StringIO(text)):
        reachable = GLOBAL[without_notes(row["Globally Reachable"]).lower()]
        for block in without_notes(row["Address Block"]).split(","):
            prefix = ipaddress.ip_network(block.strip())
            if prefix not in LEFT_OUT:
                prefixes[prefix] = (" ".join(row["Name"].split()), reachable)
    return prefixes


def ours():
    """Each prefix of scopes.csv that is from these registries: its scope and reachability."""
    lines = (line for line in OURS.read_text().splitlines() if not line.startswith("#"))
    return {
        ipaddress.ip_network(row["prefix"]): (row["scope"], row["global"])
        for row in csv.DictReader(lines)
        if row["source"] == "special-purpose"
    }


def differences(theirs, known):
    """What a person must decide, one line each."""
    order = lambda prefix: (prefix.version, prefix)
    for prefix in sorted(theirs.keys() - known.keys(), key=order):
        name, reachable = theirs[prefix]
        yield f"new: {prefix} ({name}), globally reachable {reachable}"
    for prefix in sorted(known.keys() - theirs.keys(), key=order):
        yield f"gone: {prefix} ({known[prefix][0]})"
    for prefix in sorted(known.keys() & theirs.keys(), key=order):
        before, now = known[prefix][1], theirs[prefix][1]
        if before != now:
            yield f"changed: {prefix} ({known[prefix][0]}), globally reachable {before}, now {now}"


def read(file, family):
    if file:
        return pathlib.Path(file).read_text(encoding="utf-8")
    with urllib.request.urlopen(SOURCE.format(family), timeout=30) as answer:
        return answer.read().decode("utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--revision", metavar="DATE", help="the registries' date of last update")
    parser.add_argument("files", nargs="*", metavar="CSV", help="both registries, IPv4 first")
    arguments = parser.parse_args()
    if len(arguments.files) not in (0, 2):
        parser.error("give both files, or none")
    ipv4, ipv6 = arguments.files or (None, None)
    theirs = registered(read(ipv4, "ipv4")) | registered(read(ipv6, "ipv6"))
    found = list(differences(theirs, ours()))
    for line in found:
        print(line)
    if found:
        sys.exit(1)
    if arguments.revision:
        text = OURS.read_text()
        OURS.write_text(re.sub(r"(?m)^# Revision: .*$", f"# Revision: {arguments.revision}", text))


if __name__ == "__main__":
    main()
