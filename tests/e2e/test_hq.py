"""The session with HQ: how it begins, is renewed and ends, and that events flow on when HQ is away."""
import json
import os
import re
import subprocess
import time

import pytest

from helpers import Load, quick
from tests.support.lab import SERVER_ID, build_dir

START = r"^POST /v3/eds/internal$"
SCHEMAS = r"^GET /v3/schema$"


def start(lab, **kw):
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())}, **kw)
    return lab


def session_of(lab):
    session, = lab.hq.live_sessions()
    return session


def wait_beats(lab, count, timeout=20.0):
    beats = lab.hq.control.heartbeats.beats
    return lab.wait_until(lambda: len(beats) >= count and beats, f"{count} heartbeats", timeout)


def test_a_session_begins_beats_and_ends(enrolled):
    lab = start(enrolled)
    session = session_of(lab)
    assert session.start["serverId"] == SERVER_ID and session.start["version"]
    creds = os.path.join(lab.data_dir, session.id, "nats.creds")
    assert os.stat(creds).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(creds)).st_mode & 0o777 == 0o700
    beat = wait_beats(lab, 1)[0]
    assert (beat["sessionId"], beat["offset"]) == (session.id, 0) and "paused" not in beat
    assert lab.stop_eds() == 0
    assert (session.ended, session.errored) == (True, False)
    assert not os.path.exists(os.path.dirname(creds)), "the credential is removed"
    assert lab.hq.all_violations() == []


def test_the_paused_time_is_in_the_heartbeat(enrolled):
    lab = start(enrolled)
    wait_beats(lab, 1)
    before = time.time()
    assert lab.edsctl("pause").returncode == 0
    beats = wait_beats(lab, 2)
    seconds, nanoseconds = beats[1]["paused"]
    assert before - 1 <= seconds + nanoseconds / 1e9 <= time.time() + 1
    assert lab.edsctl("resume").returncode == 0
    beats = wait_beats(lab, 3)
    assert "paused" not in beats[2]
    assert [b["offset"] for b in beats] == [0, 1, 2]


def test_h62_the_figures_of_the_heartbeat_count(enrolled):
    lab = start(enrolled)
    lab.publish(300)
    lab.wait_delivered()
    lab.edsctl("pause")
    beat = wait_beats(lab, 2)[1]
    metrics = beat["stats"]["metrics"]
    assert metrics["totalEvents"] == 300 and metrics["pendingEvents"] == 0
    assert metrics["flushCount"] > 0


def test_another_server_is_waited_for(enrolled):
    lab = enrolled
    lab.hq.busy = 1
    started = time.monotonic()
    start(lab, wait="answer")
    text = rf"\[INFO\] .*another eds server is already running for this server \(id: {SERVER_ID}\)\. Retrying in 5 seconds"
    lab.wait_log(text)
    status = lab.status()
    assert status["session"]["state"] == "conflict"
    assert status["degraded"] and any("another eds server" in r for r in status["reasons"])
    lab.wait_consumer()
    assert 4.5 < time.monotonic() - started < 12
    first, second = lab.hq.requests_to(START)
    assert first.status == 409 and 4.5 < second.at - first.at < 8
    assert not re.search(r"\[(WARN|ERROR)\] .*\bHQ\b", lab.eds.log())
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences() == []


def test_renewal_does_not_interrupt_delivery(make_lab):
    lab = make_lab()
    lab.enroll()
    # Small pulls: a connection is given up when its pull has ended.
    start(lab, args=("--renew-interval", "2s", "--maxPendingBuffer", "100"))
    lab.wait_running()
    pids = {d["name"]: d["pid"] for d in lab.status()["destinations"]}
    with Load(lab) as load:
        lab.wait_until(lambda: len(lab.hq.sessions) >= 3, "two renewals")
        count = load.count
        lab.wait_until(lambda: load.count > count + 200, "more load")
        lab.wait_log("nats connection goes on with the renewed credential")
    lab.wait_delivered()
    assert lab.differences() == []
    assert {d["name"]: d["pid"] for d in lab.status()["destinations"]} == pids, "no worker was touched"
    sessions = list(lab.hq.sessions.values())
    assert all(s.ended and s.errored is False for s in sessions[:-1])
    lab.wait_until(lambda: len({b["sessionId"] for b in lab.hq.control.heartbeats.beats}) >= 3, "heartbeats of each")
    # Between two renewals both sides name the same session.
    lab.wait_until(lambda: [lab.status()["session"]["id"]] == [s.id for s in lab.hq.live_sessions()], "one session")
    folders = [n for n in os.listdir(lab.data_dir) if os.path.exists(os.path.join(lab.data_dir, n, "nats.creds"))]
    assert len(folders) <= 2, "old credentials are removed"


def test_a_credential_that_ends_is_renewed_before(make_lab):
    lab = make_lab(hq_options={"creds_expire_in": 13})
    lab.enroll()
    start(lab, args=("--maxPendingBuffer", "100"))
    with Load(lab, pause=0.1):
        lab.wait_until(lambda: len(lab.hq.sessions) == 2, "the renewal")
        lab.hq.creds_expire_in = None
        lab.wait_log("nats connection goes on with the renewed credential")
    lab.wait_delivered()
    assert lab.differences() == []
    assert "nats disconnected" not in lab.eds.log()


# ---- HQ is away

def test_hq_away_at_the_start_is_waited_for(enrolled):
    lab = enrolled
    lab.hq.set_down(True)
    start(lab, wait="answer")
    lab.wait_log(r"\[WARN\] .*trying again in")
    status = lab.status()
    assert status["session"]["state"] == "starting" and status["degraded"]
    assert "session start" in status["session"]["text"] and lab.hq.url.rpartition(":")[2] in status["session"]["text"]
    lab.hq.set_down(False)
    lab.wait_consumer()
    lab.wait_log("HQ can be reached again")
    lab.publish(100)
    lab.wait_delivered()
    assert lab.differences() == []


def test_hq_away_later_does_not_matter(enrolled):
    lab = start(enrolled, args=("--renew-interval", "1s"))
    lab.publish(100)
    lab.wait_delivered()
    lab.hq.set_down(True)
    lab.wait_log("events flow on with the credential at hand")
    lab.publish(500)
    lab.wait_delivered()
    assert lab.differences() == []
    assert lab.status()["session"]["state"] == "renewing"
    lab.hq.set_down(False)
    lab.wait_until(lambda: lab.status()["session"]["state"] == "active" and lab.hq.live_sessions(), "a session again")
    lab.publish(100)
    lab.wait_delivered()
    assert lab.differences() == []


def test_without_the_schemas_of_hq_the_kept_ones_serve(enrolled):
    lab = start(enrolled)
    lab.publish(100)
    lab.wait_delivered()
    assert lab.stop_eds() == 0
    lab.hq.override(SCHEMAS, 500)
    lab.hq.override("GET /v3/schema/", 500)
    os.unlink(lab.sqlite_path())
    lab.oracle.__init__(lab.hq.schemas)
    lab.start_eds({"shop": quick(lab.sqlite_url())})
    lab.wait_until(lambda: lab.status()["schemas"]["trouble"], "the trouble to be said")
    lab.publish(500)
    lab.wait_delivered()
    differences = [d for d in lab.differences(files=None) if ": missing" not in d]
    assert lab.destination("shop")["quarantined"] == 0 and lab.destination("shop")["committed"] == 500
    assert not [d for d in differences if "no such table" in d]


def test_h66_without_any_schema_the_database_waits_and_the_files_do_not(enrolled):
    lab = enrolled
    lab.hq.override("GET /v3/schema", 503)
    start(lab)
    lab.wait_running("files")
    lab.publish(200)
    lab.wait_until(lambda: lab.destination("files")["committed"] == 200, "files to have everything")
    seen = lab.wait_until(lambda: lab.destination("shop")["trouble"] and lab.destination("shop"), "trouble")
    assert "schema" in seen["trouble"] and seen["quarantined"] == 0 and seen["behind"] == 200
    lab.hq.clear_overrides()
    lab.wait_delivered(timeout=90)
    assert lab.differences() == []
    assert lab.destination("shop")["quarantined"] == 0


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b"[]", b'{"order":7}', b'{"order":{"table":"order"}}'])
def test_garbage_instead_of_schemas_is_said_and_asked_for_again(enrolled, body):
    lab = enrolled
    lab.hq.override(SCHEMAS, 200, body)
    start(lab)
    lab.publish(60)
    lab.wait_delivered(timeout=40)
    assert lab.differences() == [], "each schema was asked for by itself"
    assert lab.hq.requests_to("^GET /v3/schema/order/")
    assert re.search(r"schema", lab.eds.log())


# ---- HQ says no, or nonsense

@pytest.mark.parametrize("body, words", [
    (b"{}", "session start"),
    (b'{"success":false,"message":"no such shop"}', "no such shop"),
    (b'{"success":true,"data":{"sessionId":"../../etc","credential":""}}', "session id"),
    (b'{"success":true,"data":{"sessionId":"6f1c5fd0-7b4c-4c55-8f0b-0d8f3d3c8f11"}}', "no credential"),
    (b'{"success":true,"data":{"sessionId":"6f1c5fd0-7b4c-4c55-8f0b-0d8f3d3c8f11","credential":"%%%"}}', "not base64"),
    (b'{"success":true,"data":{"sessionId":"6f1c5fd0-7b4c-4c55-8f0b-0d8f3d3c8f11","credential":"aGVsbG8="}}', "session start"),
])
def test_h46_garbage_at_the_session_start_ends_it_with_a_reason(enrolled, body, words):
    lab = enrolled
    lab.hq.override(START, 200, body)
    # the stand-in does not know the session that the answer names
    lab.hq.override(r"^POST /v3/eds/internal/6f1c5fd0", 200, b'{"success":true,"data":{"url":"","errorUrl":""}}')
    start(lab, wait=False)
    assert lab.eds.wait() == 1
    assert re.search(r"\[ERROR\] .*session start", lab.eds.log()) and words in lab.eds.log()
    assert not [n for n in os.listdir(lab.data_dir) if os.path.exists(os.path.join(lab.data_dir, n, "nats.creds"))]


def test_h46_a_credential_that_names_no_session_is_told_and_another_is_asked_for(enrolled):
    lab = enrolled
    lab.hq.nameless = 10 ** 6
    start(lab)
    lab.wait_log(r"\[WARN\] .*HQ cannot speak to this server: the credential it gave names no session; asking for another")
    lab.publish(50)
    lab.wait_delivered()
    done = lab.edsctl("status")
    assert done.returncode == 4 and "HQ cannot speak to this server, nor see it" in " ".join(done.stdout.split())
    lab.hq.nameless = 0
    lab.wait_log("HQ can speak to this server again")
    wait_beats(lab, 1)
    assert lab.edsctl("status").returncode == 0
    assert "drivers" in lab.hq.control.notify(session_of(lab).id, "driverconfig", reply=True)
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences() == []


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b"[]"])
def test_an_answer_that_is_not_from_hq_is_not_taken_for_one(enrolled, body):
    lab = enrolled
    lab.hq.override(START, 200, body, times=2)
    start(lab)
    lab.wait_log(r"\[WARN\] .*session start: .*trying again in")
    assert len(lab.hq.requests_to(START)) == 3
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences() == []


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_ends_it_with_a_reason(enrolled, status):
    lab = enrolled
    lab.hq.override(START, status)
    start(lab, wait=False)
    assert lab.eds.wait() == 1
    assert re.search(rf"\[ERROR\] .*session start: status {status} on purpose", lab.eds.log())


def test_what_may_pass_is_tried_again(enrolled):
    lab = enrolled
    lab.hq.override(START, 503, times=1)
    lab.hq.override(START, 500, times=1)
    start(lab)
    assert [r.status for r in lab.hq.requests_to(START)] == [503, 500, 200]
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences() == []


def test_a_refused_renewal_does_not_stop_what_runs(enrolled):
    lab = start(enrolled, args=("--renew-interval", "1s"))
    lab.hq.override(START, 401)
    lab.wait_until(lambda: lab.status()["session"]["state"] == "refused", "the refusal")
    lab.publish(200)
    lab.wait_delivered()
    assert lab.differences() == []
    done = lab.edsctl("status")
    assert done.returncode == 4 and "HQ refuses this server" in done.stdout
    assert lab.eds.running()


def test_the_api_answering_slowly_holds_up_nothing(enrolled):
    lab = start(enrolled)
    lab.hq.delay = 5
    lab.publish(300)
    assert lab.wait_delivered() < 4
    assert lab.differences() == []
    lab.hq.delay = 0


def test_hq_away_at_the_end_does_not_hold_up_the_end(enrolled):
    lab = start(enrolled)
    lab.hq.set_down(True)
    started = time.monotonic()
    assert lab.stop_eds() == 0
    assert time.monotonic() - started < 8
    assert not [n for n in os.listdir(lab.data_dir) if os.path.exists(os.path.join(lab.data_dir, n, "nats.creds"))]


def test_h45_nats_being_away_costs_no_further_session(make_lab):
    lab = make_lab(storage="file")
    lab.enroll()
    lab.nats.stop()
    start(lab, wait="answer")
    lab.wait_until(lambda: lab.status()["upstream"]["state"] == "connecting" and lab.status()["session"]["state"] == "active",
                   "the search for NATS")
    lab.wait_log(r"\[WARN\] .*nats")
    lab.nats.start()
    lab.wait_consumer()
    lab.publish(50)
    lab.wait_delivered()
    assert len(lab.hq.sessions) == 1 and lab.differences() == []


BARE = ["unshare", "--mount", "sh", "-c",
        'for f in /etc/machine-id /var/lib/dbus/machine-id /proc/meminfo; do '
        '[ ! -e $f ] || mount --bind /dev/null $f || exit 9; done; exec "$@"', "bare"]


@pytest.fixture(scope="module")
def bare():
    """Runs a program where nothing about the machine can be read, as in some containers."""
    done = subprocess.run([*BARE, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("no mount namespaces here: " + done.stderr.strip())
    return BARE


def test_h44_h78_a_machine_that_tells_nothing_of_itself_is_served(enrolled, bare):
    lab = start(enrolled, before=bare)
    beat = wait_beats(lab, 1)[0]
    assert beat["stats"]["memory"]["total"] == 0
    assert lab.stop_eds() == 0
    start(lab, before=bare)
    ids = [json.loads(r.body)["machineId"] for r in lab.hq.requests_to(START)]
    assert len(ids) == 2 and ids[0] == ids[1] and len(ids[0]) == 64, "made up once"


# ---- days without HQ, and clocks that are wrong

@pytest.fixture
def shifted(make_lab, tmp_path):
    """shifted(seconds, **options of Lab): an enrolled laboratory and clock(seconds), which moves its programs' time."""
    library, shift = os.path.join(build_dir(), "tests/support/clock_shift.so"), tmp_path / "shift"
    assert os.path.exists(library), "make e2e builds it"

    def clock(seconds):
        (tmp_path / "new").write_text(str(seconds), encoding="utf-8")
        os.rename(tmp_path / "new", shift)

    def begin(seconds=0, args=(), **options):
        clock(seconds)
        lab = make_lab(**options)
        lab.enroll()
        start(lab, args=args, LD_PRELOAD=library, CLOCK_SHIFT=shift, ASAN_OPTIONS="verify_asan_link_order=0")
        lab.wait_running()
        return lab, clock
    return begin


def status_of(lab):
    """What people see: exit status and text."""
    done = lab.edsctl("status")
    return done.returncode, " ".join(done.stdout.split())


def test_hq_out_of_reach_for_days_is_said_and_events_flow_on(shifted):
    lab, clock = shifted(args=("--renew-interval", "1s"))
    lab.hq.set_down(True)
    lab.wait_until(lambda: lab.status()["session"]["state"] == "renewing", "HQ to be missed")
    code, said = status_of(lab)
    assert code == 0 and "session renewing: session end: " in said, "a passing outage is no trouble"
    clock(3 * 86400 + 7200)
    lab.publish(100)
    lab.wait_delivered()
    code, said = status_of(lab)
    assert code == 4 and "HQ has not been reached for 3d 2h; events flow on with the credential at hand: " in said
    assert lab.differences() == []
    lab.hq.set_down(False)
    lab.wait_until(lambda: status_of(lab)[0] == 0, "HQ to be back", timeout=90)
    assert status_of(lab)[1].count("session active") == 1
    lab.publish(100)
    lab.wait_delivered()
    assert lab.differences() == []


def test_a_credential_that_ends_while_hq_is_away_is_said_and_nothing_is_lost(shifted):
    lab, clock = shifted(hq_options={"creds_expire_in": 14})
    lab.hq.set_down(True)
    lab.publish(50)
    lab.wait_delivered()
    lab.wait_until(lambda: status_of(lab)[0] == 4, "the end of the credential", timeout=40)
    code, said = status_of(lab)
    assert code == 4 and "upstream is connecting" in said
    clock(7200)
    assert "HQ has not been reached for 2h; events flow on with the credential at hand, which is at its end: " in status_of(lab)[1]
    lab.publish(50)
    lab.hq.creds_expire_in = None
    lab.hq.set_down(False)
    lab.wait_delivered(timeout=90)
    assert lab.differences() == []
    lab.wait_until(lambda: status_of(lab)[0] == 0, "all to be well")


@pytest.mark.parametrize("seconds", [86400 * 400, -86400 * 400])
def test_a_clock_that_is_wrong_from_the_start_does_not_matter(shifted, seconds):
    lab, clock = shifted(seconds, hq_options={"creds_expire_in": 86400})
    lab.publish(50)
    lab.wait_delivered()
    clock(0)
    lab.publish(50)
    lab.wait_delivered()
    assert lab.differences() == []
    assert status_of(lab)[0] == 0 and len(lab.hq.sessions) == 1
