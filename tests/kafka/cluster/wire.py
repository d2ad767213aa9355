"""The few Kafka requests that watching a cluster takes, as bytes on a socket.

Asking a broker costs a millisecond this way, and a second and a half through Kafka's own tools;
a test that waits for a leader asks many times.
"""

import socket
import struct

REQUEST_SECONDS = 2.0
RESPONSE_BYTES_MAX = 16 << 20

METADATA = 3
FIND_COORDINATOR = 10
COORDINATOR_KINDS = {"group": 0, "transaction": 1}


class NoAnswer(Exception):
    """The broker is down, frozen, or not yet able to say."""


def metadata(address):
    """What the broker at `address` knows: its live peers' ids, and each partition's replicas."""
    reply = _ask(address, METADATA, struct.pack(">i", -1))
    brokers = []
    for _ in range(reply.int32()):
        brokers.append(reply.int32())
        reply.text(), reply.int32(), reply.text()  # host, port, rack
    reply.int32()  # controller: under KRaft any broker's id, no use
    partitions = {}
    for _ in range(reply.int32()):
        reply.int16()
        topic = reply.text()
        reply.bytes(1)  # internal
        for _ in range(reply.int32()):
            reply.int16()
            index, leader = reply.int32(), reply.int32()
            replicas, in_sync = reply.int32s(), reply.int32s()
            partitions[topic, index] = {"leader": leader, "replicas": replicas, "isr": in_sync}
    return {"brokers": sorted(brokers), "partitions": partitions}


def coordinator(address, kind, key):
    """The id of the broker that coordinates a group or a transactional id."""
    body = _text(key) + struct.pack(">b", COORDINATOR_KINDS[kind])
    reply = _ask(address, FIND_COORDINATOR, body)
    reply.int32()  # throttle time
    error = reply.int16()
    reply.text()
    if error:
        raise NoAnswer(f"no coordinator for {kind} {key} yet (error code {error})")
    return reply.int32()


def _ask(address, api, body):
    host, port = address.rsplit(":", 1)
    # Version 1 of both requests, and of the header: correlation id, then client id.
    request = struct.pack(">hhi", api, 1, 7) + _text("with-kafka") + body
    try:
        with socket.create_connection((host, int(port)), timeout=REQUEST_SECONDS) as link:
            link.sendall(struct.pack(">i", len(request)) + request)
            length = struct.unpack(">i", _read(link, 4))[0]
            if not 4 <= length <= RESPONSE_BYTES_MAX:
                raise NoAnswer(f"{address} does not speak Kafka's protocol")
            return _Reply(_read(link, length)[4:])
    except OSError as error:
        raise NoAnswer(f"{address}: {error}") from error


def _read(link, length):
    data = b""
    while len(data) < length:
        chunk = link.recv(length - len(data))
        if not chunk:
            raise NoAnswer("the broker closed the connection")
        data += chunk
    return data


def _text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data


class _Reply:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, length):
        self.at += length
        return self.data[self.at - length : self.at]

    def int16(self):
        return struct.unpack(">h", self.bytes(2))[0]

    def int32(self):
        return struct.unpack(">i", self.bytes(4))[0]

    def int32s(self):
        return [self.int32() for _ in range(self.int32())]

    def text(self):
        length = self.int16()
        return None if length < 0 else self.bytes(length).decode()
