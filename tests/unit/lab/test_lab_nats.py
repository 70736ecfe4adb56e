import time

import pytest

from tests.support import natsd
from tests.support.jetstream import JetStream
from tests.support.natswire import ApiError, NatsError
from tests.support.proc import wait_until

COMPANY = "6287a4154d1a72cc5ce091bb"
SESSION = "284e8bdb-9c18-45c3-9f18-844ad70610ef"


@pytest.fixture
def admin(nats_server):
    with nats_server.connect() as client:
        yield client


@pytest.fixture
def js(admin):
    js = JetStream(admin)
    js.create_stream(storage="memory")
    yield js
    js.delete_stream()


@pytest.fixture
def shop(nats_server):
    with nats_server.connect(nats_server.eds_creds("shop-1", [COMPANY], SESSION)) as client:
        yield client


def refused(client):
    client.ping()
    with pytest.raises(NatsError, match="Permissions Violation"):
        client.check()


def test_a_shop_may_listen_to_its_company_and_session_only(shop, admin):
    mine = shop.subscribe(f"dbchange.*.*.{COMPANY}.*.PUBLIC.>")
    notes = shop.subscribe(f"eds.notify.{SESSION}.>")
    shop.ping()
    shop.check()
    admin.publish(f"dbchange.order.INSERT.{COMPANY}.loc.PUBLIC.o-1", b"{}")
    admin.publish(f"eds.notify.{SESSION}.restart", b"x", {"content-encoding": "gzip/json"})
    assert mine.next().payload == b"{}"
    note = notes.next()
    assert note.payload == b"x" and note.header == b"NATS/1.0\r\ncontent-encoding: gzip/json\r\n\r\n"
    for foreign in ("dbchange.>", "dbchange.*.*.other.*.PUBLIC.>", "eds.notify.other.>", "$JS.API.>"):
        shop.subscribe(foreign)
        refused(shop)


def test_a_shop_may_publish_acks_and_its_own_reports_only(shop):
    for own in ("$JS.ACK.dbchange.eds-x.1.1.1.1.0", f"eds.client.{SESSION}.heartbeat", "_INBOX.x"):
        shop.publish(own, b"")
    shop.ping()
    shop.check()
    for foreign in ("$JS.ACK.other.x", "eds.client.other.heartbeat", "dbchange.order.INSERT.c.l.PUBLIC.1",
                    "$JS.API.STREAM.DELETE.dbchange"):
        shop.publish(foreign, b"")
        refused(shop)


def test_creds_of_another_operator_are_refused(nats_server, tmp_path):
    stranger = natsd.NatsServer(tmp_path)       # never started: only its identities are used
    with pytest.raises(NatsError, match="Authorization"):
        nats_server.connect(stranger.eds_creds("shop-1", [COMPANY]))


def test_creds_can_expire(nats_server):
    with pytest.raises(NatsError, match="Authorization|Expired"):
        nats_server.connect(nats_server.eds_creds("shop-1", [COMPANY], expires_in=-10))


def test_many_messages_are_stored_in_order_and_quickly(js, admin):
    count, body = 20000, b"x" * 1000
    started = time.monotonic()
    sent = admin.publish_many((f"dbchange.t.INSERT.{COMPANY}.l.PUBLIC.{i}", b"%d " % i + body) for i in range(count))
    print(f"{count / (time.monotonic() - started):.0f} messages/s")
    assert sent == count and js.messages() == count and js.last_seq() == count
    js.create_consumer("c", deliver_policy="all", max_ack_pending=5000)
    numbers = [int(m.payload.split()[0]) for m in js.pull("c", 3000)]
    assert numbers == list(range(3000))


def test_a_consumer_is_seen_settled_only_when_all_is_acknowledged(js, admin, shop):
    assert js.consumer_info("eds-shop-1") is None and not js.settled("eds-shop-1")
    seq = admin.publish_stored(f"dbchange.t.INSERT.{COMPANY}.l.PUBLIC.1", b"{}", {"Nats-Msg-Id": "m1"})
    assert seq == 1
    JetStream(shop).create_consumer("eds-shop-1", deliver_policy="all")     # the shop is allowed to
    assert not js.settled("eds-shop-1")
    [message] = JetStream(shop).pull("eds-shop-1", 1)
    assert message.headers["Nats-Msg-Id"] == "m1"
    wait_until(lambda: js.settled("eds-shop-1"), "the acknowledgement, which nobody answers")
    assert js.consumers() == ["eds-shop-1"]
    assert js.delete_consumer("eds-shop-1") and js.consumer_info("eds-shop-1") is None
    assert js.purge() == 1 and js.messages() == 0


def test_a_message_outside_every_stream_is_reported(js, admin):
    with pytest.raises(NatsError, match="no stream"):
        admin.publish_many([("elsewhere.x", b"1")])
    with pytest.raises(ApiError) as caught:
        js.call("STREAM.INFO.nowhere")
    assert caught.value.code == 10059


def test_streams_survive_a_kill_on_the_same_port(tmp_path):
    with natsd.NatsServer(tmp_path) as server:
        with server.connect() as client:
            JetStream(client).create_stream()
            client.publish_many((f"dbchange.t.INSERT.c.l.PUBLIC.{i}", b"1") for i in range(10))
        pid, url = server.pid, server.url
        server.restart("kill")
        assert server.pid != pid and server.url == url
        with server.connect() as client:
            assert JetStream(client).messages() == 10
    assert not server.running()


def test_a_tls_server_is_reached_only_with_its_authority(tmp_path):
    with natsd.NatsServer(tmp_path, tls=True) as server:
        with server.connect() as client:
            messages = client.subscribe("a")
            sent = [b"%d" % i * 5000 for i in range(200)]
            client.publish_many([("a", p) for p in sent], stored=False)
            assert [messages.next().payload for _ in sent] == sent
        ca, server.ca_path = server.ca_path, None
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            server.connect()
        assert ca
