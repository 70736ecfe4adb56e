"""The stream, its consumer, the link and the clock misbehave: order, and every event once."""
import json
import os

import pytest

from helpers import Fault, Load, quick
from tests.support.lab import build_dir
from tests.support.ledger import destination_problems
from tests.support.proxy import Proxy


@pytest.fixture
def ordered(enrolled):
    """ordered(nats_url, server options, **environment): a server with the one destination that shows order."""
    def start(nats_url=None, server=(), before=(), **env):
        fault = Fault(enrolled)
        lines = ["[server]", *server, "[destination fault]"]
        lines += [f"{k} = {v}" for k, v in quick(fault.url).items()]
        enrolled.start_eds("\n".join(lines) + "\n", nats_url=nats_url, before=before, **env)
        enrolled.wait_running()
        return enrolled, fault
    return start


def gaps(lab):
    return json.loads(lab.edsctl("--json", "gap", "list").stdout)["items"]


def test_deliveries_lost_in_flight_are_never_overtaken(ordered, enrolled):
    with Proxy(enrolled.nats.port) as proxy:
        lab, fault = ordered(proxy.url)
        with Load(lab, lot=50) as load:
            for _ in range(4):
                count, links, lost = load.count, proxy.accepted, proxy.lost
                lab.wait_until(lambda: load.count > count + 200, "some load")
                proxy.lose("received")
                lab.wait_until(lambda: proxy.lost > lost + 20000, "deliveries to be lost")
                proxy.cut_after_loss()
                lab.wait_until(lambda: proxy.accepted > links and proxy.links(), "a new connection")
        lab.wait_delivered()
        assert destination_problems(lab, fault, load.events) == []
        lab.stop_eds()


def test_acknowledgements_lost_at_a_cut_link_cost_no_duplicate(ordered, enrolled):
    with Proxy(enrolled.nats.port) as proxy:
        lab, fault = ordered(proxy.url)
        events = lab.publish(50)
        lab.wait_delivered()
        for _ in range(3):
            links, lost = proxy.accepted, proxy.lost
            proxy.lose("sent")
            events += lab.publish(200)
            lab.wait_until(lambda: len(fault.stored()) == len(events) and proxy.lost > lost + 200 * 30,
                           "everything to be stored, and its acknowledgements to be lost")
            assert lab.js.consumer_info(lab.consumer)["num_ack_pending"] == 200
            proxy.cut_after_loss()
            lab.wait_until(lambda: proxy.accepted > links and proxy.links(), "a new connection")
            lab.wait_delivered()
        assert destination_problems(lab, fault, events) == []
        assert gaps(lab) == []
        lab.stop_eds()


def test_what_ack_wait_redelivers_is_dropped_or_replaces_its_copy(ordered):
    lab, fault = ordered(server=["journal_size = 0"])
    events = lab.publish(20)
    lab.wait_delivered()
    config = lab.js.consumer_info(lab.consumer)["config"]
    config.pop("name", None)        # servers from 2.10 on name it twice
    lab.js.create_consumer(lab.consumer, **{**config, "ack_wait": 1000000000})
    fault.say("retry closed")
    events += lab.publish(30)
    lab.wait_until(lambda: lab.status()["upstream"]["redelivered"] >= 60, "the server to lose patience twice")
    fault.be_well()
    lab.wait_delivered()
    assert destination_problems(lab, fault, events) == []


def test_a_consumer_deleted_under_load_is_made_anew_where_it_was(ordered):
    lab, fault = ordered()
    fault.say("slow 10")
    with Load(lab, lot=50) as load:
        for _ in range(3):
            count = load.count
            lab.wait_until(lambda: load.count > count + 300, "some load")
            lab.js.delete_consumer(lab.consumer)
            lab.wait_consumer()
    fault.be_well()
    lab.wait_delivered()
    assert destination_problems(lab, fault, load.events) == []
    assert gaps(lab) == []


@pytest.mark.parametrize("consumer", ["stays", "is gone too"])
def test_a_stream_purged_past_the_cursor_is_a_gap_on_record(ordered, consumer):
    lab, fault = ordered()
    events = lab.publish(100)
    lab.wait_delivered()
    assert lab.stop_eds() == 0
    lab.admin.publish_many(e.message for e in lab.events.batch(60))
    lab.js.purge(seq=141)
    if consumer != "stays":
        lab.js.delete_consumer(lab.consumer)
    kept = lab.js.messages()
    assert kept == 20
    lab.start_eds()
    lab.wait_until(lambda: gaps(lab), "the gap to be seen")
    (gap,) = gaps(lab)
    assert (gap["from"], gap["to"], gap["accepted"]) == (101, 140, False)
    events += lab.publish(30)
    lab.wait_delivered()
    stored = fault.stored()
    assert stored[:100] + stored[120:] == [e.id for e in events] and len(stored) == 150
    status = lab.status()
    assert status["degraded"] and any("101" in r and "140" in r for r in status["reasons"])
    assert "101" in lab.eds.log() and "140" in lab.eds.log()
    lab.kill_eds()
    lab.start_eds()
    assert [(g["from"], g["to"]) for g in gaps(lab)] == [(101, 140)], "it outlives a crash"
    assert lab.edsctl("gap", "accept").returncode == 0
    assert gaps(lab)[0]["accepted"] and not lab.status()["degraded"]
    assert len(fault.stored()) == 150


def test_a_stream_purged_while_the_server_runs_is_a_gap_too(ordered):
    """The window and the journal have what they have; what the stream loses before the pull is named."""
    lab, fault = ordered(server=["journal_size = 0", "window_events = 500"])
    events = lab.publish(50)
    lab.wait_delivered()
    fault.say("retry closed")
    lost = lab.publish(3000)
    lab.wait_until(lambda: lab.status()["upstream"]["state"] == "full", "the window to be full")
    lab.wait_until(lambda: lab.status()["window"]["oldest_ms"] > 2000, "more than a passing stall")
    last = lab.status()["upstream"]["last_seq"]
    assert last < 2000
    lab.js.purge(seq=2501)
    fault.be_well()
    lab.wait_delivered()
    wanted = [e.id for e in (events + lost)[:last] + (events + lost)[2500:]]
    assert fault.stored() == wanted
    lab.wait_until(lambda: gaps(lab), "the gap to be seen")
    assert [(g["from"], g["to"]) for g in gaps(lab)] == [(last + 1, 2500)]


def test_the_wall_clock_jumps_and_nobody_minds(ordered, tmp_path):
    library, shift = os.path.join(build_dir(), "tests/support/clock_shift.so"), tmp_path / "shift"
    assert os.path.exists(library), "make e2e builds it"
    shift.write_text("0")
    lab, fault = ordered(LD_PRELOAD=library, CLOCK_SHIFT=shift, ASAN_OPTIONS="verify_asan_link_order=0")
    pid = lab.worker_pid("fault")
    with Load(lab, lot=50) as load:
        for seconds in (86400 * 400, -86400 * 30, 7200, -3600, 0):
            count = load.count
            (tmp_path / "new").write_text(str(seconds))
            os.rename(tmp_path / "new", shift)
            lab.wait_until(lambda: load.count > count + 200, "some load")
            stored = len(fault.stored())
            lab.wait_until(lambda: len(fault.stored()) > stored, "events to be stored")
            assert lab.destination("fault")["state"] == "running"
            assert lab.edsctl("why", "fault").returncode == 0
    lab.wait_delivered()
    assert destination_problems(lab, fault, load.events) == []
    assert lab.worker_pid("fault") == pid and lab.destination("fault")["restarts"] == 0
