"""What stands in a topic, what should stand there, and a Kafka that fails on command.

The expectations are worked out from the published bytes by rules of their own: nothing here
shares code with the programs under test.
"""
import os
import subprocess
from dataclasses import dataclass

from tests.support import gojson
from tests.support.lab import build_dir

MASK = (1 << 64) - 1
PRIMES = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)


def xxh64(data):
    """XXH64, seed 0."""
    p1, p2, p3, p4, p5 = PRIMES

    def rotl(v, by):
        return (v << by | v >> (64 - by)) & MASK

    def step(acc, word):
        return rotl((acc + word * p2) & MASK, 31) * p1 & MASK

    at = 0
    if len(data) >= 32:
        lanes = [(p1 + p2) & MASK, p2, 0, -p1 & MASK]
        while len(data) - at >= 32:
            lanes = [step(v, int.from_bytes(data[at + 8 * i:at + 8 * i + 8], "little")) for i, v in enumerate(lanes)]
            at += 32
        h = sum(rotl(v, by) for v, by in zip(lanes, (1, 7, 12, 18))) & MASK
        for v in lanes:
            h = ((h ^ step(0, v)) * p1 + p4) & MASK
    else:
        h = p5
    h = (h + len(data)) & MASK
    while len(data) - at >= 8:
        h = (rotl(h ^ step(0, int.from_bytes(data[at:at + 8], "little")), 27) * p1 + p4) & MASK
        at += 8
    if len(data) - at >= 4:
        h = (rotl(h ^ int.from_bytes(data[at:at + 4], "little") * p1 & MASK, 23) * p2 + p3) & MASK
        at += 4
    for byte in data[at:]:
        h = rotl(h ^ byte * p5 & MASK, 11) * p1 & MASK
    h = (h ^ h >> 33) * p2 & MASK
    h = (h ^ h >> 29) * p3 & MASK
    return h ^ h >> 32


def kafka_partition(partition_key, count):
    h = 2166136261
    for byte in b"%016x" % xxh64(partition_key.encode()):
        h = (h ^ byte) * 16777619 & 0xffffffff
    return h % count


def eventhub_partition(partition_key, count):
    """Bob Jenkins' lookup3 as the service uses it."""
    data, m32 = partition_key.encode(), 0xffffffff

    def rot(v, by):
        return (v << by | v >> (32 - by)) & m32

    a = b = c = (0xdeadbeef + len(data)) & m32
    while len(data) > 12:
        a, b, c = ((x + int.from_bytes(data[i:i + 4], "little")) & m32 for x, i in ((a, 0), (b, 4), (c, 8)))
        for by1, by2, by3 in ((4, 6, 8), (16, 19, 4)):
            a = (a - c & m32) ^ rot(c, by1)
            c = c + b & m32
            b = (b - a & m32) ^ rot(a, by2)
            a = a + c & m32
            c = (c - b & m32) ^ rot(b, by3)
            b = b + a & m32
        data = data[12:]
    if data:
        data = data.ljust(12, b"\0")
        a, b, c = ((x + int.from_bytes(data[i:i + 4], "little")) & m32 for x, i in ((a, 0), (b, 4), (c, 8)))
        c = (c ^ b) - rot(b, 14) & m32
        a = (a ^ c) - rot(c, 11) & m32
        b = (b ^ a) - rot(a, 25) & m32
        c = (c ^ b) - rot(b, 16) & m32
        a = (a ^ c) - rot(c, 4) & m32
        b = (b ^ a) - rot(a, 14) & m32
        c = (c ^ b) - rot(b, 24) & m32
    h = (b ^ c) & 0xffff
    h -= (h & 0x8000) << 1
    return abs(h) % count


@dataclass(frozen=True)
class Message:
    partition: int
    key: bytes
    value: bytes
    headers: tuple      # of (name, bytes)


@dataclass(frozen=True)
class Expected:
    """What an event becomes; `lane` is what order is kept within."""
    id: str
    lane: str
    message: Message


def owner(part, ids):
    """company.location, NONE for what is missing, empty or no text."""
    return ".".join(part[i] if type(part.get(i)) is str and part[i] else "NONE" for i in ids)


def kafka_message(event, partitions):
    e = gojson.envelope(event.payload)
    who, key = owner(e, ("companyId", "locationId")), gojson.primary_key(e)
    lane = f"{e['table']}.{who}.{key}"
    return Expected(e["id"], lane, Message(
        kafka_partition(lane, partitions), f"dbchange.{e['table']}.{e['operation']}.{who}.{e['id']}".encode(),
        gojson.stored(event.payload), (("eds-partitionkey", lane.encode()),)))


def eventhub_identity(event):
    """(envelope, partition key, objectId)."""
    e = gojson.envelope(event.payload)
    row = gojson.parse(e["after"] if "after" in e else e["before"]) or {}
    who = f"{owner(row, ('companyId', 'locationId'))}.{gojson.primary_key(e)}"
    return e, f"{e['table']}.{who}", f"dbchange.{e['table']}.{e['operation']}.{who}"


def eventhub_message(event, partitions):
    e, lane, object_id = eventhub_identity(event)
    return Expected(e["id"], lane, Message(
        eventhub_partition(lane, partitions), lane.encode(), gojson.stored(event.payload),
        (("message-id", e["id"].encode()), ("content-type", b"application/json"), ("objectId", object_id.encode()),
         ("RawHeaders", b"true"))))


def read_topic(bootstrap, topic, **settings):
    """(messages in the order of each partition, number of partitions), by a client of its own."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "witness", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "enable.partition.eof": True, "fetch.wait.max.ms": 20,
                         **settings})
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        found, ended = [], set()
        while len(ended) < len(partitions):
            m = consumer.poll(30)
            if m is None:
                raise AssertionError(f"the topic {topic} could not be read to its end")
            if m.error():
                if m.error().name() != "_PARTITION_EOF":
                    raise KafkaException(m.error())
                ended.add(m.partition())
            else:
                found.append(Message(m.partition(), m.key(), m.value(), tuple(m.headers() or ())))
        return found, len(partitions)
    finally:
        consumer.close()


def differences(found, expected, again=False):
    """What is wrong with the messages of a topic.  `again`: an event may stand there more than once."""
    wrong, by_value = [], {e.message.value: e for e in expected}
    lanes = {}
    for m in found:
        want = by_value.get(m.value)
        if want is None:
            wrong.append(f"a message that no event explains: {m.key!r}")
        elif want.message != m:
            wrong.append(f"{want.id}: {m!r} instead of {want.message!r}"[:400])
        else:
            lanes.setdefault(want.lane, []).append(want.id)
    wanted = {}
    for e in expected:
        wanted.setdefault(e.lane, []).append(e.id)
    for lane, ids in wanted.items():
        got = lanes.get(lane, [])
        if list(dict.fromkeys(got)) != ids or (got and got[-1] != ids[-1]) or (len(got) != len(ids) and not again):
            wrong.append(f"{lane}: {got} instead of {ids}")
    return wrong[:10]


class MockKafka:
    """librdkafka's mock cluster, a process of its own; tell() says what it is to do (tests/peers/mock_kafka.c)."""

    def __init__(self, brokers=3):
        self._child = subprocess.Popen([os.path.join(build_dir(), "tests/peers/mock_kafka"), str(brokers)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addresses = self._child.stdout.readline().split()[1]

    def tell(self, *words):
        self._child.stdin.write(" ".join(map(str, words)) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline().strip()
        assert answer == "ok", f"{words}: {answer}"

    def close(self):
        self._child.stdin.close()       # its end is its end
        self._child.wait()
        self._child.stdout.close()
