"""The journal under fire: a destination that is behind holds up nobody, and gets every event once."""
import os

import pytest

from helpers import Fault, Load, quick
from tests.support import proc
from tests.support.ledger import destination_problems, stored_ids

MANY = int(os.environ.get("EDS_FAULT_EVENTS", "20000"))     # for one paused destination
PATIENCE = 60 + MANY / 200


def start(lab, fault, server=None, others=None, **options):
    """A server with the options `server`, a fault destination, and `others` (normally `files`)."""
    conf = {fault.name: quick(fault.url, **options), **(others or {"files": quick(lab.file_url())})}
    lines = ["[server]", *(f"{k} = {v}" for k, v in (server or {}).items())]
    for name, section in conf.items():
        lines += [f"[destination {name}]", *(f"{k} = {v}" for k, v in section.items())]
    lab.start_eds("\n".join(lines) + "\n")
    lab.wait_running()


@pytest.fixture
def behind(make_lab):
    """behind(count, **options of fault): (lab, fault, other, events), where `fault` is paused and has none of `count` events, `other` all."""
    def make(count, **options):
        lab = make_lab(storage="file", unique_seconds=False)
        lab.enroll()
        fault, other = Fault(lab), Fault(lab, "other")
        start(lab, fault, others={"other": quick(other.url)}, **options)
        assert lab.edsctl("pause", "fault").returncode == 0
        events = []
        while len(events) < count:
            events += lab.publish(min(5000, count - len(events)))
        lab.wait_delivered("other", timeout=PATIENCE)
        status = lab.status()
        assert status["journal"]["events"] == count and status["journal"]["state"] == "in use"
        assert lab.destination("fault")["behind"] == count and stored_ids(fault.store_path) == []
        return lab, fault, other, events
    return make


def problems(lab, faults, events, crashes=0):
    return [p for fault in faults for p in destination_problems(lab, fault, events, crashes)]


def test_who_was_paused_catches_up_into_the_live_stream_without_a_gap(behind):
    lab, fault, other, events = behind(MANY)
    assert lab.edsctl("resume", "fault").returncode == 0
    with Load(lab, lot=100) as load:
        lab.wait_until(lambda: load.count >= 1000 and lab.destination("fault")["behind"] < 500,
                       "fault to reach the live stream", PATIENCE)
    events += load.events
    lab.wait_delivered(timeout=PATIENCE)
    assert problems(lab, (fault, other), events) == []
    assert [d["restarts"] for d in lab.status()["destinations"]] == [0, 0]
    lab.wait_until(lambda: lab.status()["journal"]["events"] == 0, "the journal to be empty")


def test_a_kill_in_the_middle_of_catching_up_costs_nothing(behind):
    count = MANY // 4
    lab, fault, other, events = behind(count, batch_events=count // 50)     # a kill has to hit the middle
    fault.say("slow 50")
    assert lab.edsctl("resume", "fault").returncode == 0
    for part in (4, 2):
        proc.wait_until(lambda: len(stored_ids(fault.store_path)) > count / part, "a part to be caught up", PATIENCE)
        lab.kill_eds()
        assert len(stored_ids(fault.store_path)) < count, "it is still behind"
        lab.start_eds()
    fault.be_well()
    events += lab.publish(500)
    lab.wait_delivered(timeout=PATIENCE)
    assert problems(lab, (fault, other), events, crashes=2) == []


def test_a_full_journal_stops_the_pull_says_so_and_goes_on_by_itself(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("retry closed")
    start(lab, fault, {"journal_size": "1M", "window_bytes": "1M"})
    events = lab.publish(4000)
    lab.wait_until(lambda: lab.status()["journal"]["state"] == "full", "the journal to be full", 60)
    status = lab.wait_until(lambda: (s := lab.status())["upstream"]["state"] == "full" and s, "the pull to stop")
    assert any("journal has reached its limit of 1 MiB" in r for r in status["reasons"])
    assert 900000 < status["journal"]["bytes"] <= 1 << 20, "all of the room is used, and no more"
    assert lab.js.consumer_info(lab.consumer)["num_pending"] > 0, "the stream holds the rest"
    assert lab.get("/ready")[0] == 503
    fault.be_well()
    lab.wait_delivered()
    assert destination_problems(lab, fault, events) == []
    assert lab.differences(sqlite=None) == []
    status = lab.wait_until(lambda: (s := lab.status())["journal"]["events"] == 0 and s, "the journal to be empty")
    assert (status["journal"]["state"], status["journal"]["trouble"]) == ("empty", "")
    assert not status["degraded"], status["reasons"]


def test_without_a_journal_what_is_not_everywhere_stays_unacknowledged(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    start(lab, fault, {"journal_size": 0, "window_events": 1000})
    events = lab.publish(100)
    lab.wait_delivered()
    fault.say("retry closed")
    events += lab.publish(3000)
    lab.wait_until(lambda: lab.status()["upstream"]["state"] == "full", "the window to be full")
    status = lab.status()
    assert status["journal"]["state"] == "off" and status["journal"]["events"] == 0
    assert lab.js.consumer_info(lab.consumer)["ack_floor"]["stream_seq"] == lab.destination("fault")["cursor"] == 100
    lab.kill_eds()
    lab.start_eds(wait=False)       # with a full window nobody pulls
    fault.be_well()
    lab.wait_delivered()
    assert destination_problems(lab, fault, events) == []
    assert lab.differences(sqlite=None) == []
