"""PostgreSQL as a destination: delivery, URLs, TLS, and a server that refuses, waits, stops or goes away."""
import json
import os
import signal

import pytest

from helpers import Load, quick
from sql_stage import NAME, TEXT, TIME, WHOLE, Stage
from tests.support import postgresd, proc


@pytest.fixture
def shop(postgres_server, enrolled):
    """(laboratory, server): an empty database `shop`, and a role that owns it."""
    postgres_server.create("shop")
    return enrolled, postgres_server


def patient(url):
    """Quick settings, but a server may take its time to answer."""
    return quick(url, hang_timeout="60s")


def differences(lab, server, database="shop"):
    link = server.connect(database)
    try:
        return postgresd.differences(lab.oracle, link)
    finally:
        link.close()


def failed(lab, url, *words):
    """Starts a server whose destination is to end up failed, for a reason with these words."""
    lab.start_eds({NAME: patient(url)}, wait="answer")
    lab.wait_state(NAME, "failed")
    why = lab.edsctl("why", NAME).stdout
    assert all(word in why for word in words), why
    assert postgresd.PASSWORD not in why and "wr0ng" not in why
    assert postgresd.PASSWORD not in lab.whole_log() and "wr0ng" not in lab.whole_log()
    return why


def test_what_lands_is_what_was_published(shop):
    lab, server = shop
    lab.start_eds({NAME: patient(server.url("shop"))})
    lab.publish(3000)
    lab.wait_delivered(NAME)
    assert differences(lab, server) == []
    assert lab.destination(NAME)["quarantined"] == 0


def test_the_contracts_scenario(shop):
    """contract/drivers.md 13.2: tables and columns appear as the events need them."""
    lab, server = shop
    stage = Stage(lab, server.url("shop"))
    base = {"name": TEXT, "updatedDate": TIME}
    row = {"id": "12345", "name": "test", "updatedDate": "2026-02-02T12:00:00.000Z"}
    stage.table("order", base, version="fff000111")
    stage.table("customer", base, version="fff000111")
    stage.insert("order", row, version="fff000111")
    stage.insert("customer", row, version="fff000111")
    stage.update("order", {**row, "name": "other"}, ["name"], version="fff000111")
    assert server.run('SELECT name FROM "order"', database="shop") == [("other",)]
    stage.delete("order", ["12345"], version="fff000111")
    assert server.run('SELECT name FROM "order"', database="shop") == []
    for table, version, more in (("customer", "fff000112-update", {}), ("order", "fff000112-update", {"age": 1}),
                                 ("order", "fff000113-update", {"age": 2}), ("customer", "fff000112-update", {})):
        stage.table(table, {**base, **({"age": WHOLE} if table == "order" else {})}, version=version)
        (stage.update if version.startswith("fff000113") else stage.insert)(
            table, {**row, **more}, *([["age"]] if version.startswith("fff000113") else []), version=version)
    assert server.run('SELECT id, name, age FROM "order"', database="shop") == [("12345", "test", 2)]
    assert server.run("SELECT id, name FROM customer", database="shop") == [("12345", "test")]
    assert lab.stop_eds() == 0


def test_in_a_backlog_only_the_rows_that_are_refused_are_set_aside(shop):
    """Of batches that are folded while the one before is being stored, too; and their order stays."""
    lab, server = shop
    stage = Stage(lab, server.url("shop"), batch_events="1000")
    stage.table("order", {"note": TEXT, "count": WHOLE})
    stage.insert("order", {"id": "0", "note": "first"})
    server.run("ALTER TABLE \"order\" ADD CONSTRAINT theirs CHECK (note <> 'bad')", database="shop")
    lab.edsctl("pause", NAME)
    bad = {700, 1500, 3999}
    stage.publish(*(stage.event("INSERT", "order", str(n), after={"id": str(n), "note": "bad" if n in bad else "good", "count": n})
                    for n in range(1, 4500)),
                  *(stage.event("UPDATE", "order", str(n), after={"id": str(n), "note": "new"}, diff=["note"])
                    for n in range(1, 4500, 3)))
    lab.edsctl("resume", NAME)
    lab.wait_delivered(NAME)
    updated = {n for n in range(1, 4500, 3)}
    expected = {n: "new" if n in updated else "good" for n in range(1, 4500) if n not in bad or n in updated} | {0: "first"}
    link = server.connect("shop")
    try:
        assert {int(r["id"]): r["note"] for r in postgresd.rows(link, "order")} == expected
    finally:
        link.close()
    reasons = stage.quarantined()
    assert len(reasons) == 3 and all("theirs" in r for r in reasons)
    assert {n for n in bad for r in reasons if f'["{n}"]' in r} == bad


def test_h65_update_strategy_after_keeps_the_later_row(shop):
    lab, server = shop
    with open(os.path.join(lab.data_dir, "config.toml"), encoding="utf-8") as f:
        config = f.read()
    with open(os.path.join(lab.data_dir, "config.toml"), "w", encoding="utf-8") as f:
        f.write("update_strategy = 'after'\n" + "".join(
            line + "\n" for line in config.splitlines() if "update_strategy" not in line))
    stage = Stage(lab, server.url("shop"))
    t = stage.table("t", {"note": TEXT, "updatedDate": TIME})
    server.run("SET ROLE shop", 'CREATE TABLE t (id TEXT PRIMARY KEY, note TEXT, "updatedDate" TIMESTAMPTZ)',
               "INSERT INTO t VALUES ('1', 'theirs', '2024-06-01T00:00:00Z'), ('2', 'theirs', NULL)", database="shop")
    for key in "12":
        stage.update(t, {"id": key, "note": "older", "updatedDate": "2024-05-31T23:59:59Z"}, ["note"])
    assert server.run("SELECT note FROM t ORDER BY id", database="shop") == [("theirs",), ("older",)]
    stage.update(t, {"id": "1", "note": "same time", "updatedDate": "2024-06-01T02:00:00+02:00"}, ["note"])
    assert server.run("SELECT note FROM t ORDER BY id", database="shop") == [("same time",), ("older",)]


def test_h49_the_update_strategy_that_hq_sends_is_that_of_the_running_workers(shop):
    lab, server = shop
    stage = Stage(lab, server.url("shop"))
    t = stage.table("t", {"note": TEXT, "updatedDate": TIME})
    stage.insert(t, {"id": "1", "note": "first", "updatedDate": "2024-06-01T00:00:00Z"})
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life on the control channel")

    def older(note, strategy):
        session, = lab.hq.live_sessions()
        reply = lab.hq.control.notify(session.id, "configure", {"url": lab.file_url(), "updateStrategy": strategy}, reply=True)
        assert reply["success"], reply
        lab.wait_running(NAME, "file")
        stage.update(t, {"id": "1", "note": note, "updatedDate": "2024-05-01T00:00:00Z"}, ["note"])
        return server.run("SELECT note FROM t", database="shop")

    assert older("by after", "after") == [("first",)]
    assert older("by standard", "standard") == [("by standard",)]


# ---- URLs and TLS

def test_a_password_may_hold_a_raw_at_sign_and_come_from_a_file(shop):
    lab, server = shop
    server.create("raw", password="longer@wo@rd")
    path = os.path.join(lab.dir, "secret")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as f:
        f.write(f"postgresql://raw:longer@wo@rd@127.0.0.1:{server.port}/raw?binary_parameters=yes&application_name=mine\n")
    lab.start_eds({NAME: {"url_file": path}})
    lab.publish(100)
    lab.wait_delivered(NAME)
    assert server.run("SELECT application_name FROM pg_stat_activity WHERE datname = 'raw'") == [("mine",)]
    assert differences(lab, server, "raw") == []


def test_search_path_in_the_url_says_where_tables_are_kept(shop):
    lab, server = shop
    server.run("SET ROLE shop", "CREATE SCHEMA mine", database="shop")
    stage = Stage(lab, server.url("shop", search_path="mine"))
    stage.insert(stage.table("t", {"note": TEXT}), {"id": "1", "note": "x"})
    assert server.run("SELECT note FROM mine.t", database="shop") == [("x",)]
    assert server.run("SELECT to_regclass('public.t')", database="shop") == [(None,)]


def test_tls_checks_the_certificate_unless_the_url_says_otherwise(postgres_template, enrolled):
    lab = enrolled
    with postgresd.Postgres(postgres_template, tls=True) as server:
        server.create("shop")
        stage = Stage(lab, server.url("shop", sslmode="verify-full", sslrootcert=server.ca_path))
        stage.insert(stage.table("t", {"note": TEXT}), {"id": "1", "note": "x"})
        assert server.run("SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid <> pg_backend_pid()") == [(1,)]
        lab.stop_eds()
        failed(lab, server.url("shop", sslmode="verify-full"), "certificate verify failed", "sslrootcert")
        lab.stop_eds()
        lab.start_eds({NAME: patient(server.url("shop", sslmode="require"))})
        lab.wait_running(NAME)
        lab.stop_eds()
    with postgresd.Postgres(postgres_template) as plain:
        plain.create("shop")
        failed(lab, plain.url("shop", sslmode="require"), "does not support SSL")


# ---- what only the operator can mend

def test_a_wrong_password_ends_in_failed_with_the_servers_words(shop):
    lab, server = shop
    failed(lab, server.url("shop", password="wr0ng"), "password authentication failed", "check user and password")


def test_a_database_that_is_missing_ends_in_failed(shop):
    lab, server = shop
    failed(lab, server.url("nowhere", user="shop"), 'database "nowhere" does not exist', "create the database")


def test_a_missing_privilege_ends_in_failed_and_goes_on_after_the_grant(shop):
    lab, server = shop
    server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'" if not server.run(
        "SELECT 1 FROM pg_roles WHERE rolname = 'guest'") else "SELECT 1")
    server.run("GRANT CONNECT ON DATABASE shop TO guest", "REVOKE CREATE ON SCHEMA public FROM PUBLIC", database="shop")
    stage = Stage(lab, server.url("shop", user="guest", password="guest"))
    t = stage.table("t", {"note": TEXT})
    stage.publish(stage.event("INSERT", t, "1", after={"id": "1", "note": "x"}))
    lab.wait_state(NAME, "failed")
    assert "permission denied for schema public" in stage.why() and "grant" in stage.why()
    server.run("GRANT CREATE ON SCHEMA public TO guest", database="shop")
    assert lab.edsctl("restart", "worker", NAME).returncode == 0
    lab.wait_delivered(NAME)
    assert server.run("SELECT note FROM t", database="shop") == [("x",)]


# ---- what time mends

def test_a_lock_is_waited_for_and_shows_in_why_and_a_stop_does_not_wait(shop):
    lab, server = shop
    stage = Stage(lab, server.url("shop", lock_timeout="1s"))
    t = stage.table("t", {"note": TEXT})
    stage.insert(t, {"id": "1", "note": "x"})
    link = server.connect("shop")
    link.autocommit = False
    try:
        with link.cursor() as cursor:
            cursor.execute("LOCK TABLE t")
            stage.publish(stage.event("UPDATE", t, "1", after={"id": "1", "note": "y"}, diff=["note"]))
            stage.wait_why("another session holds a lock on the table")
            assert lab.stop_eds() == 0
            lab.start_eds()
    finally:
        link.rollback()
        link.close()
    lab.wait_delivered(NAME)
    assert server.run("SELECT note FROM t", database="shop") == [("y",)]


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_what_two_transactions_cannot_both_do_is_done_again(shop, state):
    """A serialization failure, as it is daily business with CockroachDB, and a deadlock, which the other one survives."""
    lab, server = shop
    strict = {"default_transaction_isolation": "serializable"} if state == "40001" else {}
    stage = Stage(lab, server.url("shop", **strict))
    t = stage.table("t", {"n": WHOLE})
    keys = [f"{n:02}" for n in range(50)]

    def together(operation, n, **more):
        lab.edsctl("pause", NAME)
        stage.publish(*(stage.event(operation, t, k, after={"id": k, "n": n}, **more) for k in keys))
        lab.wait_until(lambda: lab.destination(NAME)["behind"] == len(keys), "the events to wait")
        lab.edsctl("resume", NAME)

    together("INSERT", 0)
    lab.wait_delivered(NAME)
    link = server.connect("shop")
    link.autocommit = False
    try:
        with link.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '10min'")
            cursor.execute("UPDATE t SET n = -1 WHERE id IN ('10', '40')")
            together("UPDATE", 5, diff=["n"])
            proc.wait_until(lambda: server.run("SELECT 1 FROM pg_stat_activity WHERE usename = 'shop' AND wait_event_type = 'Lock'"),
                            "the worker to wait for the other one")
            if state == "40P01":
                cursor.execute("UPDATE t SET n = -1")
            link.commit()
    finally:
        link.close()
    lab.wait_delivered(NAME)
    assert server.run("SELECT DISTINCT n FROM t", database="shop") == [(5,)]
    assert f"(SQLSTATE {state})" in lab.whole_log() and lab.destination(NAME)["quarantined"] == 0
    assert lab.destination(NAME)["restarts"] == 0, "by the same worker"


def test_a_server_without_room_for_another_session_is_waited_for(own_postgres, enrolled):
    lab, server = enrolled, own_postgres
    server.create("shop")
    server.run("ALTER ROLE shop CONNECTION LIMIT 0")
    lab.start_eds({NAME: patient(server.url("shop"))}, wait="answer")
    proc.wait_until(lambda: "too many connections" in lab.edsctl("why", NAME).stdout, "why to tell of it")
    server.run("ALTER ROLE shop CONNECTION LIMIT 10")
    lab.publish(50)
    lab.wait_delivered(NAME)
    assert differences(lab, server) == []


def test_a_server_that_is_read_only_is_waited_for(own_postgres, enrolled):
    lab, server = enrolled, own_postgres
    server.create("shop")
    lab.start_eds({NAME: patient(server.url("shop"))})
    lab.publish(200)
    lab.wait_delivered(NAME)
    server.restart(default_transaction_read_only="on")
    lab.publish(200)
    proc.wait_until(lambda: "read-only" in lab.edsctl("why", NAME).stdout, "why to tell of it", 30)
    assert lab.destination(NAME)["state"] == "running"
    server.restart()
    lab.wait_delivered(NAME)
    assert differences(lab, server) == []


def test_h82_a_server_restarted_under_load_has_everything_once(own_postgres, enrolled):
    lab, server = enrolled, own_postgres
    server.create("shop")
    lab.start_eds({NAME: patient(server.url("shop"))})
    with Load(lab, lot=100) as load:
        for how in ("stop", "kill", "stop"):
            wanted = load.count + 1500
            proc.wait_until(lambda: load.count >= wanted, "more events")
            server.restart(how)
            lab.kill_worker(NAME)
    lab.wait_delivered(NAME)
    assert differences(lab, server) == []
    assert lab.destination(NAME)["quarantined"] == 0


def test_what_a_killed_worker_left_at_the_server_ends_before_its_successor_begins(shop):
    """The server has the whole transaction of the older change, and takes its time with it."""
    lab, server = shop
    stage = Stage(lab, server.url("shop"))
    t = stage.table("t", {"note": TEXT})
    stage.insert(t, {"id": "1", "note": "first"})

    def session(where):
        return [pid for pid, in server.run(f"SELECT pid FROM pg_stat_activity WHERE usename = 'shop' AND {where}")]

    link = server.connect("shop")
    link.autocommit = False
    try:
        with link.cursor() as cursor:
            cursor.execute("LOCK TABLE t")
        stage.publish(stage.event("UPDATE", t, "1", after={"id": "1", "note": "older"}, diff=["note"]))
        left, = proc.wait_until(lambda: session("wait_event_type = 'Lock'"), "the older change to wait for the table")
        os.kill(left, signal.SIGSTOP)
        try:
            lab.kill_worker(NAME)
            stage.publish(stage.event("UPDATE", t, "1", after={"id": "1", "note": "newer"}, diff=["note"]))
            link.rollback()
            proc.wait_until(lambda: session(f"pid <> {left} AND wait_event = 'advisory'") or
                            server.run("SELECT note FROM t", database="shop") != [("first",)], "the successor to write or to wait")
        finally:
            os.kill(left, signal.SIGCONT)
    finally:
        link.close()
    lab.wait_delivered(NAME)
    proc.wait_until(lambda: not session(f"pid = {left}"), "the session that was left behind to end")
    assert server.run("SELECT note FROM t", database="shop") == [("newer",)]


def test_sessions_that_are_ended_by_the_operator_come_again(shop):
    lab, server = shop
    stage = Stage(lab, server.url("shop"))
    t = stage.table("t", {"note": TEXT})
    stage.insert(t, {"id": "1", "note": "x"})
    server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop' AND usename = 'shop'")
    stage.insert(t, {"id": "2", "note": "y"})
    assert server.run("SELECT id FROM t ORDER BY id", database="shop") == [("1",), ("2",)]
    assert json.loads(lab.edsctl("status", "--json").stdout)["destinations"][0]["restarts"] == 0
