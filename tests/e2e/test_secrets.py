"""Secrets stay where they belong: not in argv, environments, logs, outputs, status or core files."""
import os

from helpers import quick
from tests.support.lab import SERVER_ID, descendants
from tests.support.natsd import write_private

PASSWORD = "hunter2-sesame-open"


def readable_about(pid):
    """What other programs can see of a process."""
    found = {}
    for what in ("cmdline", "environ", "comm"):
        with open(f"/proc/{pid}/{what}", "rb") as f:
            found[what] = f.read().decode(errors="replace")
    return found


def core_limit(pid):
    with open(f"/proc/{pid}/limits", encoding="utf-8") as f:
        line, = [line for line in f if line.startswith("Max core file size")]
    return line.split()[4:6]


def test_nothing_secret_is_to_be_seen_of_any_process(enrolled):
    lab = enrolled
    token = lab.hq.token(SERVER_ID)
    secret_url = f"{lab.file_url('safe')}?password={PASSWORD}"
    path = write_private(os.path.join(lab.dir, "safe.url"), secret_url + "\n")
    lab.write_conf({"files": quick(lab.file_url()), "safe": {"url_file": path}})
    lab.start_eds(args=("-v", "--api-key", token, "--url", f"{lab.file_url('by-flag')}?password={PASSWORD}"),
                  SM_APIKEY=token)
    lab.wait_running("files", "safe", "file")
    lab.publish(200)
    lab.wait_delivered()
    lab.kill_worker("safe")
    lab.wait_until(lambda: lab.destination("safe")["restarts"] == 1, "another worker")
    lab.wait_running("safe")
    lab.edsctl("reload")
    lab.wait_delivered()
    secrets = {token, PASSWORD, *lab.secrets()}
    assert len(secrets) >= 4, "the token, the password, the credential's token and its seed"
    workers = descendants(lab.eds.pid)
    assert len(workers) == 3
    for pid in workers:
        for what, text in readable_about(pid).items():
            assert not [s for s in secrets if s in text], f"{what} of a worker"
        assert core_limit(pid) == ["0", "0"]
    assert not [s for s in secrets if s in readable_about(lab.eds.pid)["cmdline"]]
    assert core_limit(lab.eds.pid) == ["0", "0"]
    outputs = [lab.edsctl(*args) for args in (("status",), ("--json", "status"), ("why", "safe"), ("--json", "why", "file"),
                                              ("check",), ("reload",))]
    texts = [o.stdout + o.stderr for o in outputs] + [lab.get(p)[1] for p in ("/status", "/metrics", "/ready")]
    assert not [s for s in secrets for t in texts if s in t]
    assert lab.stop_eds() == 0
    assert not [s for s in secrets if s in lab.whole_log()]
    for session in lab.hq.sessions.values():
        assert PASSWORD not in str(session.start), "HQ gets the masked URL"


def test_h50_what_holds_secrets_is_private(enrolled):
    lab = enrolled
    old = os.umask(0)
    try:
        lab.start_eds({"files": lab.file_url(), "shop": lab.sqlite_url()})
    finally:
        os.umask(old)
    lab.publish(50)
    lab.wait_delivered()
    for folder, folders, files in os.walk(lab.data_dir):
        assert os.stat(folder).st_mode & 0o077 == 0, folder
        for name in files:
            path = os.path.join(folder, name)
            assert os.stat(path).st_mode & 0o077 == 0, path


def test_a_worker_inherits_no_descriptor_but_its_own(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    lab.wait_running()
    pid = lab.worker_pid("files")
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue            # it was closed meanwhile
        assert lab.data_dir not in target, target
        assert "lab" not in os.path.basename(target) or target.startswith(lab.file_dir()), target
        if fd in "01":
            assert target == "/dev/null"
    assert os.getpgid(pid) == pid, "a process group of its own"


def test_a_url_with_a_secret_in_a_readable_file_is_warned_about(enrolled):
    lab = enrolled
    lab.write_conf({"shop": f"{lab.sqlite_url()}?password={PASSWORD}"})
    os.chmod(lab.conf_path, 0o644)
    lab.start_eds()
    assert "url_file" in lab.eds.log() and PASSWORD not in lab.eds.log()
