"""Brokers as files and processes: their ports, keys and settings, and their life by signals."""

import hashlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import from_docker
import from_java
from common import HERE, HOST, ClusterError, cache_folder, run, say

CLEAN_END_SECONDS = 20
KILL_SECONDS = 20
BROKERS_MAX = 3
LISTENERS = ("PLAINTEXT", "CONTROLLER", "SASL_PLAINTEXT", "SASL_SSL")
# The short life of a test's keys.
CERTIFICATE_DAYS = "7"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
PLACES = {"java": from_java.Java, "docker": from_docker.Docker}


def find_place(wish):
    """Where the brokers run: of `auto`, Java comes first.

    There a broker is a process of this machine with no proxy before its port, its start is the
    quicker one, and nothing large is pulled.
    """
    if wish != "auto":
        return PLACES[wish]()
    if from_java.is_here():
        return from_java.Java()
    if from_docker.is_here():
        return from_docker.Docker()
    raise ClusterError(
        "no way to run Kafka: install Java (17 or later) and Maven, or a docker that answers"
    )


def program(place, *arguments, level="INFO", options=(), name=None):
    """The command line of a Java program of Kafka's, which logs to standard error."""
    log = [f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", f"-Dkafka.log.level={level}"]
    # log4j2's management beans are nobody's business here, and slow a start.
    log.append("-Dlog4j2.disableJmx=true")
    return [*place.java(name), *options, *log, "-cp", f"{place.libs}/*", *arguments]


def class_archive(identity):
    """Kafka's classes as the JVM maps them, which halves the work of a broker's start.

    The JVM writes it when a broker ends cleanly; it goes with the jars and the Java of that
    identity only.
    """
    return cache_folder() / f"kafka-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.jsa"


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
        run(["openssl", *map(str, step)], "make a certificate", cwd=folder)
    parts = [(folder / name).read_text(encoding="ascii") for name in ("broker.key", "broker.crt")]
    (folder / "broker.pem").write_text("".join(parts), encoding="ascii")


def settings(node, brokers, ports, folder, login, extra, bind):
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
    # Controllers are for each other alone.
    bound = [f"{name}://{HOST if name == 'CONTROLLER' else bind}:{ports[name, node]}"
             for name in listeners]
    told = [f"{name}://{HOST}:{ports[name, node]}" for name in listeners if name != "CONTROLLER"]
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
        "listeners": ",".join(bound),
        "advertised.listeners": ",".join(told),
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


class Broker:
    """One broker: its address, its files, and its process while it has one.

    In a container the process is the client of docker's that waits for it.
    """

    def __init__(self, node, address, properties, place, options, logs):
        self.node, self.address, self.name = node, address, f"broker-{node}"
        self.properties, self.place, self.options = properties, place, options
        self.log = logs / f"{self.name}.log"
        self.process = None
        self.frozen = False
        self.ended_by_us = False

    def start(self):
        """Starts it; it answers some seconds later."""
        self._demand(self.state() == "down", "runs already")
        self.frozen = self.ended_by_us = False
        command = program(self.place, "kafka.Kafka", str(self.properties), options=self.options,
                          name=self.name)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # Ctrl-C in the terminal is for the command: the brokers outlive it.
                start_new_session=True, preexec_fn=self.place.before_exec,
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
        self._send(signal.SIGKILL)
        self.process.wait(KILL_SECONDS)

    def terminate(self):
        """Asks for a clean end, which takes a while: it hands its partitions over first."""
        self._demand(self.state() == "running", "does not run")
        self.ended_by_us = True
        self._send(signal.SIGTERM)

    def freeze(self):
        """SIGSTOP: connections stay, answers stop."""
        self._demand(self.state() == "running", "does not run")
        self._send(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        """SIGCONT after a freeze."""
        self._demand(self.state() == "frozen", "is not stopped")
        self._send(signal.SIGCONT)
        self.frozen = False

    def crash(self):
        """The exit code of a broker that ended though nobody asked, else None."""
        ended = self.process is not None and self.process.poll() is not None
        return self.process.returncode if ended and not self.ended_by_us else None

    def measure(self):
        """The pid and resident KiB of a broker that is not down."""
        return self.place.measure(self.name, self.process)

    def _send(self, number):
        self.place.send(self.name, self.process, number)

    def _demand(self, holds, otherwise):
        if not holds:
            raise ClusterError(f"broker {self.node} {otherwise}")


class Cluster:
    """The brokers of one run, in a folder of their own."""

    def __init__(self, place, folder, count, *, secure=False, port_base=None, heap="512m",
                 extra=None):
        self.place, self.folder, self.logs, self.secure = place, folder, folder / "logs", secure
        self.ports = choose_ports(count, secure, port_base)
        self.user, self.password = "netsieve", secrets.token_urlsafe(18)
        self.archive, self.new_archive = class_archive(place.identity), None
        options = [f"-Xmx{heap}"]
        if self.archive.is_file():
            options += [f"-XX:SharedArchiveFile={self.archive}", "-Xlog:cds=off"]
        else:
            self.new_archive = folder / "kafka.jsa"
            options += [f"-XX:ArchiveClassesAtExit={self.new_archive}"]
        self.logs.mkdir(parents=True)
        if secure:
            make_certificates(folder / "keys")
        self.brokers = []
        for node in range(1, count + 1):
            path = folder / f"broker-{node}.properties"
            login = (self.user, self.password) if secure else None
            values = settings(node, count, self.ports, folder, login, extra or {}, place.bind)
            path.write_text("".join(f"{k}={v}\n" for k, v in values.items()), encoding="utf-8")
            address = f"{HOST}:{self.ports['PLAINTEXT', node]}"
            self.brokers.append(Broker(node, address, path, place, options, self.logs))

    def bootstrap(self, listener="PLAINTEXT"):
        """Every broker's address on a listener, as `bootstrap.servers` takes it."""
        return ",".join(f"{HOST}:{self.ports[listener, b.node]}" for b in self.brokers)

    def start(self):
        """Formats the brokers' folders and starts them."""
        clients = [port for (listener, _), port in self.ports.items() if listener != "CONTROLLER"]
        self.place.open(self.folder, clients)
        self._format()
        for broker in self.brokers:
            broker.start()

    def _format(self):
        options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m")
        tool = program(self.place, "kafka.tools.StorageTool", level="WARN", options=options)
        first = self.brokers[0]
        user = []
        if self.secure:
            for mechanism in SCRAM:
                user += ["-S", f"{mechanism}=[name={self.user},password={self.password}]"]
        cluster_id = _uuid()
        run([*tool, "format", "-t", cluster_id, "-c", str(first.properties), *user],
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
        self.place.close([b.process for b in self.brokers if b.state() != "down"])


def _uuid():
    # Kafka's: 16 bytes in URL-safe base64 without padding, not beginning with a dash.
    while (text := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return text
