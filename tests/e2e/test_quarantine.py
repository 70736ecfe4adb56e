"""What is set aside, what waits on disk and what the stream lost: shown, offered again, copied, dropped, noted."""
import json

import pytest

from helpers import Fault, quick
from tests.support import proc

FINE, FAILED, USAGE, NOBODY, DEGRADED = range(5)


def ask(lab, *args):
    """(exit status, the answer as JSON)."""
    done = lab.edsctl("--json", *args)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def three_aside(enrolled):
    """A server whose destination `fault` refused three of a hundred events; (lab, fault, events, refused)."""
    lab, fault = enrolled, Fault(enrolled)
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    lab.wait_running()
    inserts = [lab.events.insert(t) for t in lab.events.tables]
    refused = [inserts[7], inserts[21], inserts[50]]
    fault.say(*(f"reject-key {e.key}" for e in refused))
    lab.publish_events(inserts)
    lab.wait_delivered()
    lab.wait_until(lambda: lab.destination("fault")["quarantined"] == 3, "three events in quarantine")
    return lab, fault, inserts, refused


def test_what_was_set_aside_can_be_listed_shown_and_exported(three_aside):
    lab, _, inserts, refused = three_aside
    status, answer = ask(lab, "quarantine", "list")
    assert status == FINE
    assert [i["subject"] for i in answer["items"]] == [e.subject for e in refused]
    assert all(i["destination"] == "fault" and "refused on command" in i["reason"] for i in answer["items"])
    assert ask(lab, "quarantine", "list", "files")[1]["items"] == []
    seqs = [i["seq"] for i in answer["items"]]
    status, answer = ask(lab, "quarantine", "show", "fault", seqs[1])
    assert status == FINE and answer["item"]["payload"].encode() == refused[1].payload
    done = lab.edsctl("quarantine", "export", "fault")
    assert done.returncode == FINE
    assert done.stdout.encode().splitlines() == [e.payload for e in refused]
    assert lab.edsctl("quarantine", "export", "fault", seqs[0]).stdout.encode().splitlines() == [
        e.payload for e in refused[1:]]


def test_offered_again_it_is_stored_and_leaves_the_quarantine(three_aside):
    lab, fault, inserts, refused = three_aside
    seqs = [i["seq"] for i in ask(lab, "quarantine", "list")[1]["items"]]
    done = lab.edsctl("quarantine", "retry", "fault", seqs[0])
    assert done.returncode == FAILED and "refused on command" in done.stderr
    assert lab.destination("fault")["quarantined"] == 3
    fault.be_well()
    assert lab.edsctl("quarantine", "retry", "fault", seqs[0]).returncode == FINE
    assert lab.destination("fault")["quarantined"] == 2
    assert lab.edsctl("quarantine", "retry", "fault", "all").returncode == FINE
    assert lab.destination("fault")["quarantined"] == 0
    assert fault.stored()[-3:] == [e.id for e in refused]
    assert sorted(fault.stored()) == sorted(e.id for e in inserts)
    assert lab.edsctl("status").returncode == FINE


def test_dropped_it_is_forgotten(three_aside):
    lab, _, _, _ = three_aside
    seqs = [i["seq"] for i in ask(lab, "quarantine", "list")[1]["items"]]
    assert lab.edsctl("quarantine", "drop", "fault", seqs[2]).returncode == FINE
    assert [i["seq"] for i in ask(lab, "quarantine", "list")[1]["items"]] == seqs[:2]
    assert lab.stop_eds() == 0
    lab.start_eds()
    assert lab.destination("fault")["quarantined"] == 2
    assert lab.edsctl("quarantine", "drop", "fault", "all").returncode == FINE
    assert lab.destination("fault")["quarantined"] == 0
    lab.wait_running()
    assert lab.edsctl("status").returncode == FINE


def test_mistakes_are_answered_in_words(three_aside):
    lab, _, _, _ = three_aside
    for args in (("show", "fault", "1"), ("retry", "fault", "999999"), ("drop", "fault", "999999")):
        done = lab.edsctl("quarantine", *args)
        assert done.returncode == FAILED and "quarantine of fault" in done.stderr, args
    assert lab.edsctl("quarantine", "list", "nobody").returncode == FAILED
    for args in (("frob",), ("show", "fault"), ("drop", "fault"), ("show", "fault", "many")):
        assert lab.edsctl("quarantine", *args).returncode in (FAILED, USAGE), args
    assert lab.destination("fault")["quarantined"] == 3


# ---- an event that kills the worker

@pytest.mark.parametrize("how", ["crash-key", "hang-key"])
def test_an_event_that_kills_its_worker_is_found_and_set_aside(enrolled, how):
    lab, fault = enrolled, Fault(enrolled)
    lab.start_eds({"files": quick(lab.file_url()),
                   "fault": quick(fault.url, restart_limit=30, hang_timeout="1s", ping_timeout="1s")})
    lab.wait_running()
    inserts = [lab.events.insert(t) for t in lab.events.tables]
    poison = inserts[33]
    fault.say(f"{how} {poison.key}")
    lab.publish_events(inserts)
    lab.wait_until(lambda: lab.destination("fault")["quarantined"] == 1, "the culprit to be found", 45)
    lab.wait_delivered()
    assert fault.differences([e for e in inserts if e is not poison]) == []
    item, = ask(lab, "quarantine", "list", "fault")[1]["items"]
    assert item["subject"] == poison.subject
    assert lab.destination("files")["restarts"] == 0
    assert lab.differences(sqlite=None) == []


def test_a_worker_that_dies_of_everything_fails_and_nothing_is_set_aside(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url, restart_limit=30)})
    lab.wait_running()
    fault.say("crash")
    events = lab.publish(100)
    lab.wait_state("fault", "failed", timeout=40)
    assert lab.destination("fault")["quarantined"] == 0
    fault.be_well()
    assert lab.edsctl("restart", "worker", "fault").returncode == FINE
    lab.wait_delivered()
    assert fault.differences(events) == []


# ---- the journal

def test_the_journal_says_who_needs_it_and_can_be_verified(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    lab.wait_running()
    assert "empty" in lab.edsctl("journal").stdout
    fault.say("retry closed")
    events = lab.publish(300)
    lab.wait_until(lambda: lab.status()["journal"]["events"] == 300, "the journal")
    status, answer = ask(lab, "journal")
    assert status == FINE
    assert [(n["destination"], n["behind"]) for n in answer["needed_by"]] == [("fault", 300)]
    status, answer = ask(lab, "journal", "check")
    assert (status, answer["readable"], answer["unreadable"]) == (FINE, 300, 0)
    assert lab.edsctl("journal", "frob").returncode == USAGE
    fault.be_well()
    lab.wait_delivered()
    assert fault.stored() == [e.id for e in events]
    proc.wait_until(lambda: "empty" in lab.edsctl("journal").stdout, "the journal to be empty")


# ---- gaps

def test_a_gap_is_shown_until_it_is_noted(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    assert lab.edsctl("gap").returncode == FINE
    lab.publish(50)
    lab.wait_delivered()
    assert lab.stop_eds() == 0
    lab.admin.publish_many(e.message for e in lab.events.batch(20))
    lab.js.purge()
    lab.start_eds()
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []
    lab.wait_until(lambda: lab.edsctl("gap").returncode == DEGRADED, "the gap")
    item, = ask(lab, "gap", "list")[1]["items"]
    assert (item["from"], item["to"]) == (51, 70)
    assert lab.edsctl("status").returncode == DEGRADED
    assert lab.edsctl("gap", "accept").returncode == FINE
    assert lab.edsctl("status").returncode == FINE
    assert lab.stop_eds() == 0
    lab.start_eds()
    lab.wait_running()
    assert lab.edsctl("gap").returncode == FINE and "noted" in lab.edsctl("gap").stdout


def test_a_stream_made_anew_waits_for_the_operator(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    lab.publish(50)
    lab.wait_delivered()
    assert lab.stop_eds() == 0
    lab.js.delete_stream()
    lab.js.create_stream(storage="memory")
    lab.admin.publish_many(e.message for e in lab.events.batch(5))
    lab.start_eds(wait="answer")
    lab.wait_until(lambda: lab.status()["upstream"]["state"] == "gap", "the new stream to be noticed")
    assert lab.edsctl("status").returncode == DEGRADED
    done = lab.edsctl("gap", "accept")
    assert done.returncode == FINE, done.stderr
    lab.wait_consumer()
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []
    assert lab.destination("files")["cursor"] == lab.js.last_seq()
