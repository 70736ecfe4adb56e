"""The Kafka destination against a real Apache Kafka broker."""
import base64
import json
import os
import time
import uuid

import pytest

from helpers import Load, load_while_worker_dies, quick
from tests.support import kafka_broker
from tests.support.kafka import differences, kafka_message, read_topic


@pytest.fixture
def topic(broker):
    """A name that nobody else uses; the broker makes the topic when it is asked for it."""
    return "changes-" + uuid.uuid4().hex[:12]


def check(broker, topic, events, again=False):
    found, partitions = read_topic(broker.address(), topic)
    assert differences(found, [kafka_message(e, partitions) for e in events], again) == []


def start(lab, url, **options):
    lab.start_eds({"k": quick(url, hang_timeout="30s", **options)})
    lab.wait_running("k")


def wait_failed(lab, url):
    """A destination that cannot work is failed at once, with a reason."""
    lab.start_eds({"k": quick(url, hang_timeout="30s")}, wait="answer")
    lab.wait_state("k", "failed")
    return lab.edsctl("why", "k").stdout


def token_file(lab, subject="eds"):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    now = int(time.time())
    path = os.path.join(lab.dir, "token")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{part({'alg': 'none'})}.{part({'sub': subject, 'iat': now, 'exp': now + 600})}.\n")
    return path


@pytest.mark.parametrize("partitions,options", [(1, ""), (5, "?compression=lz4"), (12, "?compression=zstd&rd.linger.ms=5"),
                                                (3, "?rd.enable.idempotence=false")])
def test_every_message_is_the_contracts_byte_for_byte_and_in_order(enrolled, broker, topic, partitions, options):
    broker.make_topic( topic, partitions)
    start(enrolled, f"kafka://{broker.address()}/{topic}{options}")
    events = enrolled.publish(1500)
    enrolled.wait_delivered()
    check(broker, topic, events)


def test_a_topic_is_made_by_a_broker_that_makes_topics(enrolled, broker, topic):
    start(enrolled, f"kafka://127.0.0.1:1,{broker.address()}/{topic}")      # one of the two answers
    events = enrolled.publish(100)
    enrolled.wait_delivered()
    check(broker, topic, events)


def test_a_topic_that_nobody_makes_is_said_at_once(enrolled, broker, topic):
    why = wait_failed(enrolled, f"kafka://{broker.address()}/{topic}?rd.allow.auto.create.topics=false")
    assert f"the topic {topic} does not exist" in why and "auto.create.topics.enable" in why


def test_h77_tls_without_credentials(enrolled, broker, topic):
    start(enrolled, f"kafka://{broker.address('TLS')}/{topic}?ca={broker.ca}")
    events = enrolled.publish(100)
    enrolled.wait_delivered()
    check(broker, topic, events)


def sasl_url(lab, broker, topic, mechanism):
    user = {"plain": f"alice:{kafka_broker.USERS['alice'].replace('%', '%25').replace(' ', '%20').replace('/', '%2F')}@",
            "scram-sha-256": f"{kafka_broker.SCRAM_USER}:{kafka_broker.SCRAM_PASSWORD}@", "oauthbearer": ""}[mechanism]
    token = f"&token-file={token_file(lab)}" if mechanism == "oauthbearer" else ""
    return f"kafka://{user}{broker.address('EH')}/{topic}?sasl={mechanism}&ca={broker.ca}{token}"


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-256", "oauthbearer"])
def test_h77_signing_in(enrolled, broker, topic, mechanism):
    start(enrolled, sasl_url(enrolled, broker, topic, mechanism))
    events = enrolled.publish(100)
    enrolled.wait_delivered()
    check(broker, topic, events)


def test_h51_a_wrong_password_is_said_at_once_and_never_shown(enrolled, broker, topic):
    url = f"kafka://alice:wr0ng-pa55@{broker.address('EH')}/{topic}?tls=1&ca={broker.ca}"
    why = wait_failed(enrolled, url)
    assert "refuse to let EDS in" in why and "password" in why
    assert "wr0ng" not in why + enrolled.whole_log()


def test_a_certificate_that_nobody_vouches_for_is_said_at_once(enrolled, broker, topic):
    why = wait_failed(enrolled, f"kafka://{broker.address('TLS')}/{topic}?tls=1")
    assert "certificate" in why and "ca=" in why


def test_a_user_without_rights_is_said_at_once(enrolled, broker, topic):
    broker.make_topic( topic, 1)
    url = f"kafka://outsider:{kafka_broker.USERS['outsider']}@{broker.address('EH')}/{topic}?ca={broker.ca}"
    why = wait_failed(enrolled, url)
    assert "rights Describe and Write" in why and topic in why


def wait_checked(lab, url, reason=None):
    """Waits for `check --connect` to say that, or with no reason, that the destination can be used.

    Asked again because another test may just have killed the broker that all share.
    """
    def ask():
        done = lab.edsctl("check", "--connect", timeout=40)
        return done.returncode == 0 if reason is None else done.returncode != 0 and reason in done.stdout + done.stderr
    lab.write_conf({"k": url})
    lab.wait_until(ask, f"a check of {url.partition('?')[0].rpartition('@')[2]} to say: {reason or 'fine'}", 60)


def test_h37_a_check_asks_the_broker_and_makes_no_topic(enrolled, broker, topic):
    enrolled.start_eds({"k": quick("null://localhost")})
    enrolled.wait_running("k")
    plain, sasl = f"kafka://{broker.address()}/{topic}", f"@{broker.address('EH')}/{topic}?ca={broker.ca}"
    outsider = f"kafka://outsider:{kafka_broker.USERS['outsider']}{sasl}"
    wait_checked(enrolled, plain)           # it would be made when it is written to, and the broker says so
    wait_checked(enrolled, plain + "?rd.allow.auto.create.topics=false", "does not exist")
    wait_checked(enrolled, outsider, "rights Describe and Write")
    wait_checked(enrolled, f"kafka://alice:wr0ng-pa55{sasl}", "refuse to let EDS in")
    assert not broker.has_topic(topic)
    broker.make_topic(topic, 2)
    wait_checked(enrolled, plain + "?rd.allow.auto.create.topics=false")
    wait_checked(enrolled, outsider, "rights Describe and Write")


def test_h37_a_check_of_brokers_that_are_not_there_fails(enrolled, topic):
    enrolled.start_eds({"k": quick("null://localhost")})
    enrolled.wait_running("k")
    enrolled.write_conf({"k": f"kafka://127.0.0.1:1/{topic}"})
    done = enrolled.edsctl("check", "--connect", timeout=40)
    assert done.returncode != 0 and "no broker answers" in done.stdout + done.stderr


def test_h33_what_the_topic_is_too_small_for_is_set_aside_alone(enrolled, broker, topic):
    """The broker refuses the request that holds it, whole; the others of that request are stored all the same."""
    broker.make_topic( topic, 1, max_message_bytes=20000)
    start(enrolled, f"kafka://{broker.address()}/{topic}?rd.batch.size=15000", min_latency="200ms")
    events = [enrolled.events.next() for _ in range(40)]
    large = [enrolled.events.insert("order", note=os.urandom(15000).hex()) for _ in range(2)]
    events += [enrolled.events.next() for _ in range(40)]
    enrolled.publish_events(events[:40] + large + events[40:])
    enrolled.wait_delivered()
    exported = enrolled.edsctl("quarantine", "export", "k").stdout
    assert [json.loads(line)["id"] for line in exported.splitlines()] == [e.id for e in large]
    assert "larger than the topic" in enrolled.edsctl("quarantine", "list").stdout
    check(broker, topic, events, again=True)


def test_a_broker_that_is_killed_and_comes_back_under_load_loses_nothing(enrolled, broker, topic):
    broker.make_topic( topic, 6)
    start(enrolled, f"kafka://{broker.address()}/{topic}")
    with Load(enrolled) as load:
        enrolled.wait_until(lambda: load.count >= 500, "events")
        killed = broker.kill()
        goal = load.count + 500
        enrolled.wait_until(lambda: load.count >= goal, "events that nobody takes")
        broker.wait_again(killed)
        goal = load.count + 500
        enrolled.wait_until(lambda: load.count >= goal, "events after that")
    enrolled.wait_delivered()
    check(broker, topic, load.events)


def test_a_worker_that_is_killed_under_load_loses_nothing(enrolled, broker, topic):
    broker.make_topic( topic, 6)
    start(enrolled, f"kafka://{broker.address()}/{topic}?compression=lz4")
    events = load_while_worker_dies(enrolled, "k")
    check(broker, topic, events, again=True)
