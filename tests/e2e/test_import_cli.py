"""`eds import`: without a server, beside one, and what it says."""
import glob
import json
import os
import pty
import re
import select
import signal
import subprocess

import pytest

from tests.e2e.helpers import Fault, quick
from tests.support import proc
from tests.support.lab import build_dir
from tests.support.terminal import Terminal

TABLES = ["customer", "order", "user"]


@pytest.fixture
def shop(make_lab):
    lab = make_lab(tables=TABLES, row_limit=400)
    lab.enroll()
    lab.events.batch(600)
    return lab


def arguments(lab, url, *args):
    return ["import", "--url", url, "--data-dir", lab.data_dir, "--api-url", lab.hq.url, *args]


def run(lab, url, *args, **options):
    return lab.run("eds", *arguments(lab, url, *args), **options)


def differences(lab, path):
    lab.oracle.replace(lab.events.snapshot()[1])
    return lab.oracle.compare_sqlite(path)


def leftovers(lab):
    return [n for n in os.listdir(lab.data_dir) if n.startswith("import-")]


# ---- the line

def test_what_is_required_is_asked_for_on_standard_output(lab):
    done = lab.run("eds", "import", "--data-dir", lab.data_dir)
    assert (done.returncode, done.stdout) == (3, "error: required flag --url missing\n")
    done = lab.run("eds", "import", "--url", "null://", "--data-dir", lab.data_dir)
    assert (done.returncode, done.stdout) == (3, "error: required flag --api-key missing\n")
    done = lab.run("eds", "import", "--url", "null://", "--nope")
    assert done.returncode == 1 and "Global Flags:" in done.stderr


def test_a_destination_that_cannot_be_used_ends_with_3(shop):
    lab = shop
    fault = Fault(lab)
    assert run(lab, fault.url, "--validate-only").returncode == 0
    fault.say("test: config the account is locked")
    for args in (), ("--validate-only",):
        done = run(lab, fault.url, *args)
        assert (done.returncode, done.stdout) == (3, "the account is locked\n")
    done = run(lab, "gopher://x/y")
    assert (done.returncode, done.stdout) == (3, "no driver registered for protocol gopher\n")
    assert not lab.hq.exports.jobs


def test_the_token_may_come_from_the_line_or_the_environment(make_lab):
    lab = make_lab(tables=["user"])
    lab.events.batch(5)
    token = lab.hq.token("6a0f5a1e")
    done = run(lab, "null://", "--api-key", token)
    assert done.returncode == 0, done.stdout
    done = run(lab, "null://", env=lab.environment(SM_APIKEY=token))
    assert done.returncode == 0, done.stdout
    assert token not in done.stdout + done.stderr


# ---- loading

def test_everything_is_replaced_and_said(shop):
    lab = shop
    done = run(lab, lab.sqlite_url(), "--no-confirm")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\[INFO\]  \[import\] 👋 Loaded 3 tables in \S+", done.stdout, re.M)
    rows = sum(len(r) for r in lab.events.rows.values())
    assert re.search(rf"imported {rows} records from \d+ files in ", done.stdout)
    assert differences(lab, lab.sqlite_path()) == []
    assert leftovers(lab) == []
    (job,) = lab.hq.exports.jobs.values()
    assert job.request == {}
    lab.events.batch(100)
    done = run(lab, lab.sqlite_url(), "--no-confirm", "--single", "--no-cleanup", "--parallel", "1")
    assert done.returncode == 0 and differences(lab, lab.sqlite_path()) == []
    (folder,) = leftovers(lab)
    assert os.stat(os.path.join(lab.data_dir, folder)).st_mode & 0o777 == 0o700
    # and once more from the folder
    for rows in lab.events.rows.values():
        rows.clear()
    done = run(lab, lab.sqlite_url("second"), "--no-confirm", "--dir", os.path.join(lab.data_dir, folder))
    assert done.returncode == 0, done.stdout
    assert lab.oracle.compare_sqlite(lab.sqlite_path("second")) == []
    assert leftovers(lab) == [folder], "a folder that was given is nobody's to remove"


def test_what_is_imported_without_a_server_is_in_its_audit_too(shop):
    lab = shop
    fault = Fault(lab)
    assert run(lab, lab.sqlite_url(), "--no-confirm", "--only", "order,user").returncode == 0
    fault.say("import_rows: config no room")
    assert run(lab, fault.url + "&password=hunter2secret", "--no-delete").returncode == 1
    lab.start_eds({"null": "null://"})
    items = json.loads(lab.edsctl("audit", "--json").stdout)["items"]
    assert [(i["from"], i["who"], i["command"]) for i in items] == [("local", f"uid {os.getuid()}", "import")] * 4
    assert [i["outcome"] for i in items] == ["accepted", "done", "accepted", "failed: no room"]
    assert items[0]["details"].startswith("sqlite sqlite://") and items[0]["details"].endswith(" only=order,user")
    assert items[2]["details"].endswith(" no-delete") and "hunter2secret" not in json.dumps(items)
    assert items[1]["details"] == items[0]["details"]


def test_filters_go_to_hq(shop):
    lab = shop
    done = run(lab, "null://", "--only", "order,user", "--companyIds", "c1,c2", "--locationIds", "l1",
               "--timeOffset", "2026-01-31T12:00:00.5+01:00")
    assert done.returncode == 0, done.stdout
    (job,) = lab.hq.exports.jobs.values()
    assert job.request == {"timeOffset": 1769857200500, "companyIds": ["c1", "c2"], "locationIds": ["l1"],
                           "tables": ["order", "user"]}
    done = run(lab, "null://", "--timeOffset", "yesterday")
    assert done.returncode == 1 and "--timeOffset" in done.stdout


def test_h22_a_dry_run_leaves_nothing(shop):
    lab = shop
    done = run(lab, lab.sqlite_url(), "--dry-run")
    assert done.returncode == 0 and "nothing was changed" in done.stdout
    assert not os.path.exists(lab.sqlite_path()) and leftovers(lab) == []
    lab.start_eds({"sqlite": lab.sqlite_url()})
    assert lab.js.consumer_info(lab.consumer)["config"]["deliver_policy"] == "new"
    assert lab.destination("sqlite").get("last_import") is None


def test_a_failed_import_is_gone_on_with_by_its_job(shop):
    lab = shop
    fault = Fault(lab)
    fault.say("import_rows: config no room")
    lab.hq.exports.rows_per_file = 20
    done = run(lab, fault.url)
    assert done.returncode == 1
    (job,) = lab.hq.exports.jobs.values()
    saved = re.search(r"downloaded files saved to: (\S+)", done.stdout).group(1)
    assert f"--job-id {job.id}" in done.stdout and "no room" in done.stdout
    assert os.path.isdir(saved) and fault.stored() == []
    seen, whole = len(lab.hq.exports.downloads), set(os.listdir(saved))
    fault.be_well()
    done = run(lab, fault.url, "--job-id", job.id)
    assert done.returncode == 0, done.stdout
    assert len(lab.hq.exports.jobs) == 1
    assert len(fault.stored()) == sum(len(r) for r in lab.events.rows.values())
    again = {n for n, _ in lab.hq.exports.downloads[seen:]}
    assert not again & whole, "what was there was fetched once more"
    assert leftovers(lab) == []


def test_a_folder_with_a_part_of_an_export_is_refused(shop):
    lab = shop
    fault = Fault(lab)
    lab.hq.exports.rows_per_file = 10
    lab.hq.exports.unavailable = 10**6
    lab.hq.exports.cut_every = 2
    eds = proc.Process([os.path.join(build_dir(), "eds"), *arguments(lab, fault.url)], os.path.join(lab.dir, "import.log"),
                       env=lab.environment())
    proc.wait_until(lambda: glob.glob(lab.data_dir + "/import-*/part-*"), "a download to begin")
    eds.signal(signal.SIGINT)
    assert eds.wait() == 1 and "stopping" in eds.log()
    (folder,) = leftovers(lab)
    done = run(lab, fault.url, "--dir", os.path.join(lab.data_dir, folder))
    assert done.returncode == 1 and "not complete" in done.stdout


# ---- the question

def answer(lab, keys, *args):
    """Runs it on a terminal and answers the question; (exit status, output)."""
    master, slave = pty.openpty()
    child = subprocess.Popen([os.path.join(build_dir(), "eds"), *arguments(lab, lab.sqlite_url(), *args)], stdin=slave,
                             stdout=slave, stderr=slave, env=lab.environment(TERM="xterm"), start_new_session=True)
    os.close(slave)
    output, asked = b"", False
    try:
        while True:
            ready, _, _ = select.select([master], [], [], 20)
            try:
                part = os.read(master, 4096) if ready else b""
            except OSError:         # it has ended
                break
            if not part:
                break
            output += part
            if not asked and b"[ Cancel ]" in output:
                asked = True
                os.write(master, keys)
        return child.wait(20), output.decode(errors="replace")
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(master)


@pytest.mark.parametrize("keys", [b"\r", b"\x1b", b"\x03", b"n", b"\x1b[D\x1b[D\r"])
def test_h23_nothing_happens_unless_it_is_confirmed(shop, keys):
    status, output = answer(shop, keys)
    assert status == 0
    assert "🚨 WARNING 🚨" in output and "YOU ARE ABOUT TO DELETE EVERYTHING IN SQLite" in output
    assert not os.path.exists(shop.sqlite_path()) and not shop.hq.exports.jobs


@pytest.mark.parametrize("keys, args", [(b"y", ()), (b"\x1b[D\r", ()), (b"y", ("--schema-only",))])
def test_a_confirmed_import_shows_how_far_it_is(shop, keys, args):
    status, output = answer(shop, keys, *args)
    assert status == 0 and "Loaded" in output
    if not args:
        assert differences(shop, shop.sqlite_path()) == []


def test_rate_and_estimate_are_shown_on_a_terminal_and_in_edsctl_status(shop):
    lab = shop
    lab.hq.exports.rows_per_file = 5
    fault, picture = Fault(lab), re.compile(r"loading, [1-9]\d* of \d+ files, [1-9]\d* rows, [\d.]+/s, about \S+ left")
    fault.say("import_rows: slow 200")
    shown = Terminal([os.path.join(build_dir(), "eds"), *arguments(lab, fault.url)], lab.dir, lab.environment(TERM="xterm"))
    try:
        proc.wait_until(lambda: shown.read() and picture.search(shown.output), lambda: f"the progress; it shows:\n{shown.output}")
        assert shown.output.count("\r\033[K") > 1 and "\n" not in shown.output.partition("\r\033[K")[2], "one line, again and again"
        shown.type("\x03")
        shown.wait_for("stopping; what was there stays as it was")
        assert shown.wait() == 1
    finally:
        shown.close()
    lab.start_eds({"fault": quick(fault.url)})
    lab.wait_running("fault")
    assert lab.edsctl("import", "fault").returncode == 0
    lab.wait_until(lambda: picture.search(" ".join(lab.edsctl("status").stdout.split())), "edsctl status to show the progress")
    assert lab.edsctl("import", "fault", "--cancel").returncode == 0


def test_without_a_terminal_the_flag_is_named(shop):
    done = run(shop, shop.sqlite_url())
    assert done.returncode == 1 and "--no-confirm" in done.stdout
    assert not shop.hq.exports.jobs
    done = run(shop, shop.sqlite_url(), "--schema-only")
    assert done.returncode == 0


# ---- beside a server

def test_h20_a_running_server_is_asked_to_do_it(shop):
    lab = shop
    lab.start_eds({"shop": lab.sqlite_url(), "null": "null://"})
    lab.wait_running()
    done = run(lab, lab.sqlite_url(), "--no-confirm")
    assert done.returncode == 0, done.stdout
    assert "it imports into its destination shop" in done.stdout and "👋 Loaded 3 tables" in done.stdout
    lab.publish(50)
    lab.wait_delivered()
    assert differences(lab, lab.sqlite_path()) == []
    done = run(lab, lab.sqlite_url(), "--no-confirm", "--timeOffset", "2026-01-31T12:00:00Z")
    assert done.returncode == 0, done.stdout
    assert [job.request.get("timeOffset") for job in lab.hq.exports.jobs.values()] == [None, 1769860800000]
    for wrong in (run(lab, lab.sqlite_url(), "--no-confirm", "--timeOffset", "yesterday").stdout,
                  lab.edsctl("import", "shop", "--timeOffset", "yesterday").stderr):
        assert "--timeOffset takes a time such as" in wrong
    done = run(lab, "sqlite:///tmp/nowhere/else.db", "--no-confirm")
    assert done.returncode == 1 and "edsctl import NAME" in done.stdout
    lab.hq.exports.fail_table = "order"
    done = run(lab, lab.sqlite_url(), "--no-confirm")
    assert done.returncode == 1 and "error exporting table order" in done.stdout


def test_an_import_that_was_killed_is_finished_by_the_server(shop):
    lab = shop
    fault = Fault(lab, "fault")
    fault.say("import_rows: hang")
    eds = proc.Process([os.path.join(build_dir(), "eds"), *arguments(lab, fault.url)], os.path.join(lab.dir, "import.log"),
                       env=lab.environment())
    proc.wait_until(lambda: glob.glob(fault.store_path + ".import-*"), "the import to begin")
    eds.kill()
    fault.be_well()
    lab.start_eds({"fault": quick(fault.url)}, wait="answer")
    lab.wait_until(lambda: lab.destination("fault").get("last_import"), "the import to end")
    assert lab.destination("fault")["last_import"]["state"] == "done"
    assert len(set(fault.stored())) == sum(len(r) for r in lab.events.rows.values())


def test_an_export_older_than_what_was_delivered_is_refused(shop):
    lab = shop
    done = run(lab, lab.sqlite_url(), "--no-confirm", "--no-cleanup")
    assert done.returncode == 0
    (folder,) = leftovers(lab)
    lab.start_eds({"sqlite": lab.sqlite_url()})
    lab.publish(50)
    lab.wait_delivered()
    done = lab.edsctl("import", "sqlite", "--dir", os.path.join(lab.data_dir, folder))
    assert done.returncode == 1 and "begin a new export" in done.stderr
    lab.stop_eds()
    done = run(lab, lab.sqlite_url(), "--no-confirm", "--dir", os.path.join(lab.data_dir, folder))
    assert done.returncode == 1 and "begin a new export" in done.stdout
    assert differences(lab, lab.sqlite_path()) == []
