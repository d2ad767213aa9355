"""Brokers as files and processes: their jars, ports, keys and settings, and their life by pid."""

import ctypes
import hashlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
FETCH_SECONDS = 600
FORMAT_SECONDS = 120
CLEAN_END_SECONDS = 20
BROKERS_MAX = 3
LISTENERS = ("PLAINTEXT", "CONTROLLER", "SASL_PLAINTEXT", "SASL_SSL")
# The short life of a test's keys.
CERTIFICATE_DAYS = "7"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")


class ClusterError(Exception):
    """One line: what went wrong, where, and what to do."""


def find_jars():
    """The folder of Kafka's jars: $KAFKA_HOME's, or those of pom.xml, fetched once for a user."""
    home = os.environ.get("KAFKA_HOME")
    if home:
        libs = Path(home) / "libs"
        if not list(libs.glob("kafka-server-*.jar")):
            raise ClusterError(f"KAFKA_HOME: {libs} has no Kafka; unset it to fetch Kafka by Maven")
        return libs
    pom = HERE / "pom.xml"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    cache = cache_folder()
    libs = cache / f"kafka-{digest}"
    if libs.is_dir():
        return libs
    if not shutil.which("mvn"):
        raise ClusterError("mvn not found: install Maven, or set KAFKA_HOME to an unpacked Kafka")
    say("fetching Kafka with Maven, once")
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        # The pom is copied since Maven may write beside it.
        shutil.copy(pom, scratch)
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


def cache_folder():
    """What is kept from one run to the next."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netsieve"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def class_archive(libs):
    """Kafka's classes as the JVM maps them, which halves the work of a broker's start.

    The JVM writes it when a broker ends cleanly; it goes with these jars and this Java only.
    """
    program = shutil.which("java")
    if not program:
        raise ClusterError("java not found: install a Java runtime, 17 or later")
    binary = Path(program).resolve()
    identity = f"{libs}:{binary}:{binary.stat().st_mtime_ns}"
    return cache_folder() / f"kafka-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.jsa"


def java(libs, *arguments, level="INFO", options=()):
    """The command line of a Java program of Kafka's, which logs to standard error."""
    log = [f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", f"-Dkafka.log.level={level}"]
    # log4j2's management beans are nobody's business here, and slow a start.
    log.append("-Dlog4j2.disableJmx=true")
    return ["java", *options, *log, "-cp", f"{libs}/*", *arguments]


def choose_ports(brokers, secure, base):
    """{(listener, broker): port}: from `base` up, or from a free block that we choose.

    Never in the range from which the system gives out local ports: a client that calls a dead
    broker there can be given that broker's own port, be connected to itself, and keep the broker
    from coming back.
    """
    listeners = LISTENERS if secure else LISTENERS[:2]
    names = [(listener, n) for listener in listeners for n in range(1, brokers + 1)]
    if base is not None:
        taken = [port for port in range(base, base + len(names)) if not _is_free(port)]
        if taken:
            raise ClusterError(f"port {taken[0]} is taken: give another --port-base, or none")
        return dict(zip(names, range(base, base + len(names))))
    low, high = 10_000, _first_local_port() - len(names)
    for _ in range(100):
        base = random.randrange(low, high)
        if all(_is_free(port) for port in range(base, base + len(names))):
            return dict(zip(names, range(base, base + len(names))))
    raise ClusterError("no free ports found: give --port-base")


def _first_local_port():
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        first = int(text.split()[0])
    except (OSError, ValueError):
        first = 32_768
    return first if first > 11_000 else 32_768


def _is_free(port):
    with socket.socket() as probe:
        # As the broker itself binds: closing connections of an earlier run do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
        return True


def make_certificates(folder):
    """A certificate authority of our own (ca.pem), and the brokers' key and certificate."""
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    config = folder / "openssl.cnf"
    config.write_text(
        "[req]\ndistinguished_name=name\nprompt=no\n[name]\nCN=netsieve test\n"
        "[ca]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n"
        f"[broker]\nsubjectAltName=IP:{HOST},DNS:localhost\n",
        encoding="ascii",
    )
    steps = [
        ["req", "-x509", "-config", config, "-extensions", "ca", *key, "-days", CERTIFICATE_DAYS,
         "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", "-config", config, *key, "-keyout", "broker.key", "-out", "broker.csr"],
        ["x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
         "-set_serial", "1", "-days", CERTIFICATE_DAYS, "-extfile", config,
         "-extensions", "broker", "-out", "broker.crt"],
    ]
    for step in steps:
        _run(["openssl", *map(str, step)], "make a certificate", cwd=folder)
    parts = [(folder / name).read_text(encoding="ascii") for name in ("broker.key", "broker.crt")]
    (folder / "broker.pem").write_text("".join(parts), encoding="ascii")


def settings(node, brokers, ports, folder, login, extra):
    """The broker's properties: Kafka's own defaults but where a test cluster cannot have them.

    `login` is the name and the password of the one user of a secure cluster, else None.
    """
    # Two controllers could not lose either of them: of two brokers only the first is one.
    controllers = range(1, (3 if brokers == 3 else 1) + 1)
    roles = "broker,controller" if node in controllers else "broker"
    listeners = [
        name for name in LISTENERS
        if (name, node) in ports and (name != "CONTROLLER" or node in controllers)
    ]
    replicas = str(brokers)
    # Two brokers may lose one, three may lose one: never more acknowledgements than the living.
    in_sync = "2" if brokers == 3 else "1"
    voters = [f"{n}@{HOST}:{ports['CONTROLLER', n]}" for n in controllers]
    properties = {
        "process.roles": roles,
        "node.id": str(node),
        "log.dirs": str(folder / f"data-{node}"),
        "controller.quorum.voters": ",".join(voters),
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join(f"{name}://{HOST}:{ports[name, node]}" for name in listeners),
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
        "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        # A topic that nobody made is a mistake that a test should see.
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "6",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "6",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": "2",
        "group.initial.rebalance.delay.ms": "0",
        # The default of 128 MiB is a quarter of the heap.
        "log.cleaner.dedupe.buffer.size": str(16 << 20),
    }
    if login:
        properties |= secured(folder, *login)
    return properties | extra


def secured(folder, user, password):
    """The broker's properties that guard it."""
    properties = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "keys" / "broker.pem"),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Who comes by PLAINTEXT is the tests' administrator, and the brokers themselves.
        "super.users": "User:ANONYMOUS",
    }
    package = "org.apache.kafka.common.security"
    modules = {name: f"{package}.scram.ScramLoginModule required;" for name in SCRAM}
    # It sends the password as it is.
    plain = {"PLAIN": f'{package}.plain.PlainLoginModule required user_{user}="{password}";'}
    for listener, offered in (("sasl_plaintext", modules), ("sasl_ssl", modules | plain)):
        prefix = f"listener.name.{listener}"
        properties[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(offered)
        for mechanism, module in offered.items():
            properties[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = module
    return properties


def _run(command, purpose, **options):
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=FORMAT_SECONDS, check=False, **options,
        )
    except FileNotFoundError:
        raise ClusterError(f"cannot {purpose}: {command[0]} not found; install it") from None
    if done.returncode:
        lines = done.stdout.decode(errors="replace").splitlines()
        # The last line that is not a step of a stack trace.
        words = [line for line in lines if line[:1].strip()] or ["no reason given"]
        raise ClusterError(f"cannot {purpose}: {words[-1]}")


class Broker:
    """One broker: its address, its files, and its process while it has one."""

    def __init__(self, node, address, properties, logs):
        self.node, self.address = node, address
        self.properties, self.log = properties, logs / f"broker-{node}.log"
        self.process = None
        self.frozen = False
        self.ended_by_us = False

    def start(self, command):
        """Starts it; it answers some seconds later."""
        self._demand(self.state() == "down", "runs already")
        self.frozen = self.ended_by_us = False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(self.properties)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # Ctrl-C in the terminal is for the command: the brokers outlive it.
                start_new_session=True, preexec_fn=_die_with_parent,
            )

    def state(self):
        """`running`, `frozen` or `down`."""
        if self.process is None or self.process.poll() is not None:
            return "down"
        return "frozen" if self.frozen else "running"

    def kill(self):
        """kill -9; it is gone when this returns."""
        self._demand(self.state() != "down", "is down already")
        self.ended_by_us = True
        self.process.kill()
        self.process.wait()

    def terminate(self):
        """Asks for a clean end, which takes a while: it hands its partitions over first."""
        self._demand(self.state() == "running", "does not run")
        self.ended_by_us = True
        self.process.terminate()

    def freeze(self):
        """SIGSTOP: connections stay, answers stop."""
        self._demand(self.state() == "running", "does not run")
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        """SIGCONT after a freeze."""
        self._demand(self.state() == "frozen", "is not stopped")
        self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def crash(self):
        """The exit code of a broker that ended though nobody asked, else None."""
        ended = self.process is not None and self.process.poll() is not None
        return self.process.returncode if ended and not self.ended_by_us else None

    def _demand(self, holds, otherwise):
        if not holds:
            raise ClusterError(f"broker {self.node} {otherwise}")


def _libc():
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


LIBC = _libc() if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


def _die_with_parent():
    # No broker outlives even a kill -9 of with-kafka (on Linux; elsewhere it would).
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Cluster:
    """The brokers of one run, in a folder of their own."""

    def __init__(self, folder, count, *, secure=False, port_base=None, heap="512m", extra=None):
        self.folder, self.logs, self.secure = folder, folder / "logs", secure
        self.libs = find_jars()
        self.ports = choose_ports(count, secure, port_base)
        self.user, self.password = "netsieve", secrets.token_urlsafe(18)
        self.archive, self.new_archive = class_archive(self.libs), None
        if self.archive.is_file():
            sharing = (f"-XX:SharedArchiveFile={self.archive}", "-Xlog:cds=off")
        else:
            self.new_archive = folder / "kafka.jsa"
            sharing = (f"-XX:ArchiveClassesAtExit={self.new_archive}",)
        self.command = java(self.libs, "kafka.Kafka", options=(f"-Xmx{heap}", *sharing))
        self.logs.mkdir(parents=True)
        if secure:
            make_certificates(folder / "keys")
        self.brokers = []
        for node in range(1, count + 1):
            path = folder / f"broker-{node}.properties"
            login = (self.user, self.password) if secure else None
            values = settings(node, count, self.ports, folder, login, extra or {})
            path.write_text("".join(f"{k}={v}\n" for k, v in values.items()), encoding="utf-8")
            address = f"{HOST}:{self.ports['PLAINTEXT', node]}"
            self.brokers.append(Broker(node, address, path, self.logs))

    def bootstrap(self, listener="PLAINTEXT"):
        """Every broker's address on a listener, as `bootstrap.servers` takes it."""
        return ",".join(f"{HOST}:{self.ports[listener, b.node]}" for b in self.brokers)

    def start(self):
        """Formats the brokers' folders and starts them."""
        self._format()
        for broker in self.brokers:
            broker.start(self.command)

    def _format(self):
        options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m")
        tool = java(self.libs, "kafka.tools.StorageTool", level="WARN", options=options)
        first = self.brokers[0]
        user = []
        if self.secure:
            for mechanism in SCRAM:
                user += ["-S", f"{mechanism}=[name={self.user},password={self.password}]"]
        cluster_id = _uuid()
        _run([*tool, "format", "-t", cluster_id, "-c", str(first.properties), *user],
             "format the first broker's folder")
        # The other folders differ in two lines; a JVM for each would cost more than a broker's
        # own start.
        source = self.folder / f"data-{first.node}"
        for broker in self.brokers[1:]:
            target = self.folder / f"data-{broker.node}"
            shutil.copytree(source, target)
            meta = target / "meta.properties"
            lines = [
                f"node.id={broker.node}" if line.startswith("node.id=")
                else f"directory.id={_uuid()}" if line.startswith("directory.id=")
                else line
                for line in meta.read_text(encoding="ascii").splitlines()
            ]
            meta.write_text("\n".join(lines) + "\n", encoding="ascii")

    def keep_archive(self):
        """Has the first broker end cleanly, if its classes are not archived yet, and keeps them."""
        first = self.brokers[0]
        if self.new_archive is None or first.state() != "running":
            return
        say("keeping Kafka's classes, once, for quicker starts")
        first.terminate()
        try:
            first.process.wait(CLEAN_END_SECONDS)
            self.new_archive.chmod(0o644)
            # In one step, as the jars were.
            beside = self.archive.with_name(f"{self.folder.name}.jsa")
            shutil.move(self.new_archive, beside)
            beside.rename(self.archive)
        except (OSError, subprocess.TimeoutExpired):
            pass  # the next run has the same chance

    def end(self):
        """Ends every broker at once: nothing of theirs is kept."""
        for broker in self.brokers:
            if broker.state() != "down":
                broker.kill()


def _uuid():
    # Kafka's: 16 bytes in URL-safe base64 without padding, not beginning with a dash.
    while (text := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return text


def say(line):
    """A line about the cluster, apart from the command's own output."""
    print(f"with-kafka: {line}", file=sys.stderr, flush=True)
