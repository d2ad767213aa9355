"""Kafka's programs as processes of this machine: its Java, and jars that Maven fetches."""

import ctypes
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from common import HERE, HOST, ClusterError, cache_folder, say

POM = HERE / "pom.xml"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
FETCH_SECONDS = 600
ASK_SECONDS = 20
JAVA_AT_LEAST = 17
PR_SET_PDEATHSIG = 1


class Java:
    """Where brokers and tools run: here."""

    # Where a broker listens to its clients.
    bind = HOST
    # What the shell runs as `java`.
    script = 'exec java "$@"'

    def __init__(self):
        self.libs = find_jars()
        program = shutil.which("java")
        if not program:
            raise ClusterError("java not found: install a Java runtime, 17 or later")
        binary = Path(program).resolve()
        # Of what an archive of classes is made.
        self.identity = f"{self.libs}:{binary}:{binary.stat().st_mtime_ns}"
        clients = [jar.stem for jar in self.libs.glob("kafka-clients-*.jar")]
        self.version = clients[0].removeprefix("kafka-clients-") if clients else ""

    def open(self, _folder, _ports):
        """Nothing is needed for them."""

    def java(self, _name=None):
        """The first words of a Java program's command line."""
        return ["java"]

    def send(self, _name, process, number):
        """Sends a broker a signal."""
        process.send_signal(number)

    def measure(self, _name, process):
        """The pid and resident KiB of a broker."""
        command = ["ps", "-o", "rss=", "-p", str(process.pid)]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=ASK_SECONDS, check=False)
        return process.pid, int(done.stdout or 0)

    def close(self, processes):
        """Ends all that runs, at once."""
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()

    @staticmethod
    def before_exec():
        """No broker outlives even a kill -9 of with-kafka (on Linux; elsewhere it would)."""
        if LIBC:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _libc():
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


LIBC = _libc() if sys.platform == "linux" else None


def is_here():
    """Whether this machine has, or can fetch, all that it takes."""
    if os.environ.get("KAFKA_HOME"):
        return True
    if not (_cached_jars().is_dir() or shutil.which("mvn")):
        return False
    try:
        # A mere `java` may be too old, or one that only tells where to get one.
        done = subprocess.run(
            ["java", "-version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=ASK_SECONDS, check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(rb'version "(\d+)', done.stdout)
    return version is not None and int(version[1]) >= JAVA_AT_LEAST


def find_jars():
    """The folder of Kafka's jars: $KAFKA_HOME's, or those of pom.xml, fetched once for a user."""
    home = os.environ.get("KAFKA_HOME")
    if home:
        libs = Path(home) / "libs"
        if not list(libs.glob("kafka-server-*.jar")):
            raise ClusterError(f"KAFKA_HOME: {libs} has no Kafka; unset it to fetch Kafka by Maven")
        return libs
    libs = _cached_jars()
    if libs.is_dir():
        return libs
    if not shutil.which("mvn"):
        raise ClusterError("mvn not found: install Maven, or set KAFKA_HOME to an unpacked Kafka")
    say("fetching Kafka with Maven, once")
    with tempfile.TemporaryDirectory(dir=libs.parent) as scratch:
        # The pom is copied since Maven may write beside it.
        shutil.copy(POM, scratch)
        fetched = Path(scratch) / "libs"
        done = subprocess.run(
            ["mvn", "-q", "-B", "-f", f"{scratch}/pom.xml", COPY_DEPENDENCIES,
             f"-DoutputDirectory={fetched}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=FETCH_SECONDS, check=False,
        )
        if done.returncode:
            print(done.stdout.decode(errors="replace"), file=sys.stderr)
            raise ClusterError("Maven could not fetch Kafka: its own words are above")
        try:
            # In one step, so that nobody sees half of it.
            fetched.rename(libs)
        except OSError:
            if not libs.is_dir():  # else another with-kafka was first
                raise
    return libs


def _cached_jars():
    return cache_folder() / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
