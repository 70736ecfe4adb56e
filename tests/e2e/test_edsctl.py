"""edsctl: every verb, its exit status, and its words."""
import json
import os
import signal
import subprocess

import pytest

from helpers import Fault, quick
from tests.support import proc
from tests.support.lab import Lab, build_dir
from tests.support.terminal import Terminal

FINE, FAILED, USAGE, NOBODY, DEGRADED = range(5)


@pytest.fixture(scope="module")
def running():
    """One server for the tests that leave it as it was."""
    with Lab(storage="memory") as lab:
        lab.enroll()
        lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
        lab.wait_running("files", "shop")
        lab.publish(200)
        lab.wait_delivered()
        yield lab


def test_status_is_a_table_of_the_destinations(running):
    done = running.edsctl("status")
    assert (done.returncode, done.stderr) == (FINE, "")
    for text in ("files", "shop", "running", str(running.eds.pid)):
        assert text in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("columns", [40, 60, 80])
@pytest.mark.parametrize("args", [("status",), ("why", "shop"), ("journal",), ("gap", "list"), ("quarantine", "list"), ("help",)])
def test_no_line_is_wider_than_the_terminal(running, args, columns):
    env = running.environment(NO_COLOR="1")
    env.pop("COLUMNS", None)
    shown = Terminal([os.path.join(build_dir(), "edsctl"), "-d", running.data_dir, *args], running.dir, env, columns=columns)
    try:
        while shown.read():
            pass
    finally:
        shown.close()
    lines = shown.output.replace("\r", "").splitlines()
    assert lines and [line for line in lines if len(line) > columns] == []


def test_status_as_json_has_what_its_page_promises(running):
    doc = running.status()
    assert (doc["version"], doc["ok"], doc["degraded"], doc["reasons"]) == (1, True, False, [])
    assert doc["server"]["pid"] == running.eds.pid
    assert doc["server"]["data_dir"] == running.data_dir and doc["server"]["config_file"] == running.conf_path
    assert doc["session"]["state"] == "active"
    assert doc["session"]["id"] == running.hq.live_sessions()[0].id
    assert doc["schemas"]["fetched"] > 0 and doc["schemas"]["trouble"] == ""
    up = doc["upstream"]
    assert (up["state"], up["consumer"], up["companies"]) == ("running", running.consumer, running.hq.companies)
    last = running.js.last_seq()
    assert (up["received"], up["last_seq"], up["acked_seq"], up["server_pending"]) == (200, last, last, 0)
    assert doc["window"]["events"] == 0 and doc["window"]["limit_events"] > 0
    assert doc["journal"]["enabled"] is True and doc["journal"]["events"] == 0
    files, shop = doc["destinations"]
    assert (files["name"], files["driver"], shop["driver"]) == ("files", "file", "sqlite")
    for d in files, shop:
        assert d["state"] == "running" and d["pid"] > 0 and d["cursor"] == last and d["behind"] == 0
        assert d["committed"] == 200 and d["restarts"] == 0 and d["quarantined"] == 0
        assert running.dir not in d["url"], "the URL is masked"
    assert len(shop["tables"]) == 58
    running.wait_until(lambda: running.destination("shop")["rss_bytes"] > 1 << 20, "the memory of the worker")


def test_status_watch_repeats_until_interrupted(running):
    child = subprocess.Popen([os.path.join(build_dir(), "edsctl"), "-d", running.data_dir, "status", "--json", "--watch"],
                             stdout=subprocess.PIPE, text=True, env=running.environment())
    try:
        seen = [json.loads(child.stdout.readline()) for _ in range(2)]
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == FINE
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert [d["ok"] for d in seen] == [True, True]


def test_why_explains_in_sentences(running):
    done = running.edsctl("why", "shop")
    assert done.returncode == FINE
    assert "shop is running" in done.stdout
    explained = json.loads(running.edsctl("--json", "why", "shop").stdout)
    assert explained["ok"] and explained["name"] == "shop" and len(explained["explain"]) >= 2


def test_ping_check_version_help(running):
    assert running.edsctl("ping").returncode == FINE
    assert str(running.eds.pid) in running.edsctl("ping").stdout
    done = running.edsctl("check")
    assert done.returncode == FINE and "fine" in done.stdout
    done = running.edsctl("version")
    assert done.returncode == FINE and done.stdout.startswith("edsctl ")
    assert done.stdout.split()[1] == running.run("eds", "version").stdout.strip()
    done = running.edsctl("help")
    assert done.returncode == FINE
    for verb in ("status", "why", "pause", "resume", "restart", "reload", "check", "ping", "version"):
        assert verb in done.stdout
        assert verb in running.edsctl("help", verb).stdout


def test_reload_of_an_unchanged_file_changes_nothing(running):
    done = running.edsctl("reload")
    assert done.returncode == FINE and "nothing changed" in done.stdout


@pytest.mark.parametrize("args", [
    (), ("frobnicate",), ("why",), ("why", "a", "b"), ("status", "files"), ("restart", "worker"), ("restart", "shop"),
    ("restart", "shop", "files"), ("ping", "--watch"), ("--timeout", "0", "ping"), ("--nope",), ("help", "frobnicate"),
])
def test_wrong_usage_is_2(running, args):
    done = running.edsctl(*args)
    assert done.returncode == USAGE
    assert done.stderr != ""
    assert running.edsctl("status").returncode == FINE


@pytest.mark.parametrize("args", [("why", "nobody"), ("pause", "nobody"), ("resume", "nobody"),
                                  ("restart", "worker", "nobody")])
def test_a_destination_that_is_not_there_is_1_and_the_others_are_named(running, args):
    done = running.edsctl(*args)
    assert done.returncode == FAILED
    assert "nobody" in done.stderr and "files" in done.stderr and "shop" in done.stderr


@pytest.mark.parametrize("args", [("status",), ("ping",), ("reload",), ("why", "files"), ("status", "--watch")])
def test_without_a_server_it_is_3(lab, args):
    done = lab.edsctl(*args)
    assert done.returncode == NOBODY
    assert "no eds server answers" in done.stderr


def test_a_socket_left_behind_by_a_killed_server_is_3(enrolled):
    enrolled.start_eds({"files": enrolled.file_url()})
    enrolled.kill_eds()
    assert os.path.exists(os.path.join(enrolled.data_dir, "eds.sock"))
    assert enrolled.edsctl("status").returncode == NOBODY
    enrolled.start_eds()
    assert enrolled.edsctl("ping").returncode == FINE


def test_pause_and_resume_of_one_destination(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
    lab.wait_running()
    assert lab.edsctl("pause", "shop").returncode == FINE
    assert lab.wait_state("shop", "paused")["paused"] is True
    assert lab.edsctl("status").returncode == DEGRADED
    lab.publish(300)
    lab.wait_until(lambda: lab.destination("files")["committed"] == 300, "files to have everything")
    shop = lab.destination("shop")
    assert (shop["state"], shop["committed"], shop["behind"]) == ("paused", 0, 300)
    assert "edsctl resume shop" in lab.edsctl("why", "shop").stdout
    assert lab.edsctl("resume", "shop").returncode == FINE
    lab.wait_delivered()
    assert lab.differences() == []


def test_a_pause_of_a_destination_survives_a_restart(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url())})
    lab.wait_running()
    assert lab.edsctl("pause", "files").returncode == FINE
    lab.publish(50)
    assert lab.stop_eds() == 0
    lab.start_eds()
    lab.wait_state("files", "paused")
    assert lab.destination("files")["committed"] == 0
    assert lab.edsctl("resume", "files").returncode == FINE
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


def test_pause_and_resume_of_everything(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
    lab.wait_running()
    assert lab.edsctl("pause").returncode == FINE
    assert lab.status()["upstream"]["state"] == "paused" and lab.status()["upstream"]["paused"] > 0
    lab.publish(100)
    assert lab.edsctl("status").returncode == DEGRADED
    assert {d["committed"] for d in lab.status()["destinations"]} == {0}
    assert lab.edsctl("resume").returncode == FINE
    lab.wait_delivered()
    assert lab.status()["upstream"]["paused"] == 0
    assert lab.differences() == []


def test_restart_of_one_worker_leaves_the_others_alone(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
    lab.wait_running()
    files, shop = lab.worker_pid("files"), lab.worker_pid("shop")
    lab.publish(300)
    done = lab.edsctl("restart", "worker", "shop")
    assert done.returncode == FINE and "shop" in done.stdout
    lab.publish(300)
    lab.wait_until(lambda: lab.destination("shop")["pid"] not in (0, shop), "another worker for shop")
    lab.wait_delivered()
    assert lab.worker_pid("files") == files
    assert lab.differences() == []


def test_restart_of_the_server_keeps_its_pid_and_loses_nothing(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
    lab.wait_running()
    before = lab.status()["server"]
    lab.publish(500)
    assert lab.edsctl("restart").returncode == FINE
    lab.publish(500)

    def another():
        done = lab.edsctl("status", "--json")
        return done.returncode in (FINE, DEGRADED) and json.loads(done.stdout)["server"]["started"] > before["started"]
    lab.wait_until(another, "the server to be back")
    assert lab.status()["server"]["pid"] == before["pid"] == lab.eds.pid
    lab.wait_delivered()
    assert lab.differences() == []
    assert len(lab.hq.live_sessions()) == 1, "the session before was ended"
    assert lab.stop_eds() == 0


def test_degraded_is_4_and_says_why(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("retry the shop is closed")
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    lab.wait_running()
    lab.publish(20)
    lab.wait_until(lambda: lab.destination("fault")["trouble"], "trouble")
    done = lab.edsctl("status", "--json")
    assert done.returncode == DEGRADED
    doc = json.loads(done.stdout)
    assert doc["degraded"] and any("fault" in r and "the shop is closed" in r for r in doc["reasons"])
    assert "the shop is closed" in lab.edsctl("status").stdout
    fault.be_well()
    lab.wait_delivered()
    proc.wait_until(lambda: lab.edsctl("status").returncode == FINE, "the status to be fine again")


def test_one_is_not_told_as_many(enrolled):
    lab, aside, dies = enrolled, Fault(enrolled, "aside"), Fault(enrolled, "dies")
    event = lab.events.insert("order")
    aside.say(f"reject-key {event.key}")
    dies.say("crash")
    lab.start_eds({"aside": quick(aside.url), "dies": quick(dies.url, restart_limit=1)})
    lab.wait_running("aside")
    lab.publish_events([event])
    assert "1 crash within" in lab.wait_state("dies", "failed")["reason"]
    lab.wait_until(lambda: lab.destination("aside")["quarantined"] == 1, "the event to be set aside")
    assert "ago, 1 attempt, " in json.loads(lab.edsctl("--json", "quarantine", "list").stdout)["lines"][0]


def test_a_server_that_does_not_answer_is_1_after_the_timeout(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    lab.eds.signal(signal.SIGSTOP)
    try:
        done = lab.edsctl("--timeout", "1", "ping")
    finally:
        lab.eds.signal(signal.SIGCONT)
    assert done.returncode == FAILED
    assert "did not answer within 1 second" in done.stderr
