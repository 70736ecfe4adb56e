"""The store's file as a power cut or a bad disk leaves it: what can be read is delivered, what cannot is named."""
import os
import re
import shutil
import signal

from helpers import Fault, Load, quick
from tests.support.ledger import destination_problems

PAGE = 4096
LEAF = 2


def start(lab, fault, **options):
    lab.start_eds({"files": quick(lab.file_url()), fault.name: quick(fault.url, **options)})
    lab.wait_running()


def store_file(lab):
    return os.path.join(lab.data_dir, "store", "data.mdb")


def waiting_events(lab, fault, count=300):
    """So many events that only the journal has: `files` took them, `fault` was paused."""
    start(lab, fault)
    assert lab.edsctl("pause", "fault").returncode == 0
    events = lab.publish(count)
    lab.wait_until(lambda: lab.status()["journal"]["events"] == count and lab.js.settled(lab.consumer), "the journal")
    return events


def spoil_page_of(lab, event):
    """Zeros over the leaf page of the journal that holds the event; its number in the file."""
    with open(store_file(lab), "r+b") as f:
        content = f.read()
        pages = {m.start() // PAGE for m in re.finditer(re.escape(event.id.encode()), content)}
        pages = [p for p in pages if content[p * PAGE + 10] & LEAF]
        assert pages, "the event lies in a leaf of the journal"
        for page in pages:
            f.seek(page * PAGE)
            f.write(bytes(PAGE))


def named_as_lost(lab):
    """The sequences in `edsctl gap list`."""
    listed = lab.edsctl("gap", "list")
    assert listed.returncode == 4, listed.stdout
    ranges = re.findall(r"(\d+) to (\d+), found", listed.stdout)
    return {seq for a, b in ranges for seq in range(int(a), int(b) + 1)}


def all_but_the_named_arrive(lab, fault, events, lost):
    assert lab.edsctl("resume", "fault").returncode == 0
    lab.wait_until(lambda: lab.destination("fault")["cursor"] == len(events), "fault to be through")
    assert fault.stored() == [e.id for seq, e in enumerate(events, 1) if seq not in lost]
    assert lab.differences(sqlite=None) == []
    assert "gap" in lab.edsctl("status").stdout


def test_a_damaged_entry_of_the_journal_is_named_and_the_rest_arrives(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    events = waiting_events(lab, fault)
    lab.kill_eds()
    damaged = events[150]
    with open(store_file(lab), "r+b") as f:
        content = f.read()
        found = [m.start() for m in re.finditer(re.escape(damaged.id.encode()), content)]
        assert found, "the event is in the journal"
        for at in found:
            f.seek(at)
            f.write(b"?")
    lab.start_eds()
    check = lab.edsctl("journal", "check")
    assert check.returncode == 4 and "299 events can be read, 1 cannot" in check.stdout + check.stderr
    assert lab.edsctl("resume", "fault").returncode == 0
    lab.wait_delivered()
    assert fault.stored() == [e.id for e in events if e is not damaged]
    assert lab.differences(sqlite=None) == []
    listed = lab.edsctl("gap", "list")
    assert listed.returncode == 4 and "151 to 151" in listed.stdout and listed.stdout.count(" to ") == 1, listed.stdout


def test_the_store_as_a_power_cut_leaves_it_lacks_nothing(enrolled):
    """The whole machine stands still at a random moment of writing; what is in the file then is what is left."""
    lab, fault = enrolled, Fault(enrolled)
    fault.say("slow 5")
    start(lab, fault, batch_events=50)
    path, copy = os.path.join(lab.data_dir, "store", "data.mdb"), os.path.join(lab.dir, "copy.mdb")
    events = []
    for _ in range(4):
        with Load(lab, lot=100) as load:
            lab.wait_until(lambda: load.count > 700, "some load")
            lab.eds.signal(signal.SIGSTOP)
            shutil.copyfile(path, copy)
            lab.kill_eds()
        events += load.events
        os.remove(os.path.join(lab.data_dir, "store", "lock.mdb"))
        os.rename(copy, path)
        lab.start_eds()
    fault.be_well()
    lab.wait_delivered()
    assert destination_problems(lab, fault, events, crashes=4) == []
    assert lab.differences(sqlite=None) == []


def test_a_page_that_cannot_be_read_at_a_start_costs_its_events_alone_and_names_them(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    events = waiting_events(lab, fault)
    lab.kill_eds()
    spoil_page_of(lab, events[149])
    lab.start_eds()
    lost = named_as_lost(lab)
    assert 150 in lost and len(lost) <= 6, lost
    assert re.search(r"the damaged one is kept as \S+/store\.damaged-\d+", lab.eds.log())
    all_but_the_named_arrive(lab, fault, events, lost)
    assert lab.edsctl("gap", "accept").returncode == 0
    assert lab.edsctl("status").returncode == 0


def test_a_page_that_goes_bad_while_the_server_runs_costs_its_events_alone(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    events = waiting_events(lab, fault)
    spoil_page_of(lab, events[149])
    assert lab.edsctl("journal", "check").returncode != 0
    lab.wait_until(lambda: lab.edsctl("journal", "check").returncode == 0, "the store to be built anew")
    lost = named_as_lost(lab)
    assert 150 in lost and len(lost) <= 6, lost
    more = lab.publish(50)
    all_but_the_named_arrive(lab, fault, events + more, lost)
    assert lab.eds.running()


def test_what_a_file_that_was_cut_off_lacks_comes_once_more_from_the_stream(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    events = waiting_events(lab, fault)
    lab.kill_eds()
    os.truncate(store_file(lab), os.path.getsize(store_file(lab)) - PAGE)
    lab.start_eds()
    assert lab.edsctl("resume", "fault").returncode == 0
    lab.wait_delivered()
    assert destination_problems(lab, fault, events, crashes=1) == []
