"""Events that a destination cannot bear: exactly those are set aside, the rest arrives in order, and nobody else notices."""
import os

import pytest

from helpers import Fault, quick
from tests.support.ledger import destination_problems, quarantined_ids

WAYS = ["reject-key", "crash-key", "hang-key"]
CRASHES = 60        # that bisection may take: each may repeat what was in flight


@pytest.fixture
def picky(enrolled):
    """A running server with `files`, and `fault`, whose crashes and hangs do not end it."""
    fault = Fault(enrolled)
    patient = quick(fault.url, restart_limit=500, hang_timeout="300ms", backoff_min="10ms", backoff_max="20ms")
    enrolled.start_eds({"files": quick(enrolled.file_url()), "fault": patient})
    enrolled.wait_running()
    return enrolled, fault


def poison(lab, before, between=(), after=0):
    """Events of which some have keys of their own; returns (all of them, those)."""
    table = lab.events.tables[0]
    events, bad = lab.events.batch(before), []
    for distance in (0, *between):
        events += lab.events.batch(distance)
        row = f"poison-{len(bad)}"
        bad.append(lab.events.insert(table, row))
        del lab.events.rows[table][row]     # no further change of it follows
        events.append(bad[-1])
    return events + lab.events.batch(after), bad


def arrive(lab, fault, events, bad, crashes=CRASHES):
    lab.wait_delivered(timeout=60)
    assert destination_problems(lab, fault, events, crashes, bad) == []
    assert lab.differences(sqlite=None) == []
    assert lab.destination("fault")["quarantined"] == len(bad)
    assert lab.destination("files")["restarts"] == 0 and lab.destination("files")["quarantined"] == 0


@pytest.mark.parametrize("way", WAYS)
def test_one_poisoned_event_is_found_and_set_aside(picky, way):
    lab, fault = picky
    few = 8 if way == "hang-key" else 80        # each hang has to be waited for
    events, bad = poison(lab, few + 20, after=few)
    fault.say(f"{way} poison-0")
    lab.publish_events(events)
    arrive(lab, fault, events, bad, 0 if way == "reject-key" else CRASHES)
    more = lab.publish(50)
    lab.wait_delivered()
    assert fault.stored()[-50:] == [e.id for e in more]


# Bisecting hangs takes longest; `make chaos` has the time.
HANGS = [("hang-key",) * 2, ("reject-key", "hang-key")] if "EDS_FAULT_EVENTS" in os.environ else []


@pytest.mark.parametrize("ways", [("reject-key",) * 2, ("crash-key",) * 2, ("crash-key", "reject-key"), *HANGS], ids="+".join)
def test_two_in_one_batch_are_both_found(picky, ways):
    lab, fault = picky
    fault.say("retry until all are here")
    few = 4 if "hang-key" in ways else 30
    events, bad = poison(lab, few, between=[4], after=few)
    lab.publish_events(events)
    lab.wait_until(lambda: lab.destination("fault")["in_flight"] == len(events), "one batch")
    fault.say(*(f"{way} poison-{n}" for n, way in enumerate(ways)))
    arrive(lab, fault, events, bad)


def test_neighbours_and_the_first_event_of_all(picky):
    lab, fault = picky
    events, bad = poison(lab, 0, between=[0], after=20)
    fault.say("crash-key poison-0", "crash-key poison-1")
    lab.publish_events(events)
    arrive(lab, fault, events, bad)


def test_a_killer_is_found_although_the_server_dies_meanwhile(picky):
    lab, fault = picky
    events, bad = poison(lab, 60, after=60)
    fault.say("crash-key poison-0")
    lab.publish_events(events)
    for _ in range(2):
        lab.wait_until(lambda: (d := lab.destination("fault"))["restarts"] >= 2 or d["quarantined"], "a few crashes")
        lab.kill_eds()
        lab.start_eds()
    arrive(lab, fault, events, bad)
    lab.kill_eds()
    lab.start_eds()
    assert quarantined_ids(lab, "fault") == [e.id for e in bad], "it outlives a crash"


def test_a_mended_destination_takes_what_was_set_aside(picky):
    lab, fault = picky
    events, bad = poison(lab, 20, between=[10], after=20)
    fault.say("reject-key poison-0", "reject-key poison-1")
    lab.publish_events(events)
    arrive(lab, fault, events, bad, 0)
    assert lab.edsctl("quarantine", "retry", "fault", "all").returncode != 0, "it is still refused"
    assert quarantined_ids(lab, "fault") == [e.id for e in bad]
    fault.be_well()
    done = lab.edsctl("quarantine", "retry", "fault", "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert quarantined_ids(lab, "fault") == []
    assert fault.stored()[-2:] == [e.id for e in bad] and len(fault.stored()) == len(events)
    assert lab.destination("fault")["quarantined"] == 0


def test_refusing_everything_fails_the_destination_instead_of_emptying_the_stream(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("reject-every 1")
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url, quarantine_limit=5)})
    events = lab.publish(100)
    failed = lab.wait_state("fault", "failed")
    assert "5" in failed["reason"] and "refused on command" in failed["reason"]
    aside = quarantined_ids(lab, "fault")
    assert aside == [e.id for e in events[:len(aside)]] and len(aside) <= 5
    fault.be_well()
    assert lab.edsctl("restart", "worker", "fault").returncode == 0
    lab.wait_delivered()
    assert destination_problems(lab, fault, events, 0, events[:len(aside)]) == []
    assert lab.differences(sqlite=None) == []
