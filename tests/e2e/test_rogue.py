"""A worker that talks nonsense, or not at all: it is ended, with a reason; eds and the others go on."""
import os

import pytest

import rogue_worker
from helpers import Fault, quick
from tests.support.lab import build_dir

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rogue_worker.py")
REAL = os.path.join(build_dir(), "eds-worker")


def start(lab, way, wait=True, options=None, **env):
    conf = f"[server]\nworker_program = {PROGRAM}\n\n"
    for name, url in (("files", lab.file_url()), ("bad", Fault(lab, "bad").url + f"&rogue={way}")):
        section = quick(url, **{"start_timeout": "10s", "restart_limit": 2, **(options or {})})
        conf += f"[destination {name}]\n" + "".join(f"{k} = {v}\n" for k, v in section.items()) + "\n"
    lab.start_eds(conf, wait=wait, EDS_REAL_WORKER=REAL, **env)


def others_go_on(lab, count=100):
    lab.publish(count)
    lab.wait_until(lambda: lab.destination("files")["committed"] == count, "files to have everything")
    assert lab.differences(sqlite=None) == []
    assert lab.destination("files")["restarts"] == 0
    assert lab.eds.running()


@pytest.mark.parametrize("way", sorted(set(rogue_worker.WAYS) - {"large-announcement", "half-a-frame"}))
def test_nonsense_on_the_socket_ends_that_worker_only(enrolled, way):
    lab = enrolled
    start(lab, way)
    failed = lab.wait_state("bad", "failed")
    assert "the worker broke the protocol: " in failed["reason"]
    assert "2 crashes" in failed["reason"] and failed["quarantined"] == 0 and failed["cursor"] == 0
    lab.wait_running("files")
    others_go_on(lab)


@pytest.mark.parametrize("way", ["half-a-frame", "closed", "large-announcement"])
def test_a_worker_that_falls_silent_or_vanishes_is_replaced(enrolled, way):
    lab = enrolled
    start(lab, way, options={"ping_timeout": "1s"})
    lab.wait_running("files")
    lab.wait_until(lambda: lab.destination("bad")["restarts"] >= 1, "another worker")
    others_go_on(lab)
    assert lab.destination("bad")["cursor"] in (0, lab.js.last_seq()) and lab.destination("bad")["committed"] == 0
    memory = lab.status()["server"]["rss_bytes"]
    assert memory < 200 << 20, "what was announced is not set aside"


def test_a_worker_that_never_gets_ready_is_started_anew(enrolled):
    lab = enrolled
    start(lab, "silent", options={"start_timeout": "1s", "ping_timeout": "20s"})
    lab.wait_log("the worker was not ready within 1 s")
    lab.wait_running("files")
    others_go_on(lab)


def test_a_worker_of_another_version_is_refused_in_words(enrolled):
    lab = enrolled
    start(lab, "none", wait="answer", EDS_ROGUE_HELLO="1")
    failed = lab.wait_state("bad", "failed")
    assert failed["restarts"] == 0, "starting it again would not mend it"
    assert "7" in failed["reason"] and "same package" in failed["reason"]
    assert lab.stop_eds() == 0


def test_a_worker_that_knows_no_rules_gets_no_events_that_are_to_fit_some(enrolled):
    lab = enrolled
    folder = os.path.join(lab.dir, "rules")
    os.makedirs(folder)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        f.write("{}")
    conf = f"[server]\nworker_program = {PROGRAM}\nschema_validator = {folder}\n[destination files]\nurl = {lab.file_url()}\n"
    lab.start_eds(conf, wait="answer", EDS_REAL_WORKER=REAL, EDS_ROGUE_LAWLESS="1")
    failed = lab.wait_state("files", "failed")
    assert failed["restarts"] == 0 and "same package" in failed["reason"]
    assert lab.edsctl("import", "files").returncode == 0
    lab.wait_log("the import into files failed: .*same package")
    assert os.listdir(lab.file_dir()) == []
