"""What the parts of ./with-kafka have in common."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
RUN_SECONDS = 120


class ClusterError(Exception):
    """One line: what went wrong, where, and what to do."""


def say(line):
    """A line about the cluster, apart from the command's own output."""
    print(f"with-kafka: {line}", file=sys.stderr, flush=True)


def cache_folder():
    """What is kept from one run to the next."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netsieve"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def run(command, purpose, *, timeout=RUN_SECONDS, **options):
    """Runs a command to its end, which must be a good one; what it said."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=timeout, check=False, **options,
        )
    except FileNotFoundError:
        raise ClusterError(f"cannot {purpose}: {command[0]} not found; install it") from None
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        # The last line that is not a step of a stack trace.
        words = [line for line in said.splitlines() if line[:1].strip()] or ["no reason given"]
        raise ClusterError(f"cannot {purpose}: {words[-1]}")
    return said
