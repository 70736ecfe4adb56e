import os
import signal
import subprocess
import sys

import pytest

from tests.support import lab as laboratory
from tests.support import proc
from tests.support.natsd import ROOT, find_nats_server


def gone(pid):
    return laboratory.start_time(pid) is None


def test_output_is_awaited_and_the_exit_status_told(tmp_path):
    p = proc.Process(["/bin/sh", "-c", "echo ready 7; exec cat /dev/zero >/dev/null"], tmp_path / "log")
    assert p.wait_log(r"ready (\d)").group(1) == "7" and p.running()
    assert p.stop() == -signal.SIGTERM and not p.running()
    p.signal(signal.SIGKILL)        # of an ended process: nothing happens


def test_a_program_that_ends_without_the_awaited_words_is_reported_with_its_last_ones(tmp_path):
    p = proc.Process(["/bin/sh", "-c", "echo out of luck; exit 3"], tmp_path / "log")
    with pytest.raises(proc.TimedOut, match="ended with 3[^$]*out of luck"):
        p.wait_log("ready")


def test_a_second_start_sees_only_its_own_output(tmp_path):
    for word in ("first", "second"):
        p = proc.Process(["/bin/echo", word], tmp_path / "log")
        p.wait()
        assert p.log() == word + "\n"


def test_stop_insists(tmp_path):
    p = proc.Process(["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do read x </dev/zero; done"], tmp_path / "log")
    p.wait_log("deaf")
    assert p.stop(timeout=0.2) == -signal.SIGKILL


def test_children_end_when_the_test_run_is_killed(tmp_path):
    program = ("from tests.support import proc\n"
               "p = proc.Process(['/bin/sh', '-c', 'echo up; exec cat /dev/zero >/dev/null'], "
               f"{str(tmp_path / 'log')!r})\n"
               "p.wait_log('up'); print(p.pid, flush=True); p.wait(60)")
    run = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pid = int(run.stdout.readline())
    assert not gone(pid)
    run.kill()
    run.wait()
    run.stdout.close()
    proc.wait_until(lambda: gone(pid), "the child of a killed run to end")


def test_waiting_in_vain_says_for_what():
    with pytest.raises(proc.TimedOut, match="waiting for rain"):
        proc.wait_until(lambda: False, "rain", timeout=0.05)


def test_descendants_are_found_and_orphans_recognised(tmp_path):
    p = proc.Process(["/bin/sh", "-c", "cat /dev/zero >/dev/null & echo $!; wait"], tmp_path / "log")
    child = int(p.wait_log(r"^(\d+)$").group(1))
    assert child in laboratory.descendants(os.getpid()) and child in laboratory.descendants(p.pid)
    lab = laboratory.Lab(folder=str(tmp_path))
    lab.eds = p
    lab.kill_eds()
    assert lab.orphans() == [child]     # what eds must not leave, this shell does
    lab.close()
    proc.wait_until(lambda: gone(child), "the orphan to end")


@pytest.mark.skipif(find_nats_server() is None, reason="no nats-server on this machine: install the package nats-server")
def test_a_laboratory_starts_publishes_and_cleans_up():
    with laboratory.Lab(tables=["order", "customer"]) as lab:
        lab.publish(300)
        assert lab.js.messages() == 300 and lab.oracle.count == 300
        lab.nats.restart("kill")
        assert lab.js.messages() == 300
        assert any("missing" in d for d in lab.differences(sqlite=None))
        folder, pid = lab.dir, lab.nats.pid
    assert not os.path.exists(folder) and gone(pid)


def test_eds_conf_is_written_from_a_table(tmp_path):
    lab = laboratory.Lab(folder=str(tmp_path), keep=True)
    with open(lab.write_conf({"a": "file:///x", "b": {"url": "sqlite:///y", "tables": "order"}})) as f:
        assert f.read() == "[destination a]\nurl = file:///x\n\n[destination b]\nurl = sqlite:///y\ntables = order\n"
