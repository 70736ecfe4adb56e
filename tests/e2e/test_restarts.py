"""Destinations that crash, hang, refuse or are slow: what becomes of them, and that the others go on."""
import time

import pytest

from helpers import Fault, quick


@pytest.fixture
def two(enrolled):
    """two(**options): a server with `files`, and `fault` with these options; returns (lab, fault)."""
    def start(say=None, **options):
        fault = Fault(enrolled)
        if say:
            fault.say(say)
        enrolled.start_eds({"files": quick(enrolled.file_url()), "fault": quick(fault.url, **options)})
        enrolled.wait_running("files")
        return enrolled, fault
    return start


def files_have(lab, count):
    lab.wait_until(lambda: lab.destination("files")["committed"] == count, "files to have everything")


def mended(lab, fault, events):
    """After the cause is gone: everything arrives, and nothing is wrong any more."""
    lab.wait_delivered()
    assert fault.differences(events) == []
    assert lab.differences(sqlite=None) == []
    lab.wait_until(lambda: lab.edsctl("status").returncode == 0, "the status to be fine")


@pytest.mark.parametrize("how, words", [("crash", "killed by signal 6 (Aborted)"), ("exit 7", "exit status 7")])
def test_a_worker_that_dies_of_everything_fails_and_sets_nothing_aside(two, how, words):
    lab, fault = two(backoff_min="50ms")
    lab.wait_running("fault")
    fault.say(how)
    events = lab.publish(50)
    failed = lab.wait_state("fault", "failed")
    assert "dies whatever event it is given" in failed["reason"] and words in failed["reason"]
    assert failed["quarantined"] == 0 and failed["behind"] == 50
    files_have(lab, 50)
    fault.be_well()
    assert lab.edsctl("restart", "worker", "fault").returncode == 0
    mended(lab, fault, events)


@pytest.mark.parametrize("how, words", [("broken out of order", "out of order")])
def test_a_crash_loop_ends_in_failed_and_a_restart_revives_it(two, how, words):
    lab, fault = two(restart_limit=4)
    lab.wait_running("fault")
    fault.say(how)
    events = lab.publish(50)
    failed = lab.wait_state("fault", "failed")
    assert failed["restarts"] == 3 and failed["pid"] == 0 and failed["next_restart"] == 0
    assert "4 crashes within 300 s" in failed["reason"] and words in failed["reason"]
    files_have(lab, 50)
    events += lab.publish(50)
    files_have(lab, 100)
    why = lab.edsctl("why", "fault").stdout
    for text in ("fault is failed", "4 crashes", words, "edsctl restart worker fault"):
        assert text in why
    assert lab.edsctl("status").returncode == 4
    assert lab.get("/ready")[0] == 503
    assert "destination fault failed" in lab.eds.log()
    assert "starting again in" in lab.eds.log()
    fault.be_well()
    assert lab.destination("fault")["state"] == "failed", "nothing revives it by itself"
    assert lab.edsctl("restart", "worker", "fault").returncode == 0
    mended(lab, fault, events)
    assert lab.destination("files")["restarts"] == 0


def test_backoff_grows_and_is_shown(two):
    lab, fault = two(backoff_min="300ms", backoff_max="60s")
    lab.wait_running("fault")
    fault.say("crash")
    lab.publish(10)
    seen = lab.wait_state("fault", "backoff")
    assert seen["next_restart"] > 0 and "killed by signal 6" in seen["reason"]
    lab.wait_until(lambda: lab.destination("fault")["restarts"] >= 2, "further attempts")
    fault.be_well()
    lab.wait_running("fault")
    lab.wait_delivered()


def test_a_crash_that_is_long_ago_is_forgiven(two):
    lab, fault = two(restart_limit=2, healthy_after="1s", ping_timeout="1s")
    for _ in range(3):
        old = lab.worker_pid("fault")
        lab.wait_running("fault")
        lab.kill_worker("fault")
        lab.wait_until(lambda: lab.destination("fault")["pid"] not in (0, old), "another worker")
        since = lab.wait_state("fault", "running")["since"]
        lab.wait_until(lambda: lab.status()["destinations"][1]["state"] == "running" and
                       time.time() * 1000 - since > 1600, "it to have run for a while")
    assert lab.destination("fault")["restarts"] == 3


def test_a_hanging_driver_is_killed_and_its_events_come_again(two):
    lab, fault = two(hang_timeout="1s", ping_timeout="1s")
    lab.wait_running("fault")
    fault.say("hang")
    events = lab.publish(30)
    files_have(lab, 30)
    lab.wait_log(r"the driver hung for \d+ s in one call and was killed \(hang_timeout\)")
    fault.be_well()
    mended(lab, fault, events)


def test_a_slow_destination_delays_nobody(two):
    lab, fault = two(say="slow 200", batch_events=20, hang_timeout="10s")
    lab.wait_running("fault")
    events = lab.publish(1000)
    files_have(lab, 1000)
    assert lab.destination("fault")["committed"] < 500, "it has not even half of it yet"
    assert lab.destination("fault")["behind"] > 500
    fault.be_well()
    mended(lab, fault, events)
    assert lab.destination("fault")["restarts"] == 0


def test_without_a_journal_the_window_is_the_limit(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    lab.write_conf(f"[server]\nwindow_events = 200\njournal_size = 0\n\n[destination files]\nurl = {lab.file_url()}\n"
                   f"[destination fault]\nurl = {fault.url}\n")
    fault.say("retry closed")
    lab.start_eds()
    lab.wait_running()
    events = lab.publish(1000)
    lab.wait_until(lambda: lab.status()["upstream"]["state"] == "full", "the window to be full")
    status = lab.status()
    assert status["degraded"] and status["journal"]["enabled"] is False
    assert lab.js.consumer_info(lab.consumer)["num_pending"] > 0, "the rest waits upstream"
    fault.be_well()
    mended(lab, fault, events)


def test_trouble_is_shown_while_it_lasts_and_said_to_be_over(two):
    lab, fault = two(say="retry the shop is closed on Sundays")
    lab.wait_running("fault")
    events = lab.publish(40)
    seen = lab.wait_until(lambda: lab.destination("fault")["trouble_attempts"] >= 2 and lab.destination("fault"), "attempts")
    assert seen["state"] == "running" and seen["trouble"] == "the shop is closed on Sundays"
    why = lab.edsctl("why", "fault").stdout
    assert "the shop is closed on Sundays" in why and "nothing is lost" in why
    files_have(lab, 40)
    fault.be_well()
    mended(lab, fault, events)
    assert lab.destination("fault")["trouble"] == ""
    lab.wait_log(r"destination is well again after \d+ attempts")
    assert lab.destination("fault")["restarts"] == 0


def test_a_destination_that_is_closed_at_the_start_is_waited_for(two):
    lab, fault = two(say="open-retry nobody home", start_timeout="1s")
    seen = lab.wait_until(lambda: lab.destination("fault")["trouble_attempts"] >= 4 and lab.destination("fault"), "attempts")
    assert (seen["state"], seen["trouble"], seen["restarts"]) == ("starting", "nobody home", 0)
    events = lab.publish(40)
    files_have(lab, 40)
    fault.be_well()
    mended(lab, fault, events)


def test_perhaps_stored_is_offered_again_and_said(two):
    lab, fault = two(say="unsure the line went dead")
    lab.wait_running("fault")
    events = lab.publish(20)
    lab.wait_log("may be stored twice: the line went dead")
    fault.be_well()
    mended(lab, fault, events)


@pytest.mark.parametrize("say", ["config no such shop", "open-config no such shop"])
def test_h85_a_configuration_error_fails_at_once_with_the_reason(two, say):
    lab, fault = two(say=say)
    lab.publish(10)
    failed = lab.wait_state("fault", "failed")
    assert failed["restarts"] == 0 and "no such shop" in failed["reason"]
    files_have(lab, 10)
    assert "no such shop" in lab.edsctl("why", "fault").stdout
    fault.be_well()
    assert lab.edsctl("restart", "worker", "fault").returncode == 0
    lab.wait_running("fault")
    lab.wait_delivered()


def test_a_rejected_event_is_set_aside_and_the_rest_goes_on(two):
    lab, fault = two()
    lab.wait_running("fault")
    events = lab.events.batch(100)
    fault.say(f"reject-key {events[41].key}", f"reject-key {events[77].key}")
    rejected = {e.id for e in events if e.key in (events[41].key, events[77].key)}
    lab.publish_events(events)
    lab.wait_delivered()
    assert fault.stored() == [e.id for e in events if e.id not in rejected]
    seen = lab.destination("fault")
    assert seen["quarantined"] == len(rejected) and seen["state"] == "running"
    done = lab.edsctl("status", "--json")
    assert done.returncode == 4 and f"{len(rejected)} events in quarantine" in done.stdout
    assert "refused on command" in lab.eds.log()
    assert "quarantine" in lab.edsctl("why", "fault").stdout
    assert lab.stop_eds() == 0
    lab.start_eds()
    assert lab.destination("fault")["quarantined"] == len(rejected), "it is kept"


def test_with_on_reject_stop_a_rejected_event_halts_the_destination(two):
    lab, fault = two(on_reject="stop")
    lab.wait_running("fault")
    events = lab.events.batch(60)
    fault.say(f"reject-key {events[30].key}")
    lab.publish_events(events)
    failed = lab.wait_state("fault", "failed")
    assert "was rejected (on_reject = stop): refused on command" in failed["reason"]
    assert failed["quarantined"] == 0
    files_have(lab, 60)
    fault.be_well()
    assert lab.edsctl("restart", "worker", "fault").returncode == 0
    lab.wait_delivered()
    # What the worker still had may have been stored before it was ended; then it came again, in order.
    last = list(dict.fromkeys(reversed(fault.stored())))[::-1]
    assert last == [e.id for e in events]


def test_a_worker_program_that_is_not_there_fails_the_destination_only(enrolled):
    lab = enrolled
    lab.write_conf(f"[server]\nworker_program = {lab.dir}/nowhere\n\n[destination files]\nurl = {lab.file_url()}\n")
    lab.start_eds(wait="answer")
    failed = lab.wait_state("files", "failed")
    assert f"{lab.dir}/nowhere" in failed["reason"] and "No such file" in failed["reason"]
    assert lab.stop_eds() == 0
