"""eds.conf changed under way: what changed is applied, what did not change is left alone."""
import json
import os
import signal

from helpers import Fault, Load, quick


def write(lab, **destinations):
    lab.write_conf({name: quick(url) if isinstance(url, str) else url for name, url in destinations.items()})


def names(lab):
    return [d["name"] for d in lab.status()["destinations"]]


def changes(done):
    return json.loads(done.stdout)["changes"]


def test_destinations_added_changed_and_removed_under_load(enrolled):
    lab = enrolled
    fault = Fault(lab)
    write(lab, files=lab.file_url(), shop=lab.sqlite_url(), gone=fault.url)
    lab.start_eds()
    lab.wait_running()
    files, shop = lab.worker_pid("files"), lab.worker_pid("shop")
    with Load(lab) as load:
        lab.wait_until(lambda: load.count > 200, "some load")
        write(lab, files=lab.file_url(), shop=quick(lab.sqlite_url(), batch_events=50), late=lab.file_url("late"))
        done = lab.edsctl("--json", "reload")
        assert done.returncode == 0, done.stdout + done.stderr
        assert sorted(changes(done)) == ["added destination late", "changed destination shop", "removed destination gone"]
        lab.wait_until(lambda: sorted(names(lab)) == ["files", "late", "shop"], "the new set")
        lab.wait_running("shop", "late")
        count = load.count
        lab.wait_until(lambda: load.count > count + 300, "more load")
    lab.wait_delivered()
    assert lab.differences() == [], "files and shop have everything"
    assert lab.worker_pid("files") == files and lab.destination("files")["restarts"] == 0
    assert lab.worker_pid("shop") != shop
    found = os.listdir(lab.file_dir("late"))
    assert found and lab.destination("late")["committed"] >= 300
    assert not os.path.exists(f"/proc/{shop}")


def test_a_destination_that_comes_back_gets_what_it_missed(enrolled):
    lab = enrolled
    write(lab, files=lab.file_url(), shop=lab.sqlite_url())
    lab.start_eds()
    lab.wait_running()
    lab.publish(100)
    lab.wait_delivered()
    write(lab, files=lab.file_url())
    assert lab.edsctl("reload").returncode == 0
    lab.wait_until(lambda: names(lab) == ["files"], "shop to be gone")
    lab.publish(100)
    lab.wait_delivered()
    write(lab, files=lab.file_url(), shop=lab.sqlite_url())
    assert lab.edsctl("reload").returncode == 0
    lab.wait_log("the stream is read again from 101 for a destination that was away")
    lab.wait_running("shop")
    lab.publish(50)
    lab.wait_until(lambda: lab.destination("shop")["committed"] == 150, "shop to catch up")
    lab.wait_delivered()
    assert lab.differences() == []
    assert lab.destination("files")["committed"] == 250, "the others do not get anything twice"


def test_a_removed_destination_holds_nothing_up(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("retry closed")
    write(lab, files=lab.file_url(), fault=fault.url)
    lab.start_eds()
    lab.wait_running()
    lab.publish(300)
    lab.wait_until(lambda: lab.destination("fault")["trouble"], "trouble")
    write(lab, files=lab.file_url())
    assert lab.edsctl("reload").returncode == 0
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []
    lab.wait_until(lambda: lab.edsctl("status").returncode == 0, "the status to be fine")


def test_an_unchanged_file_and_a_comment_change_nothing(enrolled):
    lab = enrolled
    write(lab, files=lab.file_url())
    lab.start_eds()
    lab.wait_running()
    pid = lab.worker_pid("files")
    with open(lab.conf_path, "a", encoding="utf-8") as f:
        f.write("\n; a remark\n")
    done = lab.edsctl("--json", "reload")
    assert done.returncode == 0 and changes(done) == []
    assert lab.worker_pid("files") == pid


def test_a_mistake_leaves_the_running_configuration_in_force(enrolled):
    lab = enrolled
    write(lab, files=lab.file_url())
    lab.start_eds()
    lab.wait_running()
    pid = lab.worker_pid("files")
    for text, line, words in (
            (f"[destination files]\nurl = {lab.file_url()}\nbach_events = 3\n", 3, "did you mean batch_events?"),
            (f"[destination files]\nurl = {lab.file_url()}\nwhat is this\n", 3, "expected"),
            ("[destination files]\n", 1, "needs url or url_file"),
            (f"[destination files]\nurl = gopher://x\n", 1, "no driver registered for protocol gopher"),
            (f"[destination a]\nurl = {lab.file_url()}\n[destination a]\nurl = {lab.file_url()}\n", 3, "already"),
            (f"[destination files]\nurl = {lab.file_url()}\nping_timeout = 3 parsecs\n", 3, "ping_timeout"),
            ("[sever]\nport = 1\n", 1, "did you mean server?")):
        lab.write_conf(text)
        for verb in "check", "reload":
            done = lab.edsctl(verb)
            assert done.returncode == 1, text
            assert f"{lab.conf_path}:{line}: " in done.stderr and words in done.stderr, done.stderr
        assert "the running configuration stays" in done.stderr
        assert names(lab) == ["files"] and lab.worker_pid("files") == pid
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []
    assert lab.edsctl("status").returncode == 0


def test_check_says_what_reload_would_do_and_changes_nothing(enrolled):
    lab = enrolled
    write(lab, files=lab.file_url())
    lab.start_eds()
    lab.wait_running()
    write(lab, files=lab.file_url(), shop=lab.sqlite_url())
    done = lab.edsctl("check")
    assert done.returncode == 0
    assert names(lab) == ["files"]


def started(lab):
    """When the server that answers now was started; 0 while none does."""
    done = lab.edsctl("status", "--json")
    return json.loads(done.stdout)["server"]["started"] if done.returncode in (0, 4) else 0


def test_what_needs_a_restart_is_said(enrolled):
    lab = enrolled
    lab.write_conf(f"[destination files]\nurl = {lab.file_url()}\n")
    lab.start_eds()
    lab.write_conf(f"[server]\nwindow_events = 500\n\n[destination files]\nurl = {lab.file_url()}\n")
    done = lab.edsctl("--json", "reload")
    assert done.returncode == 0
    assert any("window_events" in c and "edsctl restart" in c for c in changes(done))
    assert lab.status()["window"]["limit_events"] != 500
    since = lab.status()["server"]["started"]
    assert lab.edsctl("restart").returncode == 0
    lab.wait_until(lambda: started(lab) > since, "the restart")
    assert lab.status()["window"]["limit_events"] == 500


def test_the_log_level_takes_effect_at_once(enrolled):
    lab = enrolled
    lab.write_conf(f"[destination files]\nurl = {lab.file_url()}\n")
    lab.start_eds()
    assert "[DEBUG]" not in lab.eds.log() and "[TRACE]" not in lab.eds.log()
    lab.write_conf(f"[server]\nlog_level = trace\n\n[destination files]\nurl = {lab.file_url()}\n")
    assert lab.edsctl("reload").returncode == 0
    lab.publish(10)
    assert lab.edsctl("restart", "worker", "files").returncode == 0
    lab.wait_log(r"\[DEBUG\].*goodbye")
    lab.wait_delivered()


def test_hangup_reloads(enrolled):
    lab = enrolled
    write(lab, files=lab.file_url())
    lab.start_eds()
    lab.wait_running()
    pid = lab.worker_pid("files")
    write(lab, files=lab.file_url(), shop=lab.sqlite_url())
    lab.eds.signal(signal.SIGHUP)
    lab.wait_log("reload: added destination shop")
    lab.wait_running("shop")
    lab.write_conf("[destination files\n")
    lab.eds.signal(signal.SIGHUP)
    lab.wait_log(r"\[ERROR\].*reload refused, the running configuration stays: .*eds\.conf:1: ")
    assert names(lab) == ["files", "shop"] and lab.worker_pid("files") == pid
    lab.publish(100)
    lab.wait_delivered()
    assert lab.differences() == []


def test_a_destination_renamed_while_it_is_in_backoff(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    fault.say("crash")
    lab.write_conf({"files": quick(lab.file_url()), "fault": quick(fault.url, backoff_min="5s", backoff_max="5s")})
    lab.start_eds()
    lab.wait_running()
    lab.publish(20)
    lab.wait_state("fault", "backoff")
    write(lab, files=lab.file_url(), other=lab.file_url("other"))
    assert lab.edsctl("reload").returncode == 0
    lab.wait_until(lambda: sorted(names(lab)) == ["files", "other"], "the new set")
    lab.wait_running("other")
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


def test_the_last_destination_removed_holds_the_stream(enrolled):
    lab = enrolled
    write(lab, files=lab.file_url())
    lab.start_eds()
    lab.publish(30)
    lab.wait_delivered()
    lab.write_conf("")
    assert lab.edsctl("reload").returncode == 0
    lab.wait_until(lambda: names(lab) == [], "no destination")
    lab.publish(30)
    assert lab.edsctl("status").returncode == 4
    write(lab, files=lab.file_url())
    assert lab.edsctl("reload").returncode == 0
    lab.wait_delivered("files")
    assert lab.differences(sqlite=None) == []
