"""Azure Event Hubs: by HTTPS against a strict stand-in, by Kafka's protocol against a real broker that signs in
like the service."""
import json
from urllib.parse import quote

import pytest

from helpers import load_while_worker_dies, quick
from tests.support import gojson, kafka_broker
from tests.support.eventhub_peer import EventHubPeer
from tests.support.kafka import Expected, Message, differences, eventhub_identity, eventhub_message, read_topic


@pytest.fixture
def peer(lab):
    made = EventHubPeer(lab.dir)
    yield made
    made.close()
    assert made.violations == []
    assert made.key not in lab.whole_log()


@pytest.fixture
def streaming(enrolled, peer):
    """A server that streams to the peer as the destination `hub`."""
    enrolled.start_eds({"hub": quick(peer.url(), hang_timeout="30s")})
    enrolled.wait_running("hub")
    return enrolled


def as_message(partition_key, message_id, object_id, content_type, body):
    """The peer's and the expected events in the form that is compared; there is one partition."""
    return Message(0, partition_key.encode(), body, (("message-id", message_id), ("objectId", object_id),
                                                     ("content-type", content_type)))


def check(peer, events, again=False, content_type=None):
    found = [as_message(s.partition_key, s.message_id, s.object_id, s.content_type, s.body) for s in peer.stored]
    wanted = []
    for event in events:
        e, lane, object_id = eventhub_identity(event)
        wanted.append(Expected(e["id"], lane, as_message(lane, e["id"], object_id, content_type,
                                                         gojson.stored(event.payload))))
    assert differences(found, wanted, again) == []


def reason(lab):
    return lab.edsctl("why", "hub").stdout


def wait_failed(lab, url):
    lab.start_eds({"hub": quick(url, hang_timeout="30s")}, wait="answer")
    lab.wait_state("hub", "failed")
    return reason(lab)


# ---- HTTPS

def test_events_carry_what_the_transport_can_carry_in_order_per_key(streaming, peer):
    events = streaming.publish(600)
    streaming.wait_delivered()
    check(peer, events)
    assert len(peer.tokens) == 1


def test_requests_of_different_keys_are_under_way_together(streaming, peer):
    peer.script.extend(["together"] * peer.together.parties)
    events = streaming.publish_events([streaming.events.insert("order") for _ in range(8)])
    streaming.wait_delivered()
    check(peer, events)
    assert not peer.together.broken


def test_each_event_on_its_own_carries_the_content_type_too(enrolled, peer):
    enrolled.start_eds({"hub": peer.url("&batch=0&connections=8")})
    events = enrolled.publish(200)
    enrolled.wait_delivered()
    check(peer, events, content_type="application/json")
    assert peer.most_under_way <= 8


def test_many_changes_of_one_record_share_requests_in_order(enrolled, peer):
    enrolled.start_eds({"hub": quick(peer.url(), min_latency="300ms")})
    enrolled.wait_running("hub")
    events = [enrolled.events.insert("order", key="one")]
    events += [enrolled.events.update("order", "one", number=str(i)) for i in range(100)]
    enrolled.publish_events(events)
    enrolled.wait_delivered()
    check(peer, events)
    assert len(peer.statuses) < 50


@pytest.mark.parametrize("answers", [[500, 503, 504], [(429, {"Retry-After": "1"})], [408, 403], ["cut", "cut"]],
                         ids=["5xx", "throttled", "4xx", "cut"])
def test_answers_that_pass_are_waited_out_and_nothing_is_sent_twice(streaming, peer, answers):
    first = list(streaming.publish(5))
    streaming.wait_delivered()
    peer.script.extend(answers)
    events = first + list(streaming.publish(100))
    streaming.wait_delivered()
    check(peer, events)


def test_throttling_is_said(streaming, peer):
    peer.script.extend([(503, {"Retry-After": "2"})] * 3)
    events = streaming.publish(20)
    streaming.wait_until(lambda: "throughput units" in reason(streaming), "the reason")
    streaming.wait_delivered()
    check(peer, events)


def test_an_answer_that_is_lost_may_cost_a_second_copy_but_not_the_order(streaming, peer):
    peer.script.extend(["cut-after", "cut-after"])
    events = streaming.publish(200)
    streaming.wait_delivered()
    check(peer, events, again=True)


def test_a_service_that_hangs_holds_up_its_own_keys_only_until_it_is_back(enrolled, peer):
    enrolled.start_eds({"hub": quick(peer.url(), hang_timeout="3s")})
    enrolled.wait_running("hub")
    peer.script.append("hang")
    events = enrolled.publish(100)
    enrolled.wait_log("the driver hung")
    peer.let_go.set()
    enrolled.wait_delivered()
    check(peer, events, again=True)


def test_a_service_that_is_away_is_waited_for(streaming, peer):
    peer.face.down()
    events = streaming.publish(200)
    streaming.wait_until(lambda: "is in trouble" in streaming.whole_log(), "the trouble to be said")
    peer.face.up()
    streaming.wait_delivered()
    check(peer, events)


def test_a_token_that_is_refused_is_made_anew(streaming, peer):
    events = list(streaming.publish(20))
    streaming.wait_delivered()
    peer.script.append(401)
    events += streaming.publish(50)
    streaming.wait_delivered()
    assert "is in trouble" not in streaming.whole_log()
    check(peer, events)


def test_h33_an_event_that_is_too_large_is_set_aside_alone(enrolled, peer):
    peer.largest = 30000
    enrolled.start_eds({"hub": quick(peer.url(), min_latency="200ms")})
    enrolled.wait_running("hub")
    sent = [enrolled.events.insert("order", key="one")]
    sent.append(enrolled.events.update("order", "one", note="x" * 40000))
    sent += [enrolled.events.update("order", "one", note=str(i)) for i in range(30)]
    large = sent[1:3]       # the second one has the long note in its `before`
    events = [e for e in sent if e not in large]
    enrolled.publish_events(sent)
    enrolled.wait_delivered()
    exported = enrolled.edsctl("quarantine", "export", "hub").stdout
    assert [json.loads(line)["id"] for line in exported.splitlines()] == [e.id for e in large]
    check(peer, events)


def test_a_wrong_key_is_said_at_once(enrolled, peer):
    why = wait_failed(enrolled, peer.url(key="d3Jvbmcta2V5LW9mLXRoaXJ0eS10d28tYnl0ZXM="))
    assert "SharedAccessKey" in why and "d3Jvbmc" not in why + enrolled.whole_log()


def test_a_hub_that_is_not_there_is_said_at_once(enrolled, peer):
    assert "EntityPath" in wait_failed(enrolled, peer.url(hub="other"))


def test_a_certificate_that_nobody_vouches_for_is_said_at_once(enrolled, peer):
    assert "certificate" in wait_failed(enrolled, peer.url().replace(f"&ca={peer.ca}", ""))


def test_a_worker_that_is_killed_under_load_loses_nothing(streaming, peer):
    events = load_while_worker_dies(streaming, "hub")
    check(peer, events, again=True)


# ---- the Kafka endpoint

def kafka_url(broker, options="", key=kafka_broker.SHARED_KEY, hub=kafka_broker.HUB):
    where = kafka_broker.NAMESPACE.removeprefix("Endpoint=sb://")
    return (f"eventhub://{where};SharedAccessKeyName=send;SharedAccessKey={key};EntityPath={hub}"
            f"?endpoint={broker.address('EH')}&ca={broker.ca}{options}")


def test_the_kafka_endpoint_gets_the_services_partition_and_plain_headers(enrolled, broker):
    broker.make_topic(kafka_broker.HUB, 5)
    found, _ = read_topic(broker.address(), kafka_broker.HUB)
    enrolled.start_eds({"hub": kafka_url(broker)})
    enrolled.wait_running("hub")
    events = enrolled.publish(1000)
    enrolled.wait_delivered()
    after, partitions = read_topic(broker.address(), kafka_broker.HUB)
    old = set(m.value for m in found)
    assert differences([m for m in after if m.value not in old], [eventhub_message(e, partitions) for e in events]) == []


def test_the_kafka_endpoint_says_at_once_that_the_key_is_wrong(enrolled, broker):
    wrong = "d3Jvbmcta2V5LW9mLXRoaXJ0eS10d28tYnl0ZXM="
    why = wait_failed(enrolled, kafka_url(broker, key=wrong))
    assert "SharedAccessKey" in why and "d3Jvbmc" not in why + enrolled.whole_log()


def test_the_kafka_endpoint_says_at_once_that_the_hub_is_not_there(enrolled, broker):
    """By a user who may see and make every topic, so that nothing but the driver's own restraint is in the way."""
    url = kafka_url(broker, "&rd.sasl.username=alice&rd.sasl.password=" + quote(kafka_broker.USERS["alice"]), hub="other-hub")
    assert "EntityPath" in wait_failed(enrolled, url)
