"""What tests/registry/run proves, by Confluent's client."""

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "kafka" / "cluster"))
from brokers import choose_ports
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_tools import protoc
from processes import Netsieve, Registry

BOOTSTRAP = os.environ["NETSIEVE_KAFKA_BOOTSTRAP"]
BINARY = os.environ["NETSIEVE_BINARY"]
SOURCE, PROTOBUF, JSON, ECS, DEAD = "raw", "events.protobuf", "events.json", "events.ecs", "dead"
# A source of nothing, for those that only start.
NOTHING = "raw.nothing"
ROWS = 40
READ_SECONDS = 60

CONFIG = """
[kafka]
bootstrap = "{bootstrap}"
[source]
topic = "{source}"
group = "{source}"
[dead_letters]
topic = "dead"
[schema_registry]
url = "{registry}"
register = {register}
timeout = "2s"
[[outputs]]
topic = "{first}"
framing = "confluent"
[[outputs]]
topic = "events.json"
format = "json"
framing = "confluent"
subject = "record"
[[outputs]]
topic = "events.ecs"
format = "ecs"
framing = "confluent"
subject = "topic_record"
filter.kind = "listener"
"""

# The contract's message, for the client's JSON serializer.
CONTRACT_JSON = """{
  "$schema": "http://json-schema.org/draft-07/schema#", "title": "NetworkConnectionMessage",
  "type": "object", "required": ["metadata", "data"],
  "properties": {"metadata": {"type": "object"}, "data": {"type": "array"}}
}"""


def check(holds, text):
    if not holds:
        raise SystemExit(f"registry: {text}")


def config(registry, source=SOURCE, register="true", first=PROTOBUF):
    return CONFIG.format(
        bootstrap=BOOTSTRAP, source=source, registry=registry, register=register, first=first
    )


def generated(folder, name, text):
    """The module of a schema's classes."""
    (folder / f"{name}.proto").write_text(text)
    include = Path(protoc.__file__).parent / "_proto"
    arguments = ["", f"-I{folder}", f"-I{include}", f"--python_out={folder}", f"{name}.proto"]
    check(protoc.main(arguments) == 0, f"protoc does not take {name}.proto")
    sys.path.insert(0, str(folder))
    return importlib.import_module(f"{name}_pb2")


def rows():
    """Half listeners, half connections."""
    for index in range(ROWS):
        row = {"local_address": f"10.0.0.1:{1000 + index}", "protocol": "tcp", "process_id": 7}
        if index % 2:
            yield row | {"state": "LISTEN"}
        else:
            yield row | {"remote_address": "198.51.100.7:443", "state": "ESTABLISHED"}


def as_json(agent):
    metadata = {"agent_id": agent, "agent_type": "test", "project": "p", "source": "host",
                "data_type": "network_connection", "automated": True,
                "timestamp": "2026-01-02T03:04:05Z", "expiration": "2027-01-02T03:04:05Z"}
    return {"metadata": metadata, "data": list(rows())}


def as_protobuf(contract, agent):
    message = contract.NetworkConnectionIngestionMessage()
    times = {"timestamp": Timestamp(seconds=1_767_323_045),
             "expiration": Timestamp(seconds=1_798_859_045)}
    metadata = as_json(agent)["metadata"] | times
    message.metadata.CopyFrom(contract.Metadata(**metadata))
    for row in rows():
        message.data.add(**row)
    return message


def produce(values):
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    failures = []
    for value in values:
        check(value[0] == 0, "the client has not framed the input")
        producer.produce(SOURCE, value, on_delivery=lambda error, _: error and failures.append(error))
    check(producer.flush(30) == 0 and not failures, f"input was not produced {failures}")


def read(topic, count, deserialize):
    """So many events of a topic, and no more than these; the first alone without a number."""
    consumer = Consumer({
        "bootstrap.servers": BOOTSTRAP, "group.id": str(uuid.uuid4()),
        "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "isolation.level": "read_committed", "enable.partition.eof": False,
    })
    consumer.subscribe([topic])
    context = SerializationContext(topic, MessageField.VALUE)
    events, end = [], time.monotonic() + READ_SECONDS
    with contextlib.closing(consumer):
        while len(events) < (count or 1) and time.monotonic() < end:
            message = consumer.poll(1)
            if message is not None:
                check(message.error() is None, message.error())
                events.append(deserialize(message.value(), context))
        extra = consumer.poll(1) if count else None
    check(len(events) == (count or 1) and extra is None, f"{topic} has {len(events)} events, not {count}")
    return events


def event_class(client, folder):
    """The event's class, made from the schema that the registry has under the id of a frame.

    The client itself would ask for it in a binary form (`format=serialized`), which only Confluent's
    own registry gives.
    """
    frame = read(PROTOBUF, None, lambda value, _: value)[0][:6]
    check(frame[0] == 0 and frame[5] == 0, f"the frame is {frame}")
    schema = client.get_schema(int.from_bytes(frame[1:5], "big"))
    check(schema.schema_type == "PROTOBUF", schema.schema_type)
    return generated(folder, "event", schema.schema_str).Event


def read_all(by_json, event_class, agents):
    """Reads what came of so many agents' messages, in every format, and compares it."""
    count = ROWS * len(agents)
    by_protobuf = ProtobufDeserializer(event_class, {"use.deprecated.format": False})
    protobuf = {event.event_id: event for event in read(PROTOBUF, count, by_protobuf)}
    native = {event["event_id"]: event for event in read(JSON, count, by_json)}
    check(len(protobuf) == count and protobuf.keys() == native.keys(), "the formats differ in ids")
    for event_id, event in native.items():
        twin = protobuf[event_id]
        same = (event["local"]["port"], event["agent_id"], event["connection_key"]) == (
            twin.local.port, twin.agent_id, twin.connection_key)
        check(same, f"event {event_id} differs between the formats")
    check({event["agent_id"] for event in native.values()} == set(agents), "an agent is missing")
    ecs = read(ECS, count // 2, by_json)
    listeners = {key for key, event in native.items() if event["kind"] == "listener"}
    check({event["event"]["id"] for event in ecs} == listeners, "ECS has not the listeners")
    return count


def look_ups(registry, ports, folder):
    """One that may only look up finds what there is, and says what is missing."""
    with Netsieve("second", config(registry.base, NOTHING, "false"), next(ports), folder) as second:
        second.wait()
    topic = config(registry.base, NOTHING, "false", first="events.unknown")
    with Netsieve("third", topic, next(ports), folder) as third:
        code = third.process.wait(30)
        line = third.log.read_text().strip().splitlines()[-1]
        check(code == 1 and "set schema_registry.register" in line, f"exit {code}: {line}")
        print(f"  look-up alone: {line}")


def main():
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    ports = (port for _ in range(9) for port in choose_ports(1, False, None).values())
    contract = subprocess.run([BINARY, "schema", "--contract"], check=True, capture_output=True)
    contract = generated(folder, "contract", contract.stdout.decode())
    topics = [SOURCE, PROTOBUF, JSON, ECS, DEAD, NOTHING, "events.unknown"]
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    made = admin.create_topics([NewTopic(topic, 2) for topic in topics])
    for future in made.values():
        future.result(30)

    registry_port = next(ports)
    base = f"http://127.0.0.1:{registry_port}/apis/ccompat/v7"
    first = stack.enter_context(Netsieve("first", config(base), next(ports), folder))
    print("  before the registry:", first.not_ready_because("schema registry").strip())
    registry = stack.enter_context(Registry(registry_port, folder))
    registry.wait()
    first.wait()

    client = SchemaRegistryClient({"url": base})
    print("  subjects:", ", ".join(sorted(client.get_subjects())))
    context = SerializationContext(SOURCE, MessageField.VALUE)
    to_json = JSONSerializer(CONTRACT_JSON, client, conf={"subject.name.strategy": named("json")})
    to_protobuf = ProtobufSerializer(
        contract.NetworkConnectionIngestionMessage, client,
        {"use.deprecated.format": False, "subject.name.strategy": named("protobuf")})
    values = [
        to_json(as_json("json"), context),
        to_protobuf(as_protobuf(contract, "protobuf"), context),
    ]
    produce(values)
    event = event_class(client, folder)
    # The strategy by default would ask the registry for each topic.
    by_json = JSONDeserializer(
        None, schema_registry_client=client, conf={"subject.name.strategy": named("events")})
    count = read_all(by_json, event, ["json", "protobuf"])
    print(f"  {count} events read by the client, in each format")
    look_ups(registry, ports, folder)

    later = to_protobuf(as_protobuf(contract, "later"), context)
    registry.end()
    produce([later])
    # The deserializer has the schemas from before.
    count = read_all(by_json, event, ["json", "protobuf", "later"])
    print(f"  without the registry: {count} events")
    worker = first.status()["workers"][0]
    check(worker["rejected"] == 0, "something was rejected")
    check(first.end() == 0, "netsieve did not end well")


def named(name):
    """The strategy of a fixed subject: of the one input topic, each serializer needs its own."""
    return lambda context, record: f"client-{name}"


if __name__ == "__main__":
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        main()
    print(f"registry: all of it holds, {time.monotonic() - began:.0f} s")
