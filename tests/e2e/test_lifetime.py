"""How a server begins and ends: signals, the service manager, process 1, one server per directory."""
import os
import signal
import socket
import subprocess
import time

import pytest

from helpers import Fault, Load, quick
from tests.support import proc
from tests.support.lab import build_dir, descendants, start_time


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_h75_a_signal_ends_it_in_order(enrolled, number):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
    lab.wait_running()
    with Load(lab) as load:
        lab.wait_until(lambda: load.count > 300, "some load")
        children = descendants(lab.eds.pid)
        assert len(children) == 2
        lab.eds.signal(number)
        assert lab.eds.wait() == 0
    assert not any(os.path.exists(f"/proc/{pid}") for pid in children)
    assert "ending, workers finish what they hold" in lab.eds.log() and "Bye" in lab.eds.log()
    assert not os.path.exists(os.path.join(lab.data_dir, "eds.sock"))
    assert [s.errored for s in lab.hq.sessions.values()] == [False]
    lab.start_eds()
    lab.wait_delivered()
    assert lab.differences() == []


def test_what_the_workers_hold_is_stored_before_the_end(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("slow 300")
    lab.start_eds({"fault": quick(fault.url, hang_timeout="5s")})
    lab.wait_running()
    events = lab.publish(20)
    lab.wait_until(lambda: lab.destination("fault")["in_flight"] > 0, "the worker to have them")
    assert lab.stop_eds() == 0
    assert fault.stored() == [e.id for e in events]
    lab.start_eds()
    lab.wait_delivered()
    assert len(fault.stored()) == 20, "nothing comes twice after an orderly end"


def test_a_worker_that_hangs_does_not_hold_up_the_end(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("hang")
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url, hang_timeout="0", drain_timeout="500ms")})
    lab.wait_running()
    events = lab.publish(20)
    lab.wait_until(lambda: lab.destination("files")["committed"] == 20, "files to have everything")
    assert lab.stop_eds(10) == 0
    fault.be_well()
    lab.start_eds()
    lab.wait_delivered()
    assert fault.differences(events) == []


def test_a_second_signal_ends_it_at_once(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("hang")
    lab.start_eds({"fault": quick(fault.url, hang_timeout="0", drain_timeout="10m")})
    lab.wait_running()
    events = lab.publish(5)
    lab.wait_until(lambda: lab.destination("fault")["in_flight"] > 0, "the worker to have them")
    children = descendants(lab.eds.pid)
    lab.eds.signal(signal.SIGTERM)
    lab.wait_log("SIGTERM: ending")
    assert lab.get("/")[0] == 503, "it is shutting down"
    assert lab.get("/ready")[0] == 503
    lab.eds.signal(signal.SIGTERM)
    lab.eds.wait(10)
    assert "second signal: ending at once" in lab.eds.log()
    # Whether they are reaped is up to process 1, and not every container has one that does.
    proc.wait_until(lambda: not any(start_time(pid) for pid in children), "the worker to be gone")
    fault.be_well()
    lab.start_eds()
    lab.wait_delivered()
    assert fault.differences(events) == []


def test_two_servers_on_one_directory_the_second_gives_up(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    done = lab.run("eds", *lab.server_arguments()[:-4], "--port", "0")
    assert done.returncode == 1
    assert f"another eds server (pid {lab.eds.pid}) already uses the data directory {lab.data_dir}" in done.stdout + done.stderr
    assert len(lab.hq.sessions) == 1, "HQ did not hear of it"
    lab.publish(30)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


def test_a_server_that_was_killed_does_not_block_the_next(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    lab.kill_eds()
    lab.start_eds()
    assert lab.status()["server"]["pid"] == lab.eds.pid


# ---- the service manager

@pytest.fixture
def manager(lab):
    """A datagram socket in the place of systemd's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(os.path.join(lab.dir, "notify"))
        s.settimeout(10)
        yield Manager(s)


class Manager:
    def __init__(self, s):
        self._socket, self.path, self.heard = s, s.getsockname(), []

    def wait_for(self, line, timeout=15.0):
        """Until a message has the line; earlier ones are forgotten."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            message = self._socket.recv(4096).decode()
            self.heard.append(message)
            if line in message.splitlines():
                return message
        raise AssertionError(f"{line} did not come, only {self.heard}")


def test_the_service_manager_is_told(enrolled, manager):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()}, NOTIFY_SOCKET=manager.path, WATCHDOG_USEC=400000)
    manager.wait_for("READY=1")
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    lab.wait_consumer()
    lab.eds.signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    with open(f"/proc/{lab.worker_pid('files')}/environ", "rb") as f:
        environment = f.read()
    assert b"NOTIFY_SOCKET" not in environment and b"WATCHDOG_USEC" not in environment
    assert any(m.startswith("STATUS=") or "\nSTATUS=" in m for m in manager.heard)
    lab.eds.signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert lab.eds.wait() == 0


def test_ready_is_said_again_after_a_restart_in_place(enrolled, manager):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()}, NOTIFY_SOCKET=manager.path)
    manager.wait_for("READY=1")
    assert lab.edsctl("restart").returncode == 0
    manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    lab.wait_until(lambda: lab.edsctl("ping").returncode == 0, "an answer")
    assert lab.stop_eds() == 0


def test_a_service_manager_that_is_not_there_is_no_reason_to_fail(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()}, NOTIFY_SOCKET=os.path.join(lab.dir, "nobody"))
    lab.publish(20)
    lab.wait_delivered()
    assert lab.stop_eds() == 0


# ---- process 1

UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture(scope="module")
def namespaces():
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("no process namespaces here: " + done.stderr.strip())


def test_as_process_1_it_reaps_what_is_left_to_it(enrolled, namespaces):
    lab = enrolled
    rogue = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rogue_worker.py")
    lab.write_conf(f"[server]\nworker_program = {rogue}\n\n[destination files]\nurl = {lab.file_url()}\n"
                   "backoff_min = 50ms\nbackoff_max = 100ms\n")
    lab.start_eds(before=UNSHARE, EDS_REAL_WORKER=os.path.join(build_dir(), "eds-worker"))
    lab.wait_running()
    inner, = [pid for pid in descendants(lab.eds.pid) if parent(pid) == lab.eds.pid]
    assert lab.status()["server"]["pid"] == 1
    for _ in range(3):
        # Each worker here has a child of its own, which becomes an orphan of process 1 and ends.
        go_between = [pid for pid in descendants(inner) if parent(pid) == inner]
        grandchildren = [pid for pid in descendants(inner) if parent(pid) in go_between]
        assert len(go_between) == 1 and len(grandchildren) == 1
        os.kill(go_between[0], signal.SIGKILL)
        proc.wait_until(lambda: not os.path.exists(f"/proc/{grandchildren[0]}"), "the orphan to be reaped")
        lab.wait_until(lambda: lab.destination("files")["state"] == "running" and len(descendants(inner)) == 2,
                       "another worker")
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []
    os.kill(inner, signal.SIGTERM)
    assert lab.eds.wait() == 0


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return None
