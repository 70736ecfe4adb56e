"""Processes die, freeze, and links break, under load: nothing is lost, and nobody else waits."""
import os
import re
import signal
import time

import pytest

from helpers import Fault, Load, quick
from tests.support import proc
from tests.support.proxy import Proxy


def start_two(lab, **options):
    lab.start_eds({"files": quick(lab.file_url(), **options), "shop": quick(lab.sqlite_url(), **options)})
    lab.wait_running()


def new_worker(lab, name, old):
    return lab.wait_until(lambda: lab.destination(name)["state"] == "running" and
                          lab.destination(name)["pid"] not in (0, old) and lab.destination(name)["pid"],
                          f"another worker for {name}")


def test_a_worker_killed_under_load_is_replaced_and_nothing_is_lost(enrolled):
    lab = enrolled
    start_two(lab)
    files = lab.worker_pid("files")
    with Load(lab) as load:
        for _ in range(3):
            old = lab.kill_worker("shop")
            new_worker(lab, "shop", old)
            count = load.count
            lab.wait_until(lambda: load.count > count + 200, "more load")
    lab.wait_delivered()
    assert lab.differences() == []
    shop = lab.destination("shop")
    assert shop["restarts"] == 3 and shop["last_exit"] == "killed by signal 9 (Killed)"
    assert lab.worker_pid("files") == files and lab.destination("files")["restarts"] == 0


def test_after_a_crash_only_what_was_not_stored_comes_again(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("slow 20")
    lab.start_eds({"fault": quick(fault.url, batch_events=20)})
    lab.wait_running()
    events = lab.publish(600)
    for _ in range(3):
        stored = len(fault.stored())
        lab.wait_until(lambda: len(fault.stored()) > stored + 40, "some batches")
        new_worker(lab, "fault", lab.kill_worker("fault"))
    lab.wait_delivered()
    assert fault.differences(events) == []
    again = len(fault.stored()) - len(events)
    assert 0 <= again <= 3 * 20, f"{again} events came again, at most the batch of each crash may"


def test_a_frozen_worker_is_noticed_and_replaced_while_the_others_go_on(enrolled):
    lab = enrolled
    start_two(lab)
    lab.publish(100)
    lab.wait_delivered()
    frozen = lab.kill_worker("shop", signal.SIGSTOP)
    with Load(lab) as load:
        # files goes on while shop stands still
        lab.wait_until(lambda: lab.destination("files")["committed"] > 300, "files to go on")
        assert lab.destination("shop")["pid"] == frozen and lab.destination("shop")["committed"] == 100
        new_worker(lab, "shop", frozen)
        lab.wait_until(lambda: load.count > 600, "more load")
    lab.wait_log(r"the worker did not answer for \d+ s and was killed")
    lab.wait_delivered()
    assert lab.differences() == []
    assert lab.destination("files")["restarts"] == 0
    assert proc.wait_until(lambda: not os.path.exists(f"/proc/{frozen}"), "the frozen one to be gone")


def test_a_server_killed_under_load_takes_its_workers_along_and_resumes(enrolled):
    lab = enrolled
    start_two(lab)
    with Load(lab) as load:
        for _ in range(3):
            count = load.count
            lab.wait_until(lambda: load.count > count + 300, "some load")
            lab.kill_eds()
            proc.wait_until(lambda: not lab.orphans(), "the workers to die with their server", 5)
            lab.start_eds()
    lab.wait_running()
    lab.wait_delivered()
    assert lab.differences() == []


def test_a_server_killed_with_work_in_the_journal_finds_it_again(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("retry closed")
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    lab.wait_running()
    events = lab.publish(500)
    lab.wait_until(lambda: lab.status()["journal"]["events"] >= 500, "the journal to take over")
    lab.wait_until(lambda: lab.js.settled(lab.consumer), "everything to be acknowledged")
    assert lab.destination("fault")["behind"] == 500
    lab.kill_eds()
    lab.start_eds()
    lab.wait_running()
    assert lab.destination("fault")["behind"] == 500
    events += lab.publish(100)
    fault.be_well()
    lab.wait_delivered()
    assert fault.stored() == [e.id for e in events]
    assert lab.differences(sqlite=None) == []
    lab.wait_until(lambda: lab.status()["journal"]["events"] == 0, "the journal to be empty")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_nats_restarted_under_load(make_lab, how):
    lab = make_lab(storage="file")
    lab.enroll()
    start_two(lab)
    pids = {d["name"]: d["pid"] for d in lab.status()["destinations"]}
    for _ in range(2):
        lab.publish(400)
        lab.nats.restart(how)
        lab.publish(400)
        lab.wait_log(r"connecting again")
    lab.wait_delivered()
    assert lab.differences() == []
    assert {d["name"]: d["pid"] for d in lab.status()["destinations"]} == pids, "workers do not notice"
    assert lab.eds.running()


def test_nats_away_is_said_and_waited_out(make_lab):
    lab = make_lab(storage="file")
    lab.enroll()
    start_two(lab)
    lab.publish(100)
    lab.nats.kill()
    lab.wait_until(lambda: lab.status()["upstream"]["state"] in ("connecting", "waiting"), "the loss to be noticed")
    status = lab.status()
    assert status["degraded"] and any("upstream" in r for r in status["reasons"])
    assert lab.get("/ready")[0] == 503 and lab.get("/")[0] == 200
    lab.nats.start()
    lab.publish(100)
    lab.wait_delivered()
    assert lab.differences() == []
    assert lab.status()["upstream"]["state"] == "running"


def test_a_server_started_while_nats_is_away_waits_for_it(make_lab):
    lab = make_lab(storage="file")
    lab.enroll()
    start_two(lab)
    lab.publish(10)
    lab.wait_delivered()
    assert lab.stop_eds() == 0
    lab.publish(50)
    lab.nats.stop()
    lab.start_eds(wait=False)
    lab.wait_log("error creating nats connection")
    lab.nats.start()
    lab.wait_consumer()
    lab.wait_delivered()
    assert lab.differences() == []


def test_the_link_to_nats_cut_under_load(enrolled):
    lab = enrolled
    with Proxy(lab.nats.port) as proxy:
        lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())}, nats_url=proxy.url)
        lab.wait_running()
        with Load(lab) as load:
            for _ in range(5):
                count, links = load.count, proxy.accepted
                lab.wait_until(lambda: load.count > count + 200, "some load")
                proxy.cut()
                lab.wait_until(lambda: proxy.accepted > links and proxy.links(), "a new connection")
        lab.wait_delivered()
        assert lab.differences() == []
        lab.stop_eds()


def test_the_link_to_nats_refused_for_a_while(enrolled):
    lab = enrolled
    with Proxy(lab.nats.port) as proxy:
        lab.start_eds({"files": quick(lab.file_url())}, nats_url=proxy.url)
        lab.publish(300)
        proxy.refuse()
        lab.publish(300)
        lab.wait_until(lambda: lab.status()["degraded"], "the trouble to be said")
        proxy.refuse(False)
        lab.wait_delivered()
        assert lab.differences(sqlite=None) == []
        lab.stop_eds()


def test_a_link_that_stalls_for_a_while_goes_on_where_it_was(enrolled):
    lab = enrolled
    with Proxy(lab.nats.port) as proxy:
        lab.start_eds({"files": quick(lab.file_url())}, nats_url=proxy.url)
        lab.publish(200)
        proxy.stall()
        lab.publish(200)
        proxy.stall(False)
        lab.wait_delivered()
        assert lab.differences(sqlite=None) == []
        lab.stop_eds()


def test_everything_at_once(make_lab):
    """Workers, server, NATS, link: each dies once while events come, several times over."""
    lab = make_lab(storage="file")
    lab.enroll()
    start_two(lab)
    for round in range(3):
        lab.publish(200)
        lab.kill_worker("files")
        lab.publish(200)
        lab.nats.restart("kill")
        lab.kill_worker("shop")
        lab.publish(200)
        lab.kill_eds()
        lab.publish(200)
        lab.start_eds()
    lab.wait_running()
    lab.wait_delivered()
    assert lab.differences() == []


def test_the_stream_lost_events_is_said(make_lab):
    """The stream rolled past the cursor: the missing range is named, and delivery goes on."""
    lab = make_lab()
    lab.enroll()
    lab.start_eds({"files": lab.file_url()})
    lab.publish(50)
    lab.wait_delivered()
    cursor = lab.js.last_seq()
    assert lab.stop_eds() == 0
    lab.admin.publish_many(e.message for e in lab.events.batch(20))
    lab.js.purge()
    lab.js.delete_consumer(lab.consumer)
    lab.start_eds()
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []
    found = re.search(rf".*\b{cursor + 1}\b.*\b{cursor + 20}\b.*", lab.eds.log())
    assert found, "the exact missing range is in the log"


def test_a_consumer_deleted_behind_its_back_is_made_anew_without_loss(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    lab.publish(100)
    lab.wait_delivered()
    lab.js.delete_consumer(lab.consumer)
    lab.publish(100)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


def test_memory_stays_bounded_while_a_destination_is_away(enrolled):
    """Ten thousand events for a destination that is down: the journal has them, not the memory."""
    lab, fault = enrolled, Fault(enrolled)
    fault.say("retry closed")
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    lab.wait_running()
    events = lab.publish(10000)
    lab.wait_until(lambda: lab.status()["journal"]["events"] >= 10000, "the journal to have everything")
    lab.wait_until(lambda: lab.status()["window"]["events"] == 0, "the window to be free again")
    fault.be_well()
    started = time.monotonic()
    lab.wait_delivered()
    assert time.monotonic() - started < 60
    assert fault.stored() == [e.id for e in events]
