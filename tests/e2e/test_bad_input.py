"""Bad input of every kind: one clear message with a remedy, and nothing else suffers."""
import json
import os
import re
import shutil
import subprocess

import pytest

from helpers import Fault, quick
from tests.support.events import COMPANY
from tests.support.lab import build_dir
from tests.support.natsd import write_private
from tests.support.values import write_json


def start(lab, **kw):
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())}, **kw)
    lab.wait_running("files", "shop")
    return lab


def publish_raw(lab, payload, table="order", operation="INSERT"):
    lab.admin.publish_many([(f"dbchange.{table}.{operation}.{COMPANY}.NONE.PUBLIC.raw", payload)])


def changed(lab, payload_of, table="order"):
    """The payload of a good event, changed; the event itself is not published."""
    event = json.loads(lab.events.insert(table).payload)
    payload_of(event)
    return json.dumps(event).encode()


def drop(name):
    return lambda event: event.pop(name)


def put(name, value):
    return lambda event: event.update({name: value})


def without_key(event):
    """Neither `key` nor the row's id: nothing tells which row it is."""
    del event["key"], event["after"]["id"]


# ---- events

MALFORMED = {
    "no JSON": lambda lab: b"this is no JSON",
    "cut off": lambda lab: changed(lab, put("region", "x"))[:-40],
    "empty": lambda lab: b"",
    "an array": lambda lab: b"[1,2,3]",
    "no key": lambda lab: changed(lab, without_key),
    "an empty key": lambda lab: changed(lab, lambda event: (without_key(event), event.update(key=[]))),
    "no table": lambda lab: changed(lab, drop("table")),
    "no operation": lambda lab: changed(lab, drop("operation")),
    "an unknown operation": lambda lab: changed(lab, put("operation", "TRUNCATE")),
    "a table of another kind": lambda lab: changed(lab, put("table", 7)),
    "invalid UTF-8": lambda lab: changed(lab, put("region", "@@")).replace(b"@@", b"\xff\xfe"),
    "a NUL byte": lambda lab: changed(lab, put("region", "@@")).replace(b"@@", b"\x00"),
    "deep nesting": lambda lab: changed(lab, put("region", "@@")).replace(b'"@@"', b"[" * 50000 + b"]" * 50000),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_event_is_set_aside_and_the_rest_goes_on(enrolled, kind):
    lab = start(enrolled)
    lab.publish(60)
    publish_raw(lab, MALFORMED[kind](lab))
    lab.publish(60)
    lab.wait_delivered()
    assert [d for d in lab.differences() if "no event explains" not in d] == []
    counts = {d["name"]: d["quarantined"] for d in lab.status()["destinations"]}
    assert counts["shop"] == 1, "the database has no place for it"
    assert counts["files"] in (0, 1)
    assert len(re.findall(r"\[WARN\] .*event set aside in the quarantine of", lab.eds.log())) == sum(counts.values())
    done = lab.edsctl("status")
    assert done.returncode == 4 and "quarantine" in done.stdout
    assert all(d["restarts"] == 0 and d["state"] == "running" for d in lab.status()["destinations"])


@pytest.mark.parametrize("change, words", [
    (put("modelVersion", "ffffffffffffffff"), "ffffffffffffffff"),
    (put("table", "spaceship"), "spaceship"),
])
def test_an_unknown_table_or_model_version_is_set_aside_by_the_database_only(enrolled, change, words):
    lab = start(enrolled)
    lab.publish(60)
    payload = changed(lab, change)
    publish_raw(lab, payload)
    lab.publish(60)
    lab.wait_delivered()
    shop, files = lab.destination("shop"), lab.destination("files")
    assert (shop["quarantined"], files["quarantined"]) == (1, 0)
    assert re.search(rf"event set aside in the quarantine of shop: .*{words}", lab.eds.log())
    assert files["committed"] == 121
    assert lab.differences(files=None) == []
    extra = lab.differences(sqlite=None)
    assert len(extra) == 1 and "no event explains" in extra[0], "the file destination still gets it"


def test_many_bad_events_among_many_good_ones(enrolled):
    lab = start(enrolled)
    bad = 0
    for _ in range(20):
        lab.publish(40)
        for kind in ("no JSON", "no key", "invalid UTF-8"):
            publish_raw(lab, MALFORMED[kind](lab))
            bad += 1
    lab.wait_delivered()
    assert lab.destination("shop")["quarantined"] == bad
    assert lab.differences(files=None) == []
    assert lab.stop_eds() == 0
    lab.start_eds()
    assert lab.destination("shop")["quarantined"] == bad, "it is kept"


def test_a_value_that_does_not_fit_its_column_is_set_aside_or_stored_exactly(enrolled):
    lab = start(enrolled)
    lab.publish(60)
    event = lab.events.insert("order")
    document = json.loads(event.payload)
    document["after"]["id"] = {"not": "a text"}
    publish_raw(lab, json.dumps(document).encode())
    lab.publish(20)
    lab.wait_delivered()
    assert lab.destination("shop")["quarantined"] == 1
    assert lab.differences(files=None) == []


def test_a_subject_that_is_none_of_ours_is_passed_over(enrolled):
    lab = start(enrolled)
    lab.publish(30)
    lab.admin.publish_many([(f"dbchange.order.INSERT.{COMPANY}.NONE.PUBLIC.1.2.3.4.5", b"{}"),
                            (f"dbchange.order.SOMETHING.{COMPANY}.NONE.PUBLIC.x", b"{}")])
    lab.publish(30)
    lab.wait_delivered()
    assert [d for d in lab.differences() if "no event explains" not in d] == []
    assert lab.eds.running()


def test_a_large_event_arrives_whole(enrolled):
    lab = start(enrolled)
    lab.publish(60)
    large = lab.events.insert("order", note="ü" * 1000)
    document = json.loads(large.payload)
    document["after"]["note"] = "Größe " * 900000
    payload = write_json(document).encode()
    assert len(payload) > 5 << 20
    lab.admin.publish_many([(large.subject, payload, {"Nats-Msg-Id": large.id})])
    lab.oracle.record(payload)
    lab.publish(60)
    lab.wait_delivered()
    assert lab.differences() == []
    assert {d["quarantined"] for d in lab.status()["destinations"]} == {0}


def test_large_events_beyond_the_windows_and_queues_go_one_by_one(enrolled):
    lab = enrolled
    lab.write_conf(f"[server]\nwindow_bytes = 1M\n\n[destination files]\nurl = {lab.file_url()}\nqueue_bytes = 64K\n")
    lab.start_eds()
    for _ in range(4):
        event = lab.events.insert("order", note="x" * (3 << 20))
        lab.publish_events([event])
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


# ---- configuration

@pytest.mark.parametrize("text, line, words", [
    ("[destination files]\nurll = file:///x\n", 2, "did you mean url?"),
    ("[server]\nwindow_byte = 1M\n", 2, "did you mean window_bytes?"),
    ("[destinaton files]\nurl = file:///x\n", 1, "did you mean destination?"),
    ("[server]\nport = 70000\n", 2, "65535"),
    ("[server]\nurl = file:///x\n", 2, "belongs into a [destination NAME] section"),
    ("port = 1\n", 1, "before the first section"),
    ("[destination files]\nurl = \n", 1, "needs url or url_file"),
    ("[destination bad name]\nurl = file:///x\n", 1, "1 to 32"),
    ("[destination files]\nurl = file:///x\non_reject = shrug\n", 3, "quarantine"),
    ("[destination files]\nurl = file:///x\noperations = insert, upsert\n", 3, "upsert"),
])
def test_a_mistake_in_the_file_is_named_with_its_line(enrolled, text, line, words):
    lab = enrolled
    lab.write_conf(text)
    done = lab.run("eds", *lab.server_arguments())
    assert done.returncode == 3
    lines = (done.stdout + done.stderr).splitlines()
    assert len(lines) == 1 and lines[0].startswith("[ERROR]")
    assert f"{lab.conf_path}:{line}: " in lines[0] and words in lines[0]
    assert lab.hq.requests_to("^POST") == []


def test_a_file_that_was_asked_for_and_is_not_there(enrolled):
    lab = enrolled
    done = lab.run("eds", *lab.server_arguments(), "--config", os.path.join(lab.dir, "nowhere.conf"))
    assert done.returncode == 3
    assert "nowhere.conf" in done.stdout + done.stderr and "No such file" in done.stdout + done.stderr


@pytest.mark.parametrize("how, words", [("world", r"mode 0644.*chmod 600"), ("group", r"mode 0640.*chmod 600"),
                                        ("missing", "No such file"), ("empty", "expected one line"),
                                        ("folder", "not a regular file")])
def test_a_secret_file_must_be_private_and_there(enrolled, how, words):
    lab = enrolled
    path = os.path.join(lab.dir, "secret.url")
    if how == "folder":
        os.mkdir(path)
    elif how != "missing":
        write_private(path, "" if how == "empty" else lab.file_url() + "\n")
        os.chmod(path, {"world": 0o644, "group": 0o640}.get(how, 0o600))
    lab.write_conf({"files": {"url_file": path}})
    done = lab.run("eds", *lab.server_arguments())
    assert done.returncode == 3
    assert re.search(rf"{lab.conf_path}:2: .*{path}.*{words}|{lab.conf_path}:2: .*{words}", done.stdout + done.stderr)
    assert len((done.stdout + done.stderr).splitlines()) == 1


NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


@pytest.fixture
def as_nobody(lab):
    """Runs a program as a user who owns nothing."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("changing the user takes root and setpriv")
    os.chmod(lab.dir, 0o755)
    can = subprocess.run([*NOBODY, os.path.join(build_dir(), "eds"), "version"], capture_output=True)
    if can.returncode != 0:
        pytest.skip("nobody may not run the programs where they lie")
    return lab


def test_a_data_directory_that_cannot_be_written(as_nobody):
    lab = as_nobody
    lab.enroll()
    for folder, files in ((lab.data_dir, ["config.toml"]),):
        os.chmod(folder, 0o755)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o644)
    for args in (("server", "--data-dir", lab.data_dir), ("enroll", "LCODE", "--data-dir", lab.data_dir)):
        done = lab.run("eds", *args, before=NOBODY)
        assert done.returncode == 1
        text = done.stdout + done.stderr
        assert len(text.splitlines()) == 1
        assert lab.data_dir in text and "Permission denied" in text and "--data-dir" in text


def test_a_data_directory_that_cannot_be_made(as_nobody):
    lab = as_nobody
    done = lab.run("eds", "enroll", "LCODE", "--data-dir", os.path.join(lab.dir, "a", "b"), before=NOBODY)
    assert done.returncode == 1
    assert os.path.join(lab.dir, "a", "b") in done.stdout + done.stderr
    assert "--data-dir" in done.stdout + done.stderr


def test_a_data_directory_that_is_a_file(lab):
    path = write_private(os.path.join(lab.dir, "file"), "")
    done = lab.run("eds", "enroll", "LCODE", "--data-dir", path)
    assert done.returncode == 1
    assert f"{path} is not a directory" in done.stdout + done.stderr


def test_a_secret_that_another_user_owns_cannot_be_read(as_nobody):
    lab = as_nobody
    path = write_private(os.path.join(lab.dir, "secret.url"), lab.file_url())
    lab.write_conf({"files": {"url_file": path}})
    folder = os.path.join(lab.dir, "theirs")
    os.mkdir(folder)
    os.chown(folder, 65534, 65534)
    os.chmod(lab.conf_path, 0o644)
    done = lab.run("eds", "server", "--data-dir", folder, "--config", lab.conf_path, before=NOBODY)
    assert done.returncode == 3
    assert path in done.stdout + done.stderr and "Permission denied" in done.stdout + done.stderr


def test_edsctl_of_another_user_is_refused_in_words(as_nobody):
    lab = as_nobody
    lab.enroll()
    lab.start_eds({"files": lab.file_url()})
    done = lab.run("edsctl", "--data-dir", lab.data_dir, "status", before=NOBODY)
    assert done.returncode == 1
    assert "no permission" in done.stderr and "root" in done.stderr


def test_a_damaged_store_is_said(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    assert lab.stop_eds() == 0
    store = os.path.join(lab.data_dir, "store")
    path = os.path.join(store, "data.mdb") if os.path.isdir(store) else store
    with open(path, "r+b") as f:
        f.write(b"\xff" * 8192)
    lab.start_eds(wait=False)
    assert lab.eds.wait() == 1
    line, = [line for line in lab.eds.log().splitlines() if "[ERROR]" in line]
    assert "store" in line
    assert len(lab.hq.sessions) == 1


def test_a_destination_whose_place_cannot_be_written_waits(enrolled):
    """A file where the folder should be: only the operator can mend it, and the others go on."""
    lab = enrolled
    with open(lab.file_dir("blocked"), "w", encoding="utf-8"):
        pass
    lab.start_eds({"files": quick(lab.file_url()), "blocked": quick(lab.file_url("blocked"))})
    lab.wait_running("files")
    lab.publish(100)
    lab.wait_until(lambda: lab.destination("files")["committed"] == 100, "files to have everything")
    seen = lab.destination("blocked")
    assert seen["trouble"] or seen["state"] == "failed"
    assert lab.file_dir("blocked") in (seen["trouble"] or seen["reason"])
    os.unlink(lab.file_dir("blocked"))
    assert lab.edsctl("restart", "worker", "blocked").returncode == 0
    lab.wait_delivered()
    assert lab.oracle.compare_files(lab.file_dir("blocked")) == []


def test_rejections_go_to_the_one_destination_that_made_them(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    lab.wait_running()
    fault.say("reject-every 10")
    lab.publish(100)
    lab.wait_delivered()
    assert lab.destination("fault")["quarantined"] == 10
    assert lab.destination("files")["quarantined"] == 0
    assert lab.differences(sqlite=None) == []
