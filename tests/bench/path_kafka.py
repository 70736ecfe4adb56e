"""Kafka: the driver next to a bare producer with the same messages and settings, over the same broker."""
import os
import shutil
import tempfile
import uuid

from tests.support import kafka_broker
from tests.support.kafka import MockKafka

ROWS = ("kafka", "kafka-latency")
LEAST, EVENTS = 0.85, 200_000
PARTITIONS = 6
# What the driver sets, for the bare program.
SETTINGS = {"acks": "all", "enable.idempotence": "true", "message.timeout.ms": "0", "linger.ms": "1",
            "socket.nagle.disable": "true", "message.max.bytes": "1048000", "compression.codec": "lz4"}


class RealBroker:
    what = "Apache Kafka"

    def __init__(self, jars):
        self._folder = tempfile.mkdtemp(prefix="eds-bench-kafka-")
        self._server = kafka_broker.Server(self._folder, jars, options=("-Xmx512m",), partitions=PARTITIONS).start()
        self.addresses = f"127.0.0.1:{self._server.ports['PLAINTEXT']}"
        from confluent_kafka.admin import AdminClient
        self._admin = AdminClient({"bootstrap.servers": self.addresses})

    def new_topic(self):
        from confluent_kafka.admin import NewTopic
        name = "bench-" + uuid.uuid4().hex[:8]
        for made in self._admin.create_topics([NewTopic(name, PARTITIONS, 1)]).values():
            made.result(30)
        return name

    def drop(self, topic):
        for gone in self._admin.delete_topics([topic]).values():
            gone.result(30)

    def close(self):
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class MockBroker(MockKafka):
    what = "librdkafka's mock"

    def new_topic(self):
        name = "bench-" + uuid.uuid4().hex[:8]
        self.tell("topic", name, PARTITIONS)
        return name

    def drop(self, topic):
        """It keeps the last few megabytes only."""


def in_topic(broker, run):
    topic = broker.new_topic()
    try:
        return run(topic)
    finally:
        broker.drop(topic)


def rates(bench, broker):
    bed = bench.bed
    bed.fill(bench_events())
    memory = []

    def bare(_):
        return in_topic(broker, lambda topic: bed.bare(
            "bare_kafka", EVENTS, topic, PARTITIONS, f"bootstrap.servers={broker.addresses}",
            *(f"{name}={value}" for name, value in SETTINGS.items())))

    def eds(_):
        run = in_topic(broker, lambda topic: bed.eds_run(
            {"kafka": f"kafka://{broker.addresses}/{topic}?compression={SETTINGS['compression.codec']}"}, EVENTS))
        memory.append(run.memory["worker"]["VmHWM"])
        return run

    bench.in_turns("kafka", LEAST, bare, eds)
    bench.memory_row("kafka worker", memory, 64, f"peak, the backlog being {EVENTS:,} events; {broker.what}")


def bench_events():
    from tests.bench.bench import EVENTS as filled     # the stream that the other rows use too
    return filled


def latency(bench, broker):
    took, _ = in_topic(broker, lambda topic: bench.latency_of_eds({"kafka": f"kafka://{broker.addresses}/{topic}"}))
    bench.latency_rows("kafka", took, note=f"publish to acknowledgement, which follows the commit; {broker.what}",
                       most=((50, 10), (99, 25)))


def measure(bench, wanted):
    jars, reason = kafka_broker.classpath()
    if jars is None:
        print("bench: no real Kafka broker, librdkafka's mock instead:", reason, flush=True)
    broker = RealBroker(jars) if jars else MockBroker()
    try:
        if "kafka" in wanted:
            rates(bench, broker)
        if "kafka-latency" in wanted:
            latency(bench, broker)
    finally:
        broker.close()
