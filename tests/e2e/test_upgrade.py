"""Releases: downloaded, verified, taken over when HQ says so, and given up when they are no good."""
import os

import msgpack
import pytest

from tests.support import releases

NEWER = "9" + releases.VERSION[1:]
NEWEST = NEWER[:-1] + chr(ord(NEWER[-1]) + 1)


def download(lab, published, version, to, **kw):
    return lab.run("eds", "download", version, to, "--release-url", published.url, "--release-key", published.key_file, **kw)


def test_the_public_key_is_printed(lab):
    done = lab.run("eds", "publickey")
    assert done.returncode == 0 and done.stdout.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    assert done.stdout.endswith("-----END PGP PUBLIC KEY BLOCK-----\n\n") and len(done.stdout) == 661


def test_a_release_is_verified_and_unpacked(lab, published):
    published.add(NEWER, releases.our_programs(NEWER))
    to = os.path.join(lab.dir, "newer")
    done = download(lab, published, "v" + NEWER, to)
    assert done.returncode == 0 and f"version v{NEWER} download successful, saved to {to}" in done.stdout
    assert {"eds", "eds-worker", "edsctl", "drivers"} == set(os.listdir(to))
    assert lab.run(os.path.join(to, "eds"), "version").stdout.strip() == NEWER
    again = download(lab, published, NEWER, to)
    assert again.returncode == 0, "what is there already is replaced"
    assert not [n for n in os.listdir(lab.dir) if n.startswith("newer.")]


def test_a_release_of_one_file_becomes_that_file(lab, published):
    published.add("3.0.2", {"eds": b"#!/bin/sh\necho 3.0.2\n", "README.md": b"x"})
    to = os.path.join(lab.dir, "old-eds")
    assert download(lab, published, "3.0.2", to).returncode == 0
    assert lab.run(to, "version").stdout == "3.0.2\n"


@pytest.mark.parametrize("version, files, spoil, said", [
    (NEWER, {"eds": b"x"}, True, "signature of the release is not good"),
    (NEWER, {"other": b"x"}, False, "holds no program eds"),
    ("8.8.8", None, False, "no such release"),
    ("../x", None, False, "is no version"),
])
def test_h76_a_bad_release_leaves_what_was_there(lab, published, version, files, spoil, said):
    if files:
        published.add(version, files, spoil)
    to = os.path.join(lab.dir, "kept")
    with open(to, "w", encoding="utf-8") as f:
        f.write("before")
    done = download(lab, published, version, to)
    assert done.returncode == 1 and said in done.stdout
    with open(to, encoding="utf-8") as f:
        assert f.read() == "before"
    assert not [n for n in os.listdir(lab.dir) if n.startswith("kept.")]


def test_a_foreign_signature_is_not_trusted(lab, published, tmp_path):
    other = releases.Releases(str(tmp_path / "other"))
    try:
        other.add(NEWER, {"eds": b"x"})
        done = lab.run("eds", "download", NEWER, os.path.join(lab.dir, "x"), "--release-url", other.url, "--release-key",
                       published.key_file)
        assert done.returncode == 1 and "signature" in done.stdout
        done = lab.run("eds", "download", NEWER, os.path.join(lab.dir, "x"), "--release-url", other.url)
        assert done.returncode == 1 and "signature" in done.stdout
    finally:
        other.close()


def started(lab, published):
    lab.start_eds(published.conf() + f"[destination files]\nurl = {lab.file_url()}\n")
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life")
    return lab


def upgrade(lab, version):
    """Asks for it; the response."""
    session, = lab.hq.live_sessions()
    lab.hq.control.notify(session.id, "upgrade", {"version": version})
    status = msgpack.unpackb(lab.hq.control.wait_answer("upgrade-status").payload)
    assert status == {"success": True, "message": "", "sessionId": session.id, "action": "upgrade"}
    return msgpack.unpackb(lab.hq.control.wait_answer("upgrade-response", timeout=60).payload)


def version_of(lab):
    return lab.status()["server"]["program"]


def test_hq_upgrades_a_server_that_goes_on_delivering(enrolled, published):
    published.add(NEWER, releases.our_programs(NEWER))
    lab = started(enrolled, published)
    lab.publish(20)
    answer = upgrade(lab, "v" + NEWER)
    assert (answer["success"], answer["version"]) == (True, NEWER) and "message" not in answer
    lab.wait_until(lambda: f"version {NEWER} is well and stays" in lab.whole_log(), "the end of the trial", timeout=60)
    assert version_of(lab) == NEWER
    lab.publish(20)
    lab.wait_delivered("files")
    assert not os.path.exists(os.path.join(lab.data_dir, "programs", "trial"))
    assert lab.stop_eds() == 0
    lab.start_eds()     # the installed program hands over
    assert version_of(lab) == NEWER
    lab.publish(5)
    lab.wait_delivered("files")


def test_a_version_that_does_not_run_is_given_up(enrolled, published):
    lab = started(enrolled, published)
    published.add(NEWER, {"eds": f"#!/bin/sh\n[ $1 = version ] && echo {NEWER} && exit 0\nexit 7\n".encode(),
                          "eds-worker": b"x"})
    assert upgrade(lab, NEWER)["success"] is True
    assert lab.eds.wait(30) == 7
    for _ in range(2):          # as an init system does
        lab.start_eds(wait=False)
        assert lab.eds.wait(30) == 7
    lab.start_eds()
    assert version_of(lab) == releases.VERSION
    assert f"version {NEWER} did not get well" in lab.whole_log()
    lab.publish(10)
    lab.wait_delivered("files")


BROKEN = {"eds": f"#!/bin/sh\n[ $1 = version ] && echo {NEWEST} && exit 0\nexit 7\n".encode(), "eds-worker": b"x"}


def test_h76_a_version_that_does_not_run_gives_way_to_the_one_that_ran(enrolled, published):
    """Which came from an upgrade as well, and was well."""
    published.add(NEWER, releases.our_programs(NEWER))
    published.add(NEWEST, BROKEN)
    lab = started(enrolled, published)
    assert upgrade(lab, NEWER)["success"] is True
    lab.wait_until(lambda: f"version {NEWER} is well and stays" in lab.whole_log(), "the end of the trial", timeout=60)
    lab.wait_until(lambda: f"server is running version: {NEWER}" in lab.whole_log(), "the new session's first sign of life")
    assert upgrade(lab, NEWEST)["success"] is True
    assert lab.eds.wait(30) == 7
    for _ in range(2):
        lab.start_eds(wait=False)
        assert lab.eds.wait(30) == 7
    lab.start_eds()
    assert version_of(lab) == NEWER
    assert f"version {NEWEST} did not get well in 3 starts; going back to {NEWER}" in lab.whole_log()
    lab.publish(10)
    lab.wait_delivered("files")
    lab.stop_eds()
    assert sorted(n for n in os.listdir(os.path.join(lab.data_dir, "programs")) if n in ("previous", "trial")) == []
    lab.start_eds()
    assert version_of(lab) == NEWER, "and it stays"


def test_a_version_that_does_not_get_ready_gives_way_by_itself(make_lab, published):
    """It runs, but finds no NATS for as long as its trial lasts."""
    published.add(NEWER, releases.our_programs(NEWER))
    lab = make_lab(storage="file")
    lab.enroll()
    lab.start_eds(published.conf() + f"upgrade_trial = 2s\n[destination files]\nurl = {lab.file_url()}\n")
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life")
    lab.publish(10)
    lab.wait_delivered("files")
    pid = lab.status()["server"]["pid"]
    assert upgrade(lab, NEWER)["success"] is True
    lab.nats.stop()
    lab.wait_until(lambda: f"version {NEWER} is not ready after 2 s (no connection to NATS" in lab.whole_log(), "the end of the trial",
                   timeout=60)
    lab.nats.start()
    lab.wait_until(lambda: lab.edsctl("ping").returncode == 0 and version_of(lab) == releases.VERSION, "the installed version")
    assert lab.status()["server"]["pid"] == pid, "in place, as every restart"
    lab.publish(10)
    lab.wait_delivered("files")


def test_what_a_package_manager_owns_is_left_to_it(enrolled, published, tmp_path):
    lab = enrolled
    (tmp_path / "dpkg-query").write_text('#!/bin/sh\necho "eds: $2"\n', encoding="utf-8")
    (tmp_path / "dpkg-query").chmod(0o755)
    lab.start_eds(published.conf() + f"[destination files]\nurl = {lab.file_url()}\n", PATH=f"{tmp_path}:{os.environ['PATH']}")
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life")
    answer = upgrade(lab, NEWER)
    assert answer["success"] is False and "belongs to the package eds; upgrade that instead" in answer["message"]


def test_a_policy_that_leaves_upgrades_out_is_named(enrolled, published):
    lab = enrolled
    lab.start_eds(published.conf() + f"hq_allow = ping, configure\n[destination files]\nurl = {lab.file_url()}\n")
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life")
    session, = lab.hq.live_sessions()
    lab.hq.control.notify(session.id, "upgrade", {"version": NEWER})
    answer = msgpack.unpackb(lab.hq.control.wait_answer("upgrade-response").payload)
    assert answer["success"] is False and "hq_allow" in answer["message"]


@pytest.mark.parametrize("version, files, said", [
    ("3.0.0", None, "goes to newer ones only"),
    ("nonsense", None, "that is no version"),
    (NEWER, None, f"failed to download version {NEWER}: "),
    (NEWER, {"eds": b"#!/bin/sh\necho 1.2.3\n", "eds-worker": b"x"}, f"upgrade failed checking version: {NEWER}, was: 1.2.3"),
    (NEWER, {"eds": b"#!/bin/sh\nexit 3\n", "eds-worker": b"x"}, "upgrade failed checking version: exit status 3"),
])
def test_an_upgrade_that_cannot_be_changes_nothing(enrolled, published, version, files, said):
    if files:
        published.add(version, files)
    lab = started(enrolled, published)
    pid = lab.status()["server"]["pid"]
    answer = upgrade(lab, version)
    assert answer["success"] is False and said in answer["message"] and answer["version"] == version
    assert lab.status()["server"]["pid"] == pid and version_of(lab) == releases.VERSION
    lab.publish(10)
    lab.wait_delivered("files")


def test_a_request_without_version_gets_a_status_only(enrolled, published):
    lab = started(enrolled, published)
    session, = lab.hq.live_sessions()
    lab.hq.control.notify(session.id, "upgrade", {})
    status = msgpack.unpackb(lab.hq.control.wait_answer("upgrade-status").payload)
    assert status["success"] is False
    assert status["message"].startswith("invalid upgrade notification. missing version for: {")


def test_h84_in_a_container_only_where_it_is_allowed(enrolled):
    lab = enrolled
    lab.start_eds(f"[destination files]\nurl = {lab.file_url()}\n", container="podman")
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life")
    answer = upgrade(lab, NEWER)
    assert answer["success"] is False
    assert answer["message"] == "upgrade is not supported inside a virtualized container system"
