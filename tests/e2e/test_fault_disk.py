"""The disk is full, and then it is not."""
import os

import pytest

from helpers import Fault, fill_up, quick, small_file_system
from tests.support.ledger import destination_problems

SIZE = 8 << 20


@pytest.fixture
def small_disk(lab):
    """The laboratory's data directory is a file system of 8 MiB."""
    os.makedirs(lab.data_dir)
    with small_file_system(lab.data_dir, SIZE):
        try:
            lab.enroll()
            yield lab
        finally:
            if lab.eds and lab.eds.running():
                lab.stop_eds()


def test_with_the_disk_full_nothing_is_acknowledged_and_it_goes_on_by_itself(small_disk):
    lab, fault = small_disk, Fault(small_disk)
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    events = lab.publish(200)
    lab.wait_delivered()
    fault.say("retry closed")
    events += lab.publish(100)
    lab.wait_until(lambda: lab.status()["journal"]["events"] == 100, "the journal to be in use")
    ballast = fill_up(lab.data_dir)
    events += lab.publish(4000)
    status = lab.wait_until(lambda: (s := lab.status())["degraded"] and
                            (s["server"]["store_trouble"] or s["journal"]["trouble"]) and s, "the trouble to be said")
    assert any("space" in r or "full" in r for r in status["reasons"]), status["reasons"]
    lab.wait_until(lambda: lab.status()["window"]["events"] >= 1000, "events to wait in memory")
    floor = lab.js.consumer_info(lab.consumer)["ack_floor"]["stream_seq"]
    assert lab.get("/ready")[0] == 503 and lab.get("/")[0] == 200
    assert lab.js.consumer_info(lab.consumer)["ack_floor"]["stream_seq"] == floor, "nothing is acknowledged"
    os.remove(ballast)
    fault.be_well()
    lab.wait_delivered()
    assert destination_problems(lab, fault, events) == []
    assert lab.differences(sqlite=None) == []
    status = lab.wait_until(lambda: not (s := lab.status())["degraded"] and s, "the trouble to be over")
    assert (status["server"]["store_trouble"], status["journal"]["trouble"]) == ("", "")


def test_a_kill_with_the_disk_full_costs_nothing(small_disk):
    lab, fault = small_disk, Fault(small_disk)
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    events = lab.publish(100)
    lab.wait_delivered()
    ballast = fill_up(lab.data_dir)
    events += lab.publish(2000)
    lab.wait_until(lambda: len(fault.stored()) == len(events), "the destinations to go on")
    lab.kill_eds()
    os.remove(ballast)
    lab.start_eds()
    lab.wait_delivered()
    assert destination_problems(lab, fault, events, crashes=1) == []
    assert lab.differences(sqlite=None) == []
