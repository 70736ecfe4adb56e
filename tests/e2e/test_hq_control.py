"""What HQ asks for over the control channel, and what it is answered."""
import json
import os

import msgpack
import pytest

from helpers import quick
from tests.support.lab import SERVER_ID


def sid_of(lab):
    session, = lab.hq.live_sessions()
    return session.id


def started(lab, conf=None):
    """A server that HQ can reach."""
    lab.start_eds(conf or {"files": quick(lab.file_url())})
    beats = lab.hq.control.heartbeats.beats
    lab.wait_until(lambda: beats, "a sign of life on the control channel")
    return lab


def ask(lab, action, data=None, **kw):
    return lab.hq.control.notify(sid_of(lab), action, data, **kw)


def answer(lab, kind):
    """Subject, headers and decoded payload of the next answer of that kind."""
    message = lab.hq.control.wait_answer(kind)
    return message, msgpack.unpackb(message.payload)


def config_toml(lab):
    with open(os.path.join(lab.data_dir, "config.toml"), encoding="utf-8") as f:
        return f.read()


def test_restart_is_answered_and_begins_a_new_session(enrolled):
    lab = started(enrolled)
    old = sid_of(lab)
    ask(lab, "restart")
    message, status = answer(lab, "restart-status")
    assert status == {"success": True, "message": "", "sessionId": old, "action": "restart"}
    assert message.subject == f"eds.client.{old}.restart-status"
    assert message.headers["content-encoding"] == "msgpack" and len(message.headers["Nats-Msg-Id"]) == 36
    _, response = answer(lab, "restart-response")
    assert response == {"success": True, "sessionId": old, "action": "restart"}
    lab.wait_until(lambda: len(lab.hq.live_sessions()) == 1 and sid_of(lab) != old, "a new session")
    assert lab.hq.sessions[old].errored is False
    lab.wait_until(lambda: lab.status()["session"]["state"] == "active", "the session")
    lab.publish(50)
    lab.wait_delivered("files")


@pytest.mark.parametrize("encoding", [None, "gzip/json"])
def test_ping_is_answered_with_pong(enrolled, encoding):
    lab = started(enrolled)
    heard = []
    subject = f"eds.client.{sid_of(lab)}.here"
    lab.hq.control.client().subscribe(subject + ".>", heard.append)
    lab.hq.control.client().ping()
    ask(lab, "ping", {"subject": subject + ".pong"}, encoding=encoding)
    lab.wait_until(lambda: heard, "the pong")
    assert heard[0].payload == b"pong" and not heard[0].headers


def test_pause_and_unpause_hold_everything(enrolled):
    lab = started(enrolled)
    sid = sid_of(lab)
    ask(lab, "pause")
    assert answer(lab, "pause-response")[1] == {"success": True, "sessionId": sid, "action": "pause"}
    lab.wait_until(lambda: lab.status()["upstream"]["state"] == "paused", "the pause")
    lab.publish(20)
    ask(lab, "unpause")
    assert answer(lab, "unpause-response")[1]["success"] is True
    lab.wait_delivered("files")


def test_shutdown_needs_a_message_and_ends_the_server(enrolled):
    lab = started(enrolled)
    ask(lab, "shutdown", {"deleted": True})
    lab.wait_until(lambda: "shutdown has no message" in lab.whole_log(), "the refusal")
    assert lab.eds.running()
    ask(lab, "shutdown", {"message": "closed for good", "deleted": False})
    assert lab.eds.wait(30) == 0
    assert "closed for good" in lab.whole_log()
    assert SERVER_ID in config_toml(lab)


def test_h48_a_server_without_a_destination_obeys_a_shutdown_too(enrolled):
    lab = enrolled
    lab.start_eds("", wait="answer")
    lab.wait_log("Return to HQ")

    def obeyed():       # nothing says when it begins to listen: no heartbeat comes from a server without destinations
        for session in lab.hq.live_sessions():
            lab.hq.control.notify(session.id, "shutdown", {"message": "deleted in HQ", "deleted": True})
        return not lab.eds.running()

    lab.wait_until(obeyed, "the end", timeout=30)
    assert lab.eds.wait() == 0
    assert "server_id = ''" in config_toml(lab)


def test_a_deleted_server_forgets_who_it_was(enrolled):
    lab = started(enrolled)
    ask(lab, "shutdown", {"message": "deleted in HQ", "deleted": "true"})
    assert lab.eds.wait(30) == 0
    assert "server_id = ''" in config_toml(lab)
    again = lab.run("eds", "server", "--data-dir", lab.data_dir, "--api-url", lab.hq.url)
    assert again.returncode != 0 and "enroll" in again.stdout + again.stderr


def test_driverconfig_tells_the_forms(enrolled):
    lab = started(enrolled)
    reply = ask(lab, "driverconfig", reply=True)
    assert list(reply) == ["drivers", "sessionId"] and reply["sessionId"] == sid_of(lab)
    assert list(reply["drivers"]) == sorted(reply["drivers"])
    assert [f["name"] for f in reply["drivers"]["file"]["fields"]] == ["Directory"]
    assert "sqlite" not in reply["drivers"] and "fault" not in reply["drivers"]


@pytest.mark.parametrize("encoding", [None, "gzip/json"])
def test_validate_makes_a_url_of_a_form(enrolled, encoding):
    lab = started(enrolled)
    folder = os.path.join(lab.dir, "from hq")
    reply = ask(lab, "validate", {"driver": "file", "config": {"Directory": folder}}, encoding=encoding, reply=True)
    assert reply == {"success": True, "sessionId": sid_of(lab), "url": f"file://{folder}"}
    reply = ask(lab, "validate", {"driver": "file", "config": {"Directory": "/"}}, reply=True)
    assert reply == {"success": False, "field_errors": [{"field": "Directory", "error": "cannot be the root directory"}],
                     "sessionId": sid_of(lab)}


def test_h40_a_missing_field_crashes_nobody(enrolled):
    lab = started(enrolled)
    pid = lab.status()["server"]["pid"]
    reply = ask(lab, "validate", {"driver": "file", "config": {}}, reply=True)
    assert reply["field_errors"] == [{"field": "Directory", "error": "is required"}]
    reply = ask(lab, "validate", {"driver": "gopher", "config": {}}, reply=True)
    assert (reply["success"], reply["messsage"]) == (False, "no driver registered for protocol gopher")
    ask(lab, "validate", {"driver": "file"})
    lab.wait_until(lambda: "lacks the driver or its configuration" in lab.whole_log(), "the complaint")
    assert lab.status()["server"]["pid"] == pid


def test_configure_takes_over_a_destination_and_leaves_the_others_alone(enrolled):
    lab = started(enrolled, {"shop": quick(enrolled.sqlite_url())})
    folder = os.path.join(lab.dir, "hq-files")
    reply = ask(lab, "configure", {"url": f"file://{folder}", "backfill": True, "updateStrategy": "after"}, reply=True)
    assert (reply["success"], reply["backfill"], reply["sessionId"]) == (True, True, sid_of(lab))
    assert reply["maskedURL"].startswith("file:///") and "*" in reply["maskedURL"]
    text = config_toml(lab)
    assert f"url = 'file://{folder}'" in text and "update_strategy = 'after'" in text and SERVER_ID in text
    assert os.stat(os.path.join(lab.data_dir, "config.toml")).st_mode & 0o777 == 0o600
    lab.wait_until(lambda: lab.destination("file")["state"] == "running", "HQ's destination")
    lab.publish(30)
    lab.wait_until(lambda: lab.destination("file")["committed"] == 30, "the events at HQ's destination")
    lab.wait_delivered("shop")


def test_an_update_strategy_of_the_same_kind_touches_no_other_worker(enrolled):
    lab = started(enrolled, {"shop": quick(enrolled.sqlite_url())})
    worker = lab.destination("shop")["pid"]
    reply = ask(lab, "configure", {"url": lab.file_url("a"), "updateStrategy": ""}, reply=True)
    assert reply["success"]
    lab.wait_until(lambda: lab.destination("file")["state"] == "running", "HQ's destination")
    assert lab.destination("shop")["pid"] == worker


@pytest.mark.parametrize("data, part", [
    ({"url": "gopher://x"}, "no driver registered for protocol gopher"),
    ({"url": "file://"}, "path is required"),
    ({"url": "sqlite:///proc/version/x.db"}, "proc"),
    ({"url": ""}, "names no url"),
    ({}, "names no url"),
    ({"url": "file:///tmp/x", "updateStrategy": "before"}, "standard or after"),
])
def test_a_configuration_that_cannot_work_changes_nothing(enrolled, data, part):
    lab = started(enrolled)
    before = config_toml(lab)
    reply = ask(lab, "configure", data, reply=True)
    assert reply["success"] is False and part in reply["message"]
    assert config_toml(lab) == before
    assert [d["name"] for d in lab.status()["destinations"]] == ["files"]


def test_h49_a_url_of_the_command_line_is_not_quietly_overruled(enrolled):
    lab = enrolled
    lab.start_eds(args=["--url", lab.file_url()])
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life")
    reply = ask(lab, "configure", {"url": lab.file_url("other")}, reply=True)
    assert reply["success"] is False and "--url" in reply["message"]


def test_secrets_of_a_configuration_are_shown_to_nobody(enrolled):
    lab = started(enrolled)
    url = "sqlite://user:hunter2secret@localhost/proc/version/x.db"
    reply = ask(lab, "configure", {"url": url}, reply=True)
    assert reply["success"] is False
    said = lab.edsctl("audit", "--json").stdout
    assert "hunter2secret" not in said and "configure" in said
    assert "hunter2secret" not in lab.edsctl("status").stdout


def test_the_audit_misses_no_destination_whatever_its_name(enrolled):
    lab = started(enrolled, {"list": quick(enrolled.file_url())})
    assert lab.edsctl("pause", "list").returncode == 0
    for looked in (("quarantine", "list"), ("gap",), ("journal",)):
        assert lab.edsctl(*looked).returncode == 0
    items = json.loads(lab.edsctl("audit", "--json").stdout)["items"]
    assert [(i["command"], i["details"]) for i in items] == [("pause", "list")]


def test_what_hq_allow_leaves_out_is_refused(enrolled):
    lab = started(enrolled, "[server]\nhq_allow = ping, driverconfig\n"
                            f"[destination files]\nurl = {enrolled.file_url()}\n")
    ask(lab, "pause")
    response = answer(lab, "pause-response")[1]
    assert response["success"] is False and "hq_allow" in response["message"]
    assert lab.status()["upstream"]["state"] != "paused"
    reply = ask(lab, "configure", {"url": lab.file_url("x")}, reply=True)
    assert reply["success"] is False and "hq_allow" in reply["message"]
    ask(lab, "shutdown", {"message": "now"})
    lab.wait_until(lambda: "shutdown" in lab.edsctl("audit").stdout, "the audit")
    assert lab.eds.running()
    assert "drivers" in ask(lab, "driverconfig", reply=True)


def test_the_audit_shows_both_sides(enrolled):
    lab = started(enrolled)
    assert "nobody has told" in lab.edsctl("audit").stdout
    assert lab.edsctl("pause", "files").returncode == 0
    assert lab.edsctl("status").returncode in (0, 4)
    ask(lab, "unpause")
    answer(lab, "unpause-response")
    items = json.loads(lab.edsctl("audit", "--json").stdout)["items"]
    assert [(i["from"], i["command"], i["details"], i["outcome"]) for i in items] == [
        ("local", "pause", "files", "accepted"), ("hq", "unpause", "", "accepted")]
    assert items[0]["who"] == f"uid {os.getuid()}" and items[1]["who"] == sid_of(lab)
    shown = lab.edsctl("audit", "1").stdout
    assert "unpause" in shown and "pause files" not in shown
    assert lab.edsctl("audit", "x").returncode == 2
    path = os.path.join(lab.data_dir, "audit.log")
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, "a", encoding="utf-8") as f:
        f.write('{"at":17')            # as a power cut leaves it
    assert json.loads(lab.edsctl("audit", "--json").stdout)["items"] == items


def test_the_audit_says_what_was_refused_and_why(enrolled):
    lab = started(enrolled)
    assert lab.edsctl("pause", "nowhere").returncode == 1
    assert lab.edsctl("import", "files", "--cancel").returncode == 1
    assert lab.edsctl("pause", "files").returncode == 0
    items = json.loads(lab.edsctl("audit", "--json").stdout)["items"]
    assert [(i["command"], i["details"]) for i in items] == [
        ("pause", "nowhere"), ("pause", "nowhere"), ("import", "files cancel"), ("import", "files cancel"), ("pause", "files")]
    said = [i["outcome"] for i in items]
    assert [s.partition(":")[0] for s in said] == ["accepted", "refused", "accepted", "refused", "accepted"]
    assert "nowhere" in said[1] and "no import into files is under way" in said[3]
    assert said[1] in lab.edsctl("audit").stdout


@pytest.mark.parametrize("payload, headers, said", [
    (b"{nonsense", None, "cannot be read"),
    (b"\x81", {"content-encoding": "msgpack"}, "cannot be read"),
    (b"plain", {"content-encoding": "gzip/json"}, "cannot be read"),
    (b'{"action":"dance"}', None, "does not know: dance"),
])
def test_nonsense_is_told_and_harms_nobody(enrolled, payload, headers, said):
    lab = started(enrolled)
    lab.hq.control.client().publish(f"eds.notify.{sid_of(lab)}.x", payload, headers)
    lab.wait_until(lambda: said in lab.whole_log(), "the complaint")
    lab.publish(10)
    lab.wait_delivered("files")


def test_the_channel_moves_with_the_session(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url())}, args=["--renew-interval", "2s"])
    lab.wait_until(lambda: len(lab.hq.sessions) >= 3 and len(lab.hq.live_sessions()) == 1, "two renewals")
    beats = lab.hq.control.heartbeats.beats
    lab.wait_until(lambda: beats and beats[-1]["sessionId"] == sid_of(lab), "the heartbeat of the present session")
    assert "drivers" in ask(lab, "driverconfig", reply=True)


def test_h47_hq_is_heard_again_after_the_connection_broke(make_lab):
    lab = make_lab(storage="file")
    lab.enroll()
    started(lab)
    lab.nats.restart()
    lab.wait_until(lambda: lab.status()["upstream"]["state"] == "running", "the connection", timeout=60)
    assert "drivers" in ask(lab, "driverconfig", reply=True)
