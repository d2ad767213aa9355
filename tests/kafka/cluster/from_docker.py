"""Kafka's programs in containers of the official image, with this machine's files and ports.

All containers of a run share the network and the processes of one more, the pod, as those of a
Kubernetes pod do. So brokers and tools reach each other at the addresses by which this machine
reaches them, through ports that the pod publishes on the loopback interface. And they end with it
whatever happens: the pod only waits for the end of its input, a pipe that the system closes when
with-kafka ends, even by kill -9; when its first process ends, the kernel kills all others; and
docker removes what has ended (--rm).
"""

import os
import re
import selectors
import shlex
import signal
import subprocess
import time

from common import HERE, HOST, ClusterError, cache_folder, run, say

ASK_SECONDS = 20
PULL_SECONDS = 600
POD_SECONDS = 60
END_SECONDS = 30


class Docker:
    """Where brokers and tools run: in containers."""

    # Where a broker listens to its clients: published ports lead to every address but loopback.
    bind = "0.0.0.0"
    libs = "/opt/kafka/libs"
    # A client of docker's that is killed early leaves a container that was made and not started.
    before_exec = None

    def __init__(self):
        self.version = kafka_version()
        self.image = f"apache/kafka:{self.version}"
        self.identity = find_image(self.image)
        self.pod, self.pod_process, self.mounts = None, None, {}

    def open(self, folder, ports):
        """Starts the pod, for what is in `folder` and listens on `ports`."""
        self.pod = f"with-kafka-{folder.name}"
        self.mounts = {folder: "rw", HERE: "ro", cache_folder(): "ro"}
        published = [f"--publish={HOST}:{port}:{port}" for port in ports]
        log = folder / "logs" / "docker.log"
        with log.open("wb") as errors:
            self.pod_process = subprocess.Popen(
                ["docker", "run", "--rm", "--interactive", "--name", self.pod, *published,
                 "--entrypoint", "cat", self.image],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0,
                start_new_session=True,
            )
        try:
            self.pod_process.stdin.write(b"up\n")
        except BrokenPipeError:
            pass  # its own words are the better ones
        if not _has_line(self.pod_process.stdout, POD_SECONDS):
            words = log.read_text(errors="replace").splitlines() or ["it does not answer"]
            raise ClusterError(f"docker cannot run {self.image}: {words[0]}")

    def _run(self, *options):
        place = f"container:{self.pod}"
        mounts = [f"--volume={path}:{path}:{mode}" for path, mode in self.mounts.items()]
        # Files of this machine's are read and written as if by a process of this user, where
        # SELinux reigns too. The programs' output goes to whoever started them, and nowhere else.
        return ["docker", "run", "--rm", f"--pid={place}", f"--network={place}",
                f"--user={os.getuid()}:{os.getgid()}", "--security-opt=label=disable",
                "--log-driver=none", *mounts, *options]

    def java(self, name=None):
        """The first words of a Java program's command line; a container may have a name."""
        named = [f"--name={self._container(name)}"] if name else []
        return self._run(*named, "--entrypoint=java", self.image)

    @property
    def script(self):
        """What the shell runs as `java`, with files of its folder, and temporary ones, at hand."""
        mounted = "".join(f"{path}:" for path in self.mounts)
        command = shlex.join(self._run("--interactive"))
        return f"""\
set -- --entrypoint=java {shlex.quote(self.image)} -XX:-UsePerfData "$@"
mounted={shlex.quote(f"::{mounted}")}
for folder in "$PWD" "${{TMPDIR:-/tmp}}"; do
    folder=${{folder%/}}
    case $mounted in
        *":$folder:"*) ;;
        *) mounted=$mounted$folder: && set -- --volume="$folder:$folder" "$@" ;;
    esac
done
exec {command} --workdir="$PWD" "$@\""""

    def _container(self, name):
        return f"{self.pod}-{name}"

    def send(self, name, process, number):
        """Sends a broker a signal."""
        if process.poll() is None:
            run(["docker", "kill", f"--signal={signal.Signals(number).name}",
                 self._container(name)], f"signal {name}", timeout=ASK_SECONDS)

    def measure(self, name, _process):
        """The pid and resident KiB of a broker, where docker runs it."""
        command = ["docker", "top", self._container(name), "-o", "pid,rss"]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=ASK_SECONDS,
            check=False,
        )
        numbers = [int(word) for word in done.stdout.split() if word.isdigit()]
        return tuple(numbers) if len(numbers) == 2 else (None, None)

    def close(self, processes):
        """Ends all that runs, at once."""
        if not self.pod_process:
            return
        self.pod_process.stdin.close()
        deadline = time.monotonic() + END_SECONDS
        for process in (self.pod_process, *processes):
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                say(f"docker does not end {self.pod}: see docker ps")
                return


def _has_line(pipe, timeout):
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(timeout)) and bool(pipe.readline())


def is_here():
    """Whether docker answers."""
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=ASK_SECONDS, check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def kafka_version():
    """The one that pom.xml names."""
    pom = (HERE / "pom.xml").read_text(encoding="utf-8")
    return re.search(r"<kafka\.version>(.+)</kafka\.version>", pom)[1]


def find_image(image):
    """The id of an image, which is pulled if it is not there."""
    if not is_here():
        raise ClusterError("docker does not answer: start it, or install Java (17 or later) and "
                           "Maven")
    inspect = ["docker", "image", "inspect", "--format", "{{.Id}}", image]
    try:
        return run(inspect, f"find {image}", timeout=ASK_SECONDS).strip()
    except ClusterError:
        say(f"pulling {image}, once")
    try:
        run(["docker", "pull", "--quiet", image], f"pull {image}", timeout=PULL_SECONDS)
    except ClusterError as error:
        raise ClusterError(f"{error}; or install Java (17 or later) and Maven") from None
    return run(inspect, f"find {image}", timeout=ASK_SECONDS).strip()
