"""The log as a file: for HQ, which gets it packed, and for people, who read it with edsctl logs."""
import gzip
import json
import os

import msgpack

from helpers import Fault, quick


def started(lab, **server):
    conf = f"[destination files]\nurl = {lab.file_url()}\n"
    if server:
        conf = "[server]\n" + "".join(f"{k} = {v}\n" for k, v in server.items()) + conf
    lab.start_eds(conf)
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life")
    return lab


def log_dir(lab, below=""):
    return os.path.join(lab.data_dir, "logs", below)


def files(lab, below=""):
    return sorted(n for n in os.listdir(log_dir(lab, below)) if n.startswith("eds-"))


def uploaded(lab):
    """The lines of everything HQ has been sent."""
    return [json.loads(line) for body in lab.hq.uploads.values() for line in gzip.decompress(body).decode().splitlines()]


def messages(lines):
    return [line["message"] for line in lines]


def sendlogs(lab):
    session, = lab.hq.live_sessions()
    lab.hq.control.notify(session.id, "sendlogs")
    message = lab.hq.control.wait_answer("sendlogs-response")
    return session.id, msgpack.unpackb(message.payload)


def test_lines_are_json_of_the_contract_and_private(enrolled):
    lab = started(enrolled)
    name, = files(lab)
    path = os.path.join(log_dir(lab), name)
    assert os.stat(path).st_mode & 0o777 == 0o600 and os.stat(log_dir(lab)).st_mode & 0o777 == 0o700
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    assert any("nats connected" in line["message"] and line["component"] == "consumer" for line in lines)
    assert all(list(line)[:3] == ["timestamp", "message", "severity"] for line in lines)


def test_sendlogs_brings_the_log_to_hq(enrolled):
    lab = started(enrolled)
    sid, answer = sendlogs(lab)
    assert answer["sessionId"] == sid and answer["path"] in lab.hq.uploads
    assert any("HQ asks for sendlogs" in m for m in messages(uploaded(lab)))
    lab.wait_until(lambda: len(files(lab)) == 1, "the file that was sent to be removed")
    sid, second = sendlogs(lab)
    assert second["path"] != answer["path"] and len(lab.hq.uploads) == 2
    told = messages(uploaded(lab))
    assert len(told) == len(set(told)) + 1, "each line once, but for the two requests"


def test_kept_logs_are_put_aside(enrolled):
    lab = started(enrolled, keep_logs="yes")
    sendlogs(lab)
    lab.wait_until(lambda: os.path.isdir(log_dir(lab, "sent")) and len(files(lab, "sent")) == 1, "the file in sent/")
    sendlogs(lab)
    lab.wait_until(lambda: len(files(lab, "sent")) == 2, "the second one")


def test_the_end_of_the_session_takes_the_rest_along(enrolled):
    lab = started(enrolled)
    assert lab.stop_eds() == 0
    told = messages(uploaded(lab))
    assert any("SIGTERM" in m for m in told)
    assert lab.hq.all_violations() == []


def test_h42_h79_what_hq_did_not_take_is_sent_later(enrolled):
    lab = started(enrolled)
    lab.hq.override(r"^PUT /logs/", 403, b"no")
    session, = lab.hq.live_sessions()
    lab.hq.control.notify(session.id, "sendlogs")
    lab.wait_until(lambda: "stays here and is sent later" in lab.whole_log(), "the failure")
    assert len(files(lab)) == 2 and not lab.hq.uploads
    lab.hq.clear_overrides()
    sendlogs(lab)
    lab.wait_until(lambda: len(lab.hq.uploads) == 2, "both files at HQ")
    told = messages(uploaded(lab))
    assert sum("nats connected" in m for m in told) == 1


def test_h42_an_upload_that_was_refused_once_is_whole_the_second_time(enrolled):
    lab = started(enrolled)
    lab.hq.override(r"^PUT /logs/", 503, b"busy", times=1)
    sendlogs(lab)
    assert any("nats connected" in m for m in messages(uploaded(lab)))


def test_without_log_files_there_are_none(enrolled):
    lab = started(enrolled, log_file_size="0")
    assert not os.path.exists(log_dir(lab))
    shown = lab.edsctl("logs")
    assert shown.returncode == 3 and "log_file_size" in shown.stderr
    lab.write_conf(f"[destination files]\nurl = {lab.file_url()}\n")
    assert lab.edsctl("reload").returncode == 0
    assert len(files(lab)) == 1


def test_people_read_it_with_edsctl(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
    shown = lab.edsctl("logs").stdout.splitlines()
    assert any("INFO    [consumer] nats connected" in line for line in shown)
    lab.wait_running("files", "shop")
    only = lab.edsctl("logs", "shop").stdout.splitlines()
    assert only and all("[shop]" in line for line in only)
    as_json = [json.loads(line) for line in lab.edsctl("logs", "--json", "shop").stdout.splitlines()]
    assert messages(as_json) == [line.split("] ", 1)[1] for line in only]
    assert lab.edsctl("logs", "nobody").stdout == ""
    assert lab.edsctl("status", "-f").returncode == 2


def test_following_goes_on_over_a_change_of_file(enrolled):
    lab = started(enrolled)
    follower = lab.edsctl_process("logs", "-f")
    try:
        lab.wait_until(lambda: "nats connected" in follower.last_lines(1000), "the lines so far")
        lab.edsctl("pause", "files")
        sendlogs(lab)
        lab.edsctl("resume", "files")
        assert lab.edsctl("restart", "worker", "files").returncode == 0
        lab.wait_until(lambda: "restart of the worker files" in follower.last_lines(1000), "a line of the next file")
    finally:
        follower.stop()


def test_it_can_be_read_when_no_server_runs(enrolled):
    lab = started(enrolled, log_level="debug")
    lab.kill_eds()
    assert "nats connected" in lab.edsctl("logs").stdout


def test_a_new_file_is_begun_in_time_and_the_one_before_is_sent(enrolled):
    lab = started(enrolled, log_send_interval="1s")
    lab.wait_until(lambda: lab.hq.uploads, "the first file")
    lab.edsctl("pause", "files")
    lab.wait_until(lambda: len(lab.hq.uploads) >= 2, "the next one, as something was said meanwhile")
    lab.wait_until(lambda: len(files(lab)) == 1, "what was sent to be gone, and nothing more to say")
    told = messages(uploaded(lab))
    assert any("nats connected" in m for m in told) and sum("nats connected" in m for m in told) == 1


def test_h68_what_ends_the_server_is_in_the_log_file_too(enrolled):
    lab = enrolled
    lab.hq.override(r"^POST /v3/eds/internal$", 401)
    lab.start_eds({"files": quick(lab.file_url())}, wait=False)
    assert lab.eds.wait(30) == 1
    (name,) = files(lab)
    with open(os.path.join(log_dir(lab), name), encoding="utf-8") as f:
        last = [json.loads(line) for line in f if '"ERROR"' in line][-1]
    assert "session start: status 401" in last["message"]


# ---- what crashed

def crashed(lab):
    """A server whose worker `fault` has died once; what its crash file says."""
    fault = Fault(lab)
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url, backoff_min="50ms")})
    lab.wait_running("files", "fault")
    fault.say("crash")
    lab.publish(1)
    lab.wait_until(lambda: os.path.exists(os.path.join(log_dir(lab), "server_stderr.txt")), "the last words")
    fault.be_well()
    lab.wait_delivered()


def crash_uploads(lab):
    return {path: gzip.decompress(body).decode() for path, body in lab.hq.uploads.items() if "/stderr-" in path}


def test_h64_last_words_of_workers_have_an_upload_of_their_own(enrolled):
    lab = enrolled
    crashed(lab)
    path = os.path.join(log_dir(lab), "server_stderr.txt")
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert lab.stop_eds() == 0
    session, = lab.hq.sessions.values()
    assert session.errored is True
    (text,) = crash_uploads(lab).values()
    assert " fault, pid " in text and "killed by signal 6 (Aborted)" in text
    assert len(lab.hq.uploads) == 2 and not os.path.exists(path)
    assert lab.hq.all_violations() == []


def test_a_renewed_session_takes_the_last_words_along_and_the_next_one_is_clean(enrolled):
    lab = enrolled
    crashed(lab)
    first, = lab.hq.live_sessions()
    lab.hq.control.notify(first.id, "restart")
    lab.wait_until(lambda: len(lab.hq.live_sessions()) == 1 and lab.hq.live_sessions()[0].id != first.id and
                   len(lab.hq.control.heartbeats.beats) > 1, "the next session", timeout=30)
    assert first.errored is True and len(crash_uploads(lab)) == 1
    assert lab.stop_eds() == 0
    assert [s.errored for s in lab.hq.sessions.values()] == [True, False]
    assert len(crash_uploads(lab)) == 1


def test_the_last_words_of_an_imports_worker_are_kept_too(make_lab):
    lab = make_lab(tables=["order"], row_limit=50)
    lab.enroll()
    lab.events.batch(50)
    fault = Fault(lab)
    fault.say("import_rows: crash")
    lab.start_eds({"fault": quick(fault.url)})
    lab.wait_running()
    assert lab.edsctl("import", "fault").returncode == 0
    lab.wait_log("goes on with another worker")
    fault.be_well()
    lab.wait_until(lambda: lab.destination("fault").get("last_import"), "the end of the import")
    assert lab.stop_eds() == 0
    (text,) = crash_uploads(lab).values()
    assert " fault, pid " in text and "killed by signal 6 (Aborted)" in text


def test_last_words_that_hq_did_not_take_stay_for_the_next_time(enrolled):
    lab = enrolled
    crashed(lab)
    lab.hq.override(r"^PUT /logs/.*/stderr-", 403, b"no")
    assert lab.stop_eds() == 0
    with open(os.path.join(log_dir(lab), "server_stderr.txt"), encoding="utf-8") as f:
        assert "killed by signal 6" in f.read()
    assert "stays here and is sent later" in lab.whole_log() and crash_uploads(lab) == {}
