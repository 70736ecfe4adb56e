"""Kafka that fails: librdkafka's mock cluster, told what to do.  Whatever happens, every event is there in the end."""
import json

import pytest

from helpers import Load, load_while_worker_dies, quick
from tests.support import gojson
from tests.support.kafka import MockKafka, differences, kafka_message, kafka_partition, read_topic

# Numbers of Kafka's protocol.
PRODUCE, INIT_PRODUCER = 0, 22
TIMED_OUT, NOT_LEADER, LEADER_NOT_AVAILABLE, TOO_LARGE = 7, 6, 5, 10
NOT_ENOUGH_REPLICAS, NOT_ENOUGH_AFTER_APPEND = 19, 20
UNKNOWN_TOPIC, TOPIC_AUTHORIZATION, INVALID_RECORD, OUT_OF_ORDER, DUPLICATE = 3, 29, 87, 45, 46
TOPIC, PARTITIONS = "changes", 4


@pytest.fixture
def mock():
    peer = MockKafka()
    peer.tell("topic", TOPIC, PARTITIONS)
    yield peer
    peer.close()


@pytest.fixture
def streaming(enrolled, mock):
    """A server that streams to the mock's topic as the destination `k`, which has had its first events."""
    enrolled.start_eds({"k": quick(f"kafka://{mock.addresses}/{TOPIC}", hang_timeout="30s")})
    enrolled.wait_running("k")
    enrolled.sent = list(enrolled.publish(20))
    enrolled.wait_delivered()
    return enrolled


def publish(lab, count):
    lab.sent += lab.publish(count)


def check(lab, mock, again=False):
    found, partitions = read_topic(mock.addresses, TOPIC)
    assert differences(found, [kafka_message(e, partitions) for e in lab.sent], again) == []


def reason(lab):
    return lab.edsctl("why", "k").stdout


def wait_reason(lab, text):
    lab.wait_until(lambda: text in reason(lab), f"edsctl why to speak of: {text}", 40)


def test_every_message_is_the_contracts_byte_for_byte(streaming, mock):
    publish(streaming, 1000)
    streaming.wait_delivered()
    check(streaming, mock)


def test_h01_without_a_leader_it_waits_says_so_and_loses_nothing(streaming, mock):
    for partition in range(PARTITIONS):
        mock.tell("leader", TOPIC, partition, -1)
    publish(streaming, 100)
    wait_reason(streaming, "have no leader")
    assert streaming.destination("k")["behind"] == 100
    for partition in range(PARTITIONS):
        mock.tell("leader", TOPIC, partition, 1)
    streaming.wait_delivered()
    assert "have no leader" not in reason(streaming)
    check(streaming, mock)


def test_h82_brokers_that_are_away_are_waited_for_and_nothing_is_sent_twice(streaming, mock):
    mock.tell("down", 0)
    publish(streaming, 300)
    wait_reason(streaming, "have not confirmed")
    publish(streaming, 300)
    mock.tell("up", 0)
    streaming.wait_delivered()
    check(streaming, mock)


def test_leaders_that_change_under_load_keep_the_order(streaming, mock):
    with Load(streaming) as load:
        for turn in range(8):
            goal = load.count + 100
            for partition in range(PARTITIONS):
                mock.tell("leader", TOPIC, partition, 1 + (turn + partition) % 3)
            streaming.wait_until(lambda: load.count >= goal, "more events")
    streaming.sent += load.events
    streaming.wait_delivered()
    check(streaming, mock)


@pytest.mark.parametrize("errors", [(NOT_LEADER, NOT_LEADER), (NOT_ENOUGH_REPLICAS, LEADER_NOT_AVAILABLE)],
                         ids=lambda errors: "-".join(map(str, errors)))
def test_errors_that_pass_are_waited_out(streaming, mock, errors):
    with Load(streaming) as load:
        for _ in range(5):
            goal = load.count + 100
            mock.tell("error", PRODUCE, *errors)
            streaming.wait_until(lambda: load.count >= goal, "more events")
    streaming.sent += load.events
    streaming.wait_delivered()
    check(streaming, mock)


@pytest.mark.parametrize("error", [TIMED_OUT, NOT_ENOUGH_AFTER_APPEND])
def test_a_request_of_unknown_outcome_is_sent_again(streaming, mock, error):
    """A broker that answers so has the messages or refuses what follows them; the mock has thrown them away and would
    take what follows, by which the client knows them stored.  So nothing follows until they are there."""
    mock.tell("error", PRODUCE, error, error)
    publish(streaming, 1)
    streaming.wait_delivered()
    publish(streaming, 200)
    streaming.wait_delivered()
    check(streaming, mock)


def test_messages_that_the_broker_says_it_has_are_not_sent_again(streaming, mock):
    mock.tell("error", PRODUCE, DUPLICATE)
    streaming.publish(1)        # the mock answers that it has the event, and has not
    streaming.wait_delivered()
    publish(streaming, 200)
    streaming.wait_delivered()
    check(streaming, mock)


def test_an_end_of_idempotence_means_a_new_client_and_the_same_batch(streaming, mock):
    mock.tell("error", PRODUCE, OUT_OF_ORDER)
    publish(streaming, 200)
    streaming.wait_delivered()
    streaming.wait_log("a new client sends the rest of the batch again")
    check(streaming, mock, again=True)


def test_a_right_that_is_taken_away_is_said_and_waited_for(streaming, mock):
    mock.tell("error", PRODUCE, *[TOPIC_AUTHORIZATION] * 4)     # each attempt meets one or more, and waits longer
    publish(streaming, 50)
    streaming.wait_log("give this user the rights Describe and Write")
    streaming.wait_delivered()
    check(streaming, mock, again=True)


@pytest.mark.parametrize("code", [TOO_LARGE, INVALID_RECORD])
def test_h33_a_message_that_the_broker_refuses_is_set_aside_alone(streaming, mock, code):
    """The first request fails as a whole; then each event goes alone, and the first of them fails again."""
    mock.tell("error", PRODUCE, code, code)
    first = streaming.events.insert(streaming.events.tables[0])
    streaming.publish_events([first])
    streaming.wait_until(lambda: streaming.destination("k")["quarantined"] == 1, "the event in quarantine")
    publish(streaming, 100)
    streaming.wait_delivered()
    check(streaming, mock)


def test_a_worker_that_is_killed_under_load_loses_nothing(streaming, mock):
    streaming.sent += load_while_worker_dies(streaming, "k")
    check(streaming, mock, again=True)


def test_a_full_queue_is_waited_for(enrolled, mock):
    enrolled.start_eds({"k": f"kafka://{mock.addresses}/{TOPIC}?rd.queue.buffering.max.messages=10"})
    enrolled.wait_running("k")
    enrolled.sent = list(enrolled.publish(500))
    enrolled.wait_delivered()
    check(enrolled, mock)


def test_h33_an_event_larger_than_message_max_is_set_aside_alone(enrolled, mock):
    enrolled.start_eds({"k": f"kafka://{mock.addresses}/{TOPIC}?message-max=20000"})
    enrolled.wait_running("k")
    enrolled.sent = list(enrolled.publish(50))
    large = enrolled.events.insert("order", note="x" * 30000)
    enrolled.publish_events([large])
    publish(enrolled, 50)
    enrolled.wait_delivered()
    listed = enrolled.edsctl("quarantine", "list").stdout
    assert "message-max" in listed and large.id in enrolled.edsctl("quarantine", "export", "k").stdout
    check(enrolled, mock)


def test_h37_a_broker_that_nobody_reaches_is_no_success(enrolled, mock):
    mock.tell("down", 0)
    enrolled.start_eds({"k": quick(f"kafka://{mock.addresses}/{TOPIC}", hang_timeout="30s")}, wait="answer")
    wait_reason(enrolled, "no broker answers")
    assert "in state" not in reason(enrolled)
    assert enrolled.destination("k")["state"] != "running"
    mock.tell("up", 0)
    enrolled.wait_running("k", timeout=40)
    enrolled.sent = list(enrolled.publish(50))
    enrolled.wait_delivered()
    check(enrolled, mock)


def test_a_stop_does_not_cost_what_is_under_way(streaming, mock):
    """A batch that is on its way when the server is stopped is finished, so it need not come again."""
    mock.tell("rtt", 0, 300)
    publish(streaming, 50)
    streaming.wait_until(lambda: streaming.destination("k")["in_flight"] > 0, "events under way")
    assert streaming.stop_eds() == 0
    streaming.start_eds()
    streaming.wait_delivered()
    check(streaming, mock)


def test_a_stop_while_the_brokers_are_away_does_not_wait_for_them(streaming, mock):
    mock.tell("down", 0)
    publish(streaming, 50)
    wait_reason(streaming, "have not confirmed")
    assert streaming.stop_eds() == 0
    mock.tell("up", 0)
    streaming.start_eds()
    streaming.wait_delivered()
    check(streaming, mock)


def test_h24_imported_rows_have_keys_of_their_own_and_lie_where_streamed_ones_do(make_lab, mock):
    lab = make_lab(tables=["customer", "order"])
    lab.enroll()
    lab.events.batch(200)       # the shop's rows from before
    lab.start_eds({"k": f"kafka://{mock.addresses}/{TOPIC}"})
    lab.wait_running("k")
    assert lab.edsctl("import", "k").returncode == 0
    last = lab.wait_until(lambda: not (d := lab.destination("k")).get("import") and d.get("last_import"), "the import to end")
    rows = {(table, gojson.parse(row)["id"]): row for table, all_rows in lab.events.snapshot()[1].items() for row in all_rows}
    assert (last["state"], last["rows"], last["rejected"]) == ("done", len(rows), 0)
    found, partitions = read_topic(mock.addresses, TOPIC)
    assert len(found) == len(rows) == len({m.key for m in found})
    lanes = {}
    for m in found:
        event = gojson.envelope(m.value)
        row = gojson.parse(rows[event["table"], event["key"][-1]])
        who = f"{row['companyId']}.{row.get('locationId') or 'NONE'}"
        lane = f"{event['table']}.{who}.{row['id']}"
        assert json.loads(m.value)["imported"] is True and gojson.parse(event["after"]) == row
        assert m.key.decode() == f"dbchange.{event['table']}.INSERT.{who}.{event['id']}"
        assert m.headers == (("eds-partitionkey", lane.encode()),) and m.partition == kafka_partition(lane, partitions)
        lanes[event["table"], row["id"]] = (lane, m.partition)
    changed = lab.publish_events([lab.events.update(table, key) for table, key in list(rows)[:20]])
    lab.wait_delivered()
    for event in changed:
        streamed = kafka_message(event, partitions)
        assert lanes[event.table, event.key] == (streamed.lane, streamed.message.partition)
