"""Imports into a running server: what stands at the destination is the model, whatever happened on the way."""
import json
import os
import re
import signal
from datetime import datetime, timezone

import pytest

from tests.e2e.helpers import Fault, Load, quick
from tests.support import proc

TABLES = ["customer", "labor_rate", "order", "user"]


@pytest.fixture
def shop(make_lab):
    """A laboratory whose shop has rows from before it was enrolled."""
    lab = make_lab(tables=TABLES, row_limit=400)
    lab.enroll()
    lab.events.batch(1200)
    return lab


def begin(lab, name, *args):
    done = lab.edsctl("import", name, *args)
    assert done.returncode == 0, done.stderr
    return done


def wait_import(lab, name, state="done", timeout=40):
    """Until the destination's import is over and streaming goes on; what is on record of it."""
    found = lab.wait_until(lambda: not (d := lab.destination(name)).get("import") and d.get("last_import") or None,
                           f"the import into {name} to end", timeout)
    assert found["state"] == state, found
    return found


def model_differences(lab, path):
    """What is wrong with a SQLite destination, next to the shop's rows as they are now."""
    lab.oracle.replace(lab.events.snapshot()[1])
    return lab.oracle.compare_sqlite(path)


def counts(lab):
    return sum(len(rows) for rows in lab.events.rows.values())


# ---- the whole way

def test_an_import_and_the_changes_behind_it_give_the_model(shop):
    lab = shop
    lab.start_eds({"shop": lab.sqlite_url(), "files": lab.file_url()})
    lab.publish(300)
    lab.wait_delivered()
    begin(lab, "shop")
    last = wait_import(lab, "shop")
    assert last["rows"] == counts(lab) and last["rejected"] == 0 and last["tables"] == len(TABLES)
    lab.publish(300)
    lab.wait_delivered()
    assert model_differences(lab, lab.sqlite_path()) == []
    # the other destination noticed nothing of it
    assert lab.oracle.compare_files(lab.file_dir()) == []
    assert not [n for n in os.listdir(lab.data_dir) if n.startswith("import-")]


def test_changes_during_the_import_are_neither_lost_nor_undone(shop):
    lab = shop
    lab.hq.exports.rows_per_file = 10
    lab.start_eds({"shop": lab.sqlite_url(), "null": "null://"})
    with Load(lab) as load:
        lab.wait_until(lambda: load.count > 200, "changes to flow")
        begin(lab, "shop")
        assert lab.destination("null")["state"] == "running"
        wait_import(lab, "shop")
        at_end = load.count
        lab.wait_until(lambda: load.count > at_end + 200, "changes behind the import")
    lab.wait_delivered()
    assert model_differences(lab, lab.sqlite_path()) == []


def test_h24_files_hold_the_imported_rows_as_events_of_their_own(shop):
    """Each has an id of its own, its company and its location."""
    lab = shop
    lab.start_eds({"files": lab.file_url()})
    begin(lab, "files")
    wait_import(lab, "files")
    time_ns, rows = lab.events.snapshot()
    ids = set()
    for table, images in rows.items():
        for image in images:
            row = json.loads(image)
            path = os.path.join(lab.file_dir(), table, f"{time_ns // 10**9}-{row['id']}.json")
            with open(path, encoding="utf-8") as f:
                event = json.load(f)
            assert event["after"] == row and event["operation"] == "INSERT" and event["imported"] is True
            assert event["key"] == [row["id"]] and event["mvccTimestamp"] == f"{time_ns}.0000000000"
            assert event["timestamp"] == time_ns // 10**6
            assert event.get("companyId") == row.get("companyId")
            assert event.get("locationId") == row.get("locationId")
            ids.add(event["id"])
    assert len(ids) == counts(lab)


# ---- what is older than the snapshot

def test_h74_an_event_of_the_snapshots_own_millisecond_is_not_passed_over(make_lab):
    lab = make_lab(tables=["order"])
    lab.enroll()
    lab.events.batch(20)
    fault = Fault(lab)
    lab.start_eds({"fault": quick(fault.url)})
    time_ns, rows = lab.events.snapshot()
    time_ns = time_ns // 10**6 * 10**6 + 280460
    lab.hq.exports.snapshot = lambda: (time_ns, rows)
    begin(lab, "fault")
    wait_import(lab, "fault")
    imported = len(fault.stored())
    key = next(iter(lab.events.rows["order"]))

    def at(ns):
        event = lab.events.update("order", key)
        body = json.loads(event.payload)
        body.update(mvccTimestamp=f"{ns}.0000000000", timestamp=ns // 10**6)
        return type(event)(event.subject, json.dumps(body).encode(), event.id, event.operation, event.table, event.key,
                           ns // 10**6)
    older, newer = at(time_ns - 1), at(time_ns + 440)
    lab.admin.publish_many(e.message for e in (older, newer))
    lab.wait_delivered()
    assert fault.stored()[imported:] == [newer.id]


def test_a_new_consumer_begins_at_the_imports_time(shop):
    """eds import, then the first start: the stream is taken from the snapshot on (contract/nats.md section 2)."""
    lab = shop
    lab.publish(50)                 # part of the snapshot
    done = lab.run("eds", "import", "--url", lab.sqlite_url(), "--no-confirm", "--data-dir", lab.data_dir,
                   "--api-url", lab.hq.url)
    assert done.returncode == 0, done.stdout
    time_ns = next(iter(lab.hq.exports.jobs.values())).time_ns
    lab.publish(50)
    lab.start_eds({"sqlite": lab.sqlite_url()})
    info = lab.js.consumer_info(lab.consumer)
    assert info["config"]["deliver_policy"] == "by_start_time"
    second = datetime.fromtimestamp(time_ns // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    assert info["config"]["opt_start_time"].startswith(second)
    lab.wait_delivered()
    assert model_differences(lab, lab.sqlite_path("shop")) == []


# ---- killed at every step

def fault_differences(lab, fault, since):
    """The fault destination is the snapshot, then the events behind it, each at least once and in order."""
    with open(fault.store_path, encoding="utf-8") as f:
        events = [json.loads(line) for line in f]
    rows = {e["after"]["id"]: e["after"] for e in events if e.get("imported")}
    wanted = {json.loads(r)["id"]: json.loads(r) for images in lab.snapshot[1].values() for r in images}
    streamed = list(dict.fromkeys(e["id"] for e in events if not e.get("imported")))
    return [text for text, wrong in (("rows", rows != wanted), ("events", streamed != [e.id for e in since])) if wrong]


@pytest.fixture
def faulty(shop):
    """The shop with a fault destination, an export of several files that stays as it is, and quick retries."""
    lab = shop
    lab.hq.exports.rows_per_file = 40
    lab.snapshot = lab.events.snapshot()
    lab.hq.exports.snapshot = lambda: lab.snapshot
    fault = Fault(lab)
    lab.start_eds({"fault": quick(fault.url), "null": "null://"})
    lab.wait_running()
    return lab, fault


@pytest.mark.parametrize("call", ["import_begin", "import_rows", "import_commit", "import_end"])
def test_a_worker_that_dies_in_any_call_is_followed_by_one_that_goes_on(faulty, call):
    lab, fault = faulty
    fault.say(f"{call}: crash")
    begin(lab, "fault")
    since = lab.publish(20)
    lab.wait_log(r"\[import\] \[fault\] .*killed by signal 6.*goes on with another worker")
    fault.be_well()
    wait_import(lab, "fault")
    lab.wait_delivered()
    assert fault_differences(lab, fault, since) == []


def test_a_worker_that_hangs_is_followed_by_one_that_goes_on(faulty):
    lab, fault = faulty
    fault.say("import_rows: slow 100")
    begin(lab, "fault")
    found = lab.wait_until(lambda: (d := lab.destination("fault").get("import", {})).get("files_done") and d["pid"],
                           "a file to be loaded")
    os.kill(found, signal.SIGSTOP)
    lab.wait_log(r"did not answer for 2 s.*goes on with another worker")
    fault.be_well()
    wait_import(lab, "fault")
    assert fault_differences(lab, fault, []) == []


@pytest.mark.parametrize("call", ["import_begin", "import_rows", "import_commit", "import_end"])
def test_a_server_that_is_killed_goes_on_with_the_import_when_it_is_back(faulty, call):
    lab, fault = faulty
    fault.say(f"{call}: hang")
    begin(lab, "fault")
    phase = "ending" if call == "import_end" else "loading"
    lab.wait_until(lambda: lab.destination("fault").get("import", {}).get("phase") == phase
                   and lab.destination("fault")["import"]["pid"], f"the import to be {phase}")
    since = lab.publish(20)
    lab.wait_delivered("null")
    if call in ("import_commit", "import_rows"):    # some way into it
        lab.wait_until(lambda: os.path.exists(f"{fault.store_path}.import-{job_of(lab)}"), "rows beside")
    lab.kill_eds()
    fault.be_well()
    lab.start_eds()
    wait_import(lab, "fault")
    lab.wait_delivered()
    assert fault_differences(lab, fault, since) == []
    assert not [n for n in os.listdir(lab.dir) if ".import-" in n], "something is left beside"


def job_of(lab):
    """Our name of the import that is under way, from what is beside the store."""
    names = [n for n in os.listdir(lab.dir) if re.search(r"\.import-[0-9a-f]{12}$", n)]
    return names[0].rpartition("-")[2] if names else "none"


def test_sqlite_survives_a_kill_of_everything_in_the_middle(shop):
    lab = shop
    lab.hq.exports.rows_per_file = 5
    lab.start_eds({"shop": lab.sqlite_url(), "null": "null://"})
    lab.publish(100)
    lab.wait_delivered()
    before = lab.oracle.expected_rows()
    with Load(lab, steadfast=True):
        begin(lab, "shop")
        lab.wait_until(lambda: lab.destination("shop").get("import", {}).get("files_done", 0) > 3, "some files to be loaded")
        lab.kill_eds()
        # what was there is there
        assert lab.oracle.sqlite_row_count(lab.sqlite_path()) == sum(len(r) for r in before.values())
        lab.start_eds()
        wait_import(lab, "shop")
    lab.wait_delivered()
    assert model_differences(lab, lab.sqlite_path()) == []


# ---- failing, and being given up

def test_a_failed_import_leaves_what_was_there(faulty):
    lab, fault = faulty
    since = lab.publish(30)
    lab.wait_delivered()
    fault.say("import_rows: config the disk of the database is full of rules")
    begin(lab, "fault")
    last = wait_import(lab, "fault", "failed")
    assert "full of rules" in last["error"]
    since += lab.publish(30)
    lab.wait_delivered()
    assert fault.differences(since) == []
    assert not [n for n in os.listdir(lab.dir) if ".import-" in n]
    assert not [n for n in os.listdir(lab.data_dir) if n.startswith("import-")]


def test_an_import_that_takes_its_time_says_in_the_log_how_far_it_is(faulty):
    lab, fault = faulty
    fault.say("import_rows: hang")
    begin(lab, "fault")
    lab.wait_until(lambda: re.search(r"import into fault: .*\d+ of \d+ files", lab.whole_log()), "the line")
    assert lab.edsctl("import", "fault", "--cancel").returncode == 0
    wait_import(lab, "fault", "cancelled")


def test_why_tells_how_far_an_import_is_what_holds_it_up_and_how_it_failed(faulty):
    lab, fault = faulty

    def why():
        return lab.edsctl("why", "fault").stdout
    assert "import" not in why()
    fault.say("import_rows: retry the server takes a rest")
    begin(lab, "fault")
    lab.wait_until(lambda: "held up, and keeps trying: the server takes a rest" in why(), why)
    assert re.search(r"Its import: loading, \d+ of \d+ files", why()) and "edsctl import fault --cancel" in why()
    fault.say("import_rows: config no room")
    wait_import(lab, "fault", "failed")
    assert "Its last import failed, and left what was there: no room" in why() and "--cancel" not in why()
    fault.be_well()
    begin(lab, "fault")
    wait_import(lab, "fault")
    assert "import" not in why()


def test_cancel_leaves_what_was_there(faulty):
    lab, fault = faulty
    since = lab.publish(30)
    lab.wait_delivered()
    fault.say("import_rows: slow 300")
    begin(lab, "fault")
    lab.wait_until(lambda: lab.destination("fault").get("import", {}).get("files_done"), "a file to be loaded")
    assert lab.edsctl("import", "fault", "--dry-run").returncode == 1, "two at once"
    assert lab.edsctl("import", "fault", "--cancel").returncode == 0
    wait_import(lab, "fault", "cancelled")
    since += lab.publish(30)
    lab.wait_delivered()
    assert fault.differences(since) == []
    assert lab.edsctl("import", "fault", "--cancel").returncode == 1


def test_a_cancelled_import_is_gone_on_with_by_its_job_until_an_event_comes(shop):
    lab = shop
    lab.hq.exports.pending_polls = 10**6
    lab.start_eds({"shop": lab.sqlite_url()})
    lab.publish(50)
    lab.wait_delivered()
    begin(lab, "shop")
    lab.wait_until(lambda: lab.hq.exports.jobs, "the export job")
    (job,) = lab.hq.exports.jobs
    lab.wait_log(f"export job {job}")
    assert lab.edsctl("import", "shop", "--cancel").returncode == 0
    wait_import(lab, "shop", "cancelled")
    lab.hq.exports.pending_polls = 0
    other = lab.edsctl("import", "shop", "--job-id", "another")
    assert other.returncode == 1 and "begin a new export" in other.stderr
    begin(lab, "shop", "--job-id", job)
    wait_import(lab, "shop")
    assert list(lab.hq.exports.jobs) == [job], "HQ was asked for a second export"
    assert model_differences(lab, lab.sqlite_path()) == []
    lab.hq.exports.pending_polls = 10**6
    begin(lab, "shop")
    lab.wait_until(lambda: len(lab.hq.exports.jobs) == 2, "another export job")
    late = list(lab.hq.exports.jobs)[1]
    lab.wait_log(f"export job {late}")
    assert lab.edsctl("import", "shop", "--cancel").returncode == 0
    wait_import(lab, "shop", "cancelled")
    lab.publish(20)
    lab.wait_delivered()
    done = lab.edsctl("import", "shop", "--job-id", late)
    assert done.returncode == 1 and "begin a new export" in done.stderr
    assert model_differences(lab, lab.sqlite_path()) == []


def test_a_table_that_hq_cannot_export_fails_the_import_with_its_name(shop):
    lab = shop
    lab.hq.exports.fail_table = "order"
    lab.start_eds({"null": "null://"})
    begin(lab, "null")
    assert wait_import(lab, "null", "failed")["error"] == "error exporting table order: no such luck"


def test_h81_a_table_without_a_schema_is_refused_before_anything_is_touched(shop):
    lab = shop
    lab.hq.exports.extra_tables = {"spaceship": [b'{"id":"1"}']}
    lab.start_eds({"shop": lab.sqlite_url()})
    lab.publish(50)
    lab.wait_delivered()
    begin(lab, "shop")
    assert "spaceship" in wait_import(lab, "shop", "failed")["error"]
    begin(lab, "shop", "--only", "order,submarine")
    assert "submarine" in wait_import(lab, "shop", "failed")["error"]
    lab.publish(50)
    lab.wait_delivered()
    assert lab.oracle.compare_sqlite(lab.sqlite_path()) == []


def test_a_destination_that_cannot_be_used_is_told_before_hq_is_asked(faulty):
    lab, fault = faulty
    fault.say("test: config the account is locked")
    begin(lab, "fault")
    assert "the account is locked" in wait_import(lab, "fault", "failed")["error"]
    assert not lab.hq.exports.jobs


# ---- choices

def test_only_the_chosen_tables_are_replaced(shop):
    lab = shop
    lab.start_eds({"shop": lab.sqlite_url()})
    lab.publish(200)
    lab.wait_delivered()
    begin(lab, "shop", "--only", "order,user")
    wait_import(lab, "shop")
    (job,) = lab.hq.exports.jobs.values()
    assert job.request["tables"] == ["order", "user"]
    rows = lab.events.snapshot()[1]
    lab.oracle.replace({t: rows[t] for t in ("order", "user")})
    assert lab.oracle.compare_sqlite(lab.sqlite_path()) == []


def test_h22_a_dry_run_changes_nothing(faulty):
    lab, fault = faulty
    since = lab.publish(30)
    lab.wait_delivered()
    tables = lab.destination("fault")["tables"]
    begin(lab, "fault", "--dry-run")
    lab.wait_log(rf"Loaded {len(TABLES)} tables in .* rows would go")
    assert lab.destination("fault")["state"] == "running" and lab.destination("fault")["generation"] == 1
    assert lab.destination("fault").get("last_import") is None
    assert lab.destination("fault")["tables"] == tables
    older = lab.events.update("order", next(iter(lab.events.rows["order"])))
    lab.publish_events([older])
    lab.wait_delivered()
    assert fault.differences(since + [older]) == []
    assert not [n for n in os.listdir(lab.data_dir) if n.startswith("import-")]


def test_no_delete_keeps_rows_and_schema_only_makes_tables(shop):
    lab = shop
    lab.start_eds({"shop": lab.sqlite_url()})
    begin(lab, "shop", "--schema-only", "--no-delete")
    last = wait_import(lab, "shop")
    assert last["rows"] == 0 and last["tables"] > len(TABLES)
    assert lab.oracle.sqlite_row_count(lab.sqlite_path()) == 0
    gone = lab.events.insert("order")
    lab.publish_events([gone])
    lab.wait_delivered()
    del lab.events.rows["order"][gone.key]          # it is not in the export
    begin(lab, "shop", "--no-delete")
    wait_import(lab, "shop")
    rows = lab.events.snapshot()[1]
    rows["order"].append(json.dumps(json.loads(gone.payload)["after"]).encode())
    assert lab.oracle.sqlite_row_count(lab.sqlite_path()) == counts(lab) + 1
    begin(lab, "shop")
    wait_import(lab, "shop")
    assert model_differences(lab, lab.sqlite_path()) == []
    begin(lab, "shop", "--schema-only")
    wait_import(lab, "shop")
    assert lab.oracle.sqlite_row_count(lab.sqlite_path()) == 0


def test_h25_an_export_without_files_still_makes_the_tables_and_their_times(shop):
    lab = shop
    time_ns = lab.events.snapshot()[0]
    lab.hq.exports.snapshot = lambda: (time_ns, {t: [] for t in TABLES})
    lab.start_eds({"shop": lab.sqlite_url()})
    begin(lab, "shop")
    assert wait_import(lab, "shop")["tables"] == len(TABLES)
    older = lab.publish(1)[0]
    assert lab.wait_delivered()
    body = json.loads(older.payload)
    body["mvccTimestamp"] = f"{time_ns - 2000}.0000000000"   # cursors count to the microsecond
    body["id"] = "0" * 16
    body["after"] = {**body["after"], "id": "never"}
    body["key"] = ["never"]
    lab.admin.publish_many([(older.subject, json.dumps(body).encode(), {"Nats-Msg-Id": "older"})])
    lab.wait_delivered()
    assert lab.oracle.compare_sqlite(lab.sqlite_path()) == []


# ---- rows and files that are not as they should be

def test_rows_that_can_never_be_stored_are_named_and_counted(shop):
    lab = shop
    time_ns, rows = lab.events.snapshot()
    rows["user"] = [b'{"id":"u-1"}', b'{"name":"no id"}', b"[1]", b'{"id":"u-2",', b'{"id":"\xff"}'] + rows["user"]
    lab.hq.exports.snapshot = lambda: (time_ns, rows)
    lab.start_eds({"files": quick(lab.file_url())})
    begin(lab, "files")
    last = wait_import(lab, "files")
    assert last["rejected"] == 4 and last["rows"] == counts(lab) + 1
    with open(os.path.join(lab.data_dir, "import-rejected-files.ndjson"), encoding="utf-8") as f:
        kept = [json.loads(line) for line in f]
    assert [k["row"] for k in kept] == [2, 3, 4, 5] and all("-user-" in k["file"] for k in kept)
    assert kept[0]["text"] == '{"name":"no id"}' and "`id`" in kept[0]["reason"]
    assert oct(os.stat(f.name).st_mode & 0o777) == "0o600"
    assert "no id" not in lab.whole_log(), "row data in the log"


def test_too_many_refused_rows_fail_the_import(shop):
    lab = shop
    time_ns, rows = lab.events.snapshot()
    rows["user"] = [b"{}"] * 30 + rows["user"]
    lab.hq.exports.snapshot = lambda: (time_ns, rows)
    lab.start_eds({"files": quick(lab.file_url(), quarantine_limit=20)})
    begin(lab, "files")
    assert "too many rows were refused" in wait_import(lab, "files", "failed")["error"]


def test_h70_downloads_are_resumed_repeated_and_verified(faulty):
    lab, fault = faulty
    ex = lab.hq.exports
    ex.cut_every, ex.unavailable, ex.expire_after = 3, 2, 3
    create = ex.create

    def create_with_a_broken_file(*args):
        data = create(*args)
        ex.broken_files.add(next(iter(ex.jobs[data["jobId"]].files)))
        return data
    ex.create = create_with_a_broken_file
    begin(lab, "fault")
    wait_import(lab, "fault")
    lab.wait_delivered()
    assert fault_differences(lab, fault, []) == []
    assert any(part for _, part in ex.downloads), "nothing was resumed"
    names = [n for n, _ in ex.downloads]
    assert len(names) > len(set(names))
    assert "is damaged" in lab.whole_log()


def test_a_file_that_is_never_as_long_as_announced_fails_the_import(faulty):
    lab, fault = faulty
    lab.hq.exports.wrong_length = 10**6
    begin(lab, "fault")
    last = wait_import(lab, "fault", "failed", timeout=60)
    assert ".ndjson.gz" in last["error"] and "X-Goog" not in lab.whole_log()


def test_the_export_is_polled_until_it_is_complete(shop):
    lab = shop
    lab.hq.exports.pending_polls = 1
    lab.hq.exports.cursor_suffix = ""
    lab.start_eds({"null": "null://"})
    begin(lab, "null")
    lab.wait_until(lambda: lab.destination("null").get("import", {}).get("phase") == "exporting", "the export to be polled")
    assert lab.edsctl("status").returncode == 0, "an import is no trouble"
    wait_import(lab, "null")
    (job,) = lab.hq.exports.jobs.values()
    assert job.polls == 2


def test_signals_end_a_server_that_imports(faulty):
    lab, fault = faulty
    fault.say("import_rows: slow 200")
    begin(lab, "fault")
    lab.wait_until(lambda: lab.destination("fault").get("import", {}).get("files_done"), "a file to be loaded")
    assert lab.stop_eds() == 0
    fault.be_well()
    lab.start_eds()
    wait_import(lab, "fault")
    assert fault_differences(lab, fault, []) == []
