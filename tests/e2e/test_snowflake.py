"""Snowflake, on a peer that speaks its protocol strictly: what is sent lands, whatever goes wrong on the way."""
import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from snowflake_shop import Shop, jsons, order
from tests.support.crafted import EVERY, NULLABLE, STRING, schema
from tests.support.events import EventStream, load_schemas
from tests.support.lab import PROXIES
from tests.support.oracle import Oracle
from tests.support.snowflake import PASSWORD, Snowflake

with open(os.path.join(os.path.dirname(__file__), "../vectors/snowflake-jwt.json"), encoding="utf-8") as _f:
    KEY = json.load(_f)


@pytest.fixture
def make_shop(tmp_path):
    made = []

    def make(*schemas, **options):
        made.append(Shop(tmp_path / str(len(made)), *schemas, **options))
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def shop(make_shop):
    shop = make_shop()
    shop.start()
    return shop


# ---- what lands

def test_every_table_lands_exactly_in_small_and_large_batches(make_shop):
    schemas = load_schemas()
    shop = make_shop(*schemas.values())
    shop.start(session="eds-6a0f0000-1111-4222-8333-0123456789ab")
    stream, oracle = EventStream(schemas), Oracle(schemas)
    for size in (1, 58, 200, 2500):
        events = stream.batch(size)
        oracle.record(*events)
        shop.deliver(*events)
    assert shop.peer.database.differences(oracle) == []
    merges = shop.peer.merges()
    assert len(merges) == 4, "one request for each batch"
    assert [m["tag"] for m in merges] == [f"eds-6a0f0000-1111-4222-8333-0123456789ab/{n}/{c}"
                                          for n, c in enumerate((1, 58, 200, 2500), 1)]
    assert merges[0]["bound"] and merges[0]["count"] == 1, "a lone statement has its document as a bound value"
    assert merges[2]["sql"].startswith("BEGIN;") and merges[2]["sql"].endswith("COMMIT;")
    assert len(merges[2]["sql"]) > 50000 and '@"eds_batch_' in merges[3]["sql"], "a large one reads a staged file"
    assert shop.drive.ask("close")["versions"].keys() == {s["table"] for s in schemas.values()}


def test_several_changes_of_a_row_are_one_statement_in_exact_order(shop):
    craft = shop.craft
    at = "1720549683000587506.000000000"
    shop.deliver(craft.insert("order", order(note="a", totalCents=1), mvcc=at + "1"),
                 craft.update("order", order(note="c"), ["note"], mvcc=at + "3"),
                 craft.update("order", order(note="b"), ["note"], mvcc=at + "2"))
    assert shop.row()["note"] == "c" and shop.row()["totalCents"] == 1
    assert len(shop.peer.merges()) == 1
    shop.deliver(craft.delete("order", "1"), craft.insert("order", order(paid=True)))
    assert shop.row()["note"] is None and shop.row()["paid"] == 1
    shop.deliver(craft.update("order", order(note="x"), ["note"]), craft.delete("order", "1"))
    assert shop.rows() == {}


def test_h28_values_are_what_they_were(shop):
    hostile = "it's \\ \"q\" \n\t\u2028 NULL; DROP TABLE x; -- \U0001f697"
    shop.deliver(shop.craft.insert("order", order("1", note="NULL", tags=["a", "NULL"], labels={"b": 1, "a": [1.50]})),
                 shop.craft.insert("order", order("2", note=hostile, tags=[], labels=None, status=["Estimate"])),
                 shop.craft.insert("order", order("3", totalCents=9007199254740993, percent=0.1,
                                                  createdDate="2024-01-01T01:30:00.123456789+02:00")))
    one, two, three = (shop.row(k) for k in "123")
    assert one["note"] == "NULL" and jsons(one, "tags", "labels") == [["a", "NULL"], {"b": 1, "a": [1.5]}]
    assert two["note"] == hostile and two["tags"] == "[]" and two["labels"] is None and two["status"] == '["Estimate"]'
    assert three["totalCents"] == 9007199254740993 and three["createdDate"] == "2023-12-31T23:30:00.123456789Z"
    # an update stores arrays and objects as an insert does
    shop.deliver(shop.craft.update("order", order("1", tags=[1, {"x": None}], labels={"z": 1}), ["tags", "labels"]))
    assert shop.row("1")["tags"] == '[1,{"x":null}]' and shop.row("1")["labels"] == '{"z":1}'
    # through a literal and through a staged file as well
    others = [shop.craft.insert("order", order(f"r{n}", note=hostile + "x" * 700)) for n in range(900)]
    shop.deliver(*others)
    assert '@"eds_batch_' in shop.peer.merges()[-1]["sql"] and shop.row("r899")["note"] == hostile + "x" * 700


def test_h28_missing_timestamps_are_null_and_tables_need_no_updated_date(make_shop):
    shop = make_shop(schema("plain", {"id": STRING, "when": {"type": "string", "format": "date-time"}, "note": NULLABLE}))
    shop.start(strategy="after")
    shop.deliver(shop.craft.insert("plain", {"id": "1", "note": "a"}))
    shop.deliver(shop.craft.update("plain", {"id": "1", "note": "b"}, ["note"]))
    assert shop.row("1", "plain") == {"id": "1", "note": "b", "when": None}


def test_h36_composite_keys_are_used_as_a_whole(make_shop):
    shop = make_shop(schema("setting", {"region": STRING, "id": STRING, "note": NULLABLE}, keys=("region", "id")))
    shop.start()
    craft = shop.craft
    shop.deliver(craft.insert("setting", {"region": "eu", "id": "1", "note": "a"}, key=["eu", "1"]),
                 craft.insert("setting", {"region": "us", "id": "1", "note": "b"}, key=["us", "1"]))
    shop.deliver(craft.delete("setting", ["eu", "1"]))
    assert shop.rows("setting") == {"1": {"region": "us", "id": "1", "note": "b"}}


def test_h14_a_key_may_begin_with_a_region(shop):
    shop.deliver(shop.craft.insert("order", order("1", note="a"), key=["gcp-us-west1", "1"]))
    shop.deliver(shop.craft.delete("order", ["gcp-us-west1", "1"]))
    assert shop.rows() == {}


def test_update_of_a_missing_row_makes_it(shop):
    shop.deliver(shop.craft.update("order", order("7", note="a", totalCents=5), ["note"]))
    assert shop.row("7")["totalCents"] == 5
    shop.deliver(shop.craft.update("order", order("7", note="b"), []))     # no diff at all
    assert shop.row("7")["note"] == "b"


def test_h65_after_keeps_what_is_newer_and_standard_follows_the_stream(make_shop):
    for strategy, left in (("after", "new"), ("standard", "old")):
        shop = make_shop()
        shop.start(strategy=strategy)
        new = shop.craft.insert("order", order(note="new", updatedDate="2024-02-02T00:00:00Z"))
        old = shop.craft.update("order", order(note="old", updatedDate="2024-01-01T00:00:00Z"), ["note"],
                                mvcc="1000.0000000000")
        shop.deliver(new)
        shop.deliver(old)       # the same process knows that it is older, by either strategy
        assert shop.row()["note"] == "new"
        again = shop.another()
        shop.start(again, strategy=strategy)
        again.must(again.deliver(old))
        assert shop.row()["note"] == left
        again.must(again.deliver(new))      # what follows in the stream puts it right
        assert shop.row()["note"] == "new"


def test_the_same_batch_again_leaves_the_same(shop):
    events = [shop.craft.insert("order", order(str(n), note=f"n{n}")) for n in range(5)]
    events.append(shop.craft.delete("order", "2"))
    shop.deliver(*events)
    before = shop.rows()
    again = shop.another()
    shop.start(again)
    again.must(again.deliver(*events))
    assert shop.rows() == before and set(before) == {"0", "1", "3", "4"}


# ---- tables

def test_tables_are_made_and_widened_and_never_dropped(make_shop):
    wide = dict(EVERY, extra=NULLABLE)
    shop = make_shop(schema("order"), schema("order", wide, version="v2"))
    shop.start()
    shop.deliver(shop.craft.insert("order", order("1", note="a"), version="v1"))
    shop.deliver(shop.craft.insert("order", order("2", extra="b"), version="v2"))
    assert shop.row("1")["extra"] is None and shop.row("2")["extra"] == "b"
    ddl = [s["sql"] for s in shop.peer.statements if s["sql"].startswith(("CREATE TABLE", "ALTER"))]
    assert len(ddl) == 2 and ddl[1] == 'ALTER TABLE "order" ADD COLUMN "extra" STRING'
    assert not any("DROP" in s["sql"] or "REPLACE" in s["sql"] for s in shop.peer.statements)
    again = shop.another()
    shop.start(again)
    again.must(again.deliver(shop.craft.insert("order", order("3", extra="c"), version="v2")))
    assert len(shop.rows()) == 3


def test_h18_only_the_sessions_schema_counts(shop):
    """The peer has a table `order` in another schema, with a column that is not ours."""
    shop.deliver(shop.craft.insert("order", order("1", note="a")))
    wanted = [s["sql"] for s in shop.peer.statements if "information_schema.columns" in s["sql"]]
    assert wanted and all("CURRENT_DATABASE()" in s and "CURRENT_SCHEMA()" in s for s in wanted)
    assert "elsewhere" not in shop.row("1")


def test_columns_of_other_types_are_written_as_they_are(make_shop):
    shop = make_shop()
    shop.peer.database.run('CREATE TABLE "order" ("id" STRING, "note" VARIANT, "percent" NUMBER(10,2), "labels" OBJECT, '
                           '"tags" ARRAY, "createdDate" TIMESTAMP_TZ, "paid" STRING)')
    shop.start()
    shop.deliver(shop.craft.insert("order", order("1", note="x", percent=12.50, labels={"a": 1}, tags=[1],
                                                  createdDate="2024-01-01T01:00:00+01:00", paid=True)))
    row = shop.row("1")
    assert (row["note"], row["percent"], row["labels"], row["tags"], row["paid"]) == ('"x"', "12.50", '{"a":1}', "[1]", "true")
    assert row["createdDate"] == "2024-01-01T00:00:00Z"
    answer = shop.deliver(shop.craft.insert("order", order("2", percent=0.125)), result="reject")
    assert "would round or cut" in answer["error"]


def test_a_table_changed_by_somebody_else_is_looked_at_again(shop):
    shop.deliver(shop.craft.insert("order", order("1", note="a")))
    shop.peer.database.run('DROP TABLE "order"; CREATE TABLE "order" ("id" STRING, PRIMARY KEY ("id"))')
    shop.deliver(shop.craft.insert("order", order("2", note="b")))
    assert shop.row("2")["note"] == "b"


def test_a_delete_from_a_table_that_is_not_there_is_nothing(shop):
    shop.deliver(shop.craft.delete("order", "1"))
    assert shop.peer.merges() == [] and shop.peer.database.tables() == []


# ---- rows that are refused

@pytest.mark.parametrize("column,value,why", [
    ("createdDate", "yesterday", "no timestamp"), ("totalCents", "blue", "no number"), ("paid", "perhaps", "no boolean"),
    ("totalCents", 12.5, "would round or cut")])
def test_one_bad_row_is_found_among_many(shop, column, value, why):
    events = [shop.craft.insert("order", order(str(n), note="x")) for n in range(40)]
    events[27] = shop.craft.insert("order", order("27", **{column: value}))
    answer = shop.deliver(*events, result="reject")
    assert answer["index"] == 27 and why in answer["error"] and str(value) not in answer["error"]
    assert 'table "order"' in answer["error"]
    del events[27]
    shop.deliver(*events)
    assert len(shop.rows()) == 39


def test_the_bad_change_among_several_of_one_row_is_named(shop):
    craft = shop.craft
    events = [craft.insert("order", order("1", note="a")), craft.update("order", order("1", createdDate="never"), ["createdDate"]),
              craft.update("order", order("1", note="b"), ["note"])]
    assert shop.deliver(*events, result="reject")["index"] == 1


# ---- signing in

def test_key_pair_sign_in(make_shop, tmp_path):
    pem = KEY["private_key_pkcs8_pem"]
    shop = make_shop(public_key=KEY["public_key_pem"], environment={"EDS_TEST_KEY": pem.replace("\n", " ")})
    shop.start(url=shop.peer.url(keypair=True, **{"secret-key": "EDS_TEST_KEY"}))
    shop.deliver(shop.craft.insert("order", order("1")))
    (tmp_path / "key.p8").write_text(KEY["private_key_pkcs8_encrypted_pem"])
    again = shop.another()
    shop.start(again, url=shop.peer.url(keypair=True, **{"secret-key-file": str(tmp_path / "key.p8"),
                                                         "secret-key-passphrase": KEY["private_key_passphrase"]}))
    assert "PRIVATE KEY" not in shop.log()


def test_a_key_that_snowflake_does_not_know_is_tried_twice_and_explained(make_shop, tmp_path):
    shop = make_shop(public_key=KEY["public_key_pem"], environment={"EDS_TEST_KEY": KEY["private_key_pkcs8_pem"]})
    shop.peer.fail("login-request", "390144", times=2)
    answer = shop.start(url=shop.peer.url(keypair=True, **{"secret-key": "EDS_TEST_KEY"}), result="config")
    assert KEY["public_key_fingerprint"] in answer["error"] and "the clock of this machine says" in answer["error"]
    answer = shop.start(url=shop.peer.url(keypair=True, **{"secret-key": "EDS_NOT_SET"}), result="config")
    assert "the environment variable EDS_NOT_SET" in answer["error"]
    shop.start(url=shop.peer.url(keypair=True, **{"secret-key": "EDS_TEST_KEY"}))


@pytest.mark.parametrize("change,said", [
    ({"password": "wrong"}, "refuses user eds_user or the password"),
    ({"account": "other"}, "refuses user eds_user or the password"),
    ({"role": "NOBODY"}, 'the role "NOBODY" does not exist or is not granted'),
    ({"warehouse": "NONE"}, 'warehouse "NONE" does not exist'),
    ({"path": "/NOWHERE/PUBLIC"}, 'the database "NOWHERE" does not exist'),
    ({"path": "/SHOP/NOWHERE"}, 'the schema "NOWHERE" does not exist')])
def test_common_mistakes_are_explained(make_shop, change, said):
    shop = make_shop()
    answer = shop.start(url=shop.peer.url(**change), result="config")
    assert said in answer["error"] and PASSWORD not in answer["error"]
    answer = shop.drive.must(shop.drive.test(shop.peer.url(**change)), "config")
    assert said in answer["error"]


@pytest.mark.parametrize("code,said", [("394507", "password alone any more: use a key pair"), ("390422", "network policy"),
                                       ("390106", "disabled, locked")])
def test_refusals_of_the_account_are_explained(make_shop, code, said):
    shop = make_shop()
    shop.peer.login_code = code
    assert said in shop.start(result="config")["error"]


def test_an_account_that_does_not_exist_is_said(make_shop):
    shop = make_shop()
    shop.peer.fail("login-request", 403)
    answer = shop.start(result="config")
    assert 'HTTP 403: is the account name "myorg-myaccount" right?' in answer["error"]


def test_no_warehouse_is_said_when_it_is_opened_and_awaited_later(make_shop):
    shop = make_shop()
    shop.peer.warehouses = set()
    assert "warehouse=" in shop.start(url=shop.peer.url(warehouse=None), result="config")["error"]
    shop.peer.warehouses = {"WH"}
    shop.start()
    shop.peer.fail("query-request", "090073", matching="MERGE")
    shop.peer.fail("query-request", "090073", matching="MERGE")
    answer = shop.drive.deliver(shop.craft.insert("order", order("1")))
    assert answer["result"] == "retry" and "ALTER WAREHOUSE ... RESUME" in answer["error"]


def test_arrow_is_not_taken_for_an_answer(make_shop):
    shop = make_shop()
    answer = shop.start(url=shop.peer.url(**{"client-id": "Unheard"}), result="config")
    assert "Arrow" in answer["error"] and "client-id=" in answer["error"]


def test_test_says_whether_it_would_work_and_leaves_nothing(make_shop):
    shop = make_shop()
    shop.drive.must(shop.drive.test(shop.peer.url()))
    assert shop.peer.database.tables() == [] and shop.peer.closed == 1
    shop.peer.fail("query-request", "003001", matching="CREATE TABLE")
    answer = shop.drive.must(shop.drive.test(shop.peer.url()), "config")
    assert "the role lacks a privilege" in answer["error"]


# ---- sessions

def test_a_session_token_that_ran_out_is_renewed(shop):
    shop.deliver(shop.craft.insert("order", order("1")))
    shop.peer.expire_tokens()
    shop.deliver(shop.craft.insert("order", order("2")))
    assert (shop.peer.renewals, shop.peer.logins, len(shop.rows())) == (1, 1, 2)


def test_a_session_that_is_gone_is_begun_anew(shop):
    shop.deliver(shop.craft.insert("order", order("1")))
    shop.peer.end_sessions()
    assert shop.drive.deliver(shop.craft.insert("order", order("2")))["result"] == "retry"
    shop.deliver(shop.craft.insert("order", order("2")))
    assert shop.peer.logins == 2 and len(shop.rows()) == 2


def test_silence_is_broken_by_a_heartbeat_and_the_end_closes_the_session(shop):
    shop.drive.must(shop.drive.ask("idle"))
    shop.peer.expire_tokens()
    shop.drive.must(shop.drive.ask("idle"))
    assert (shop.peer.heartbeats, shop.peer.renewals) == (2, 1)
    shop.drive.ask("close")
    assert shop.peer.closed == 1 and shop.peer.sessions == {}


# ---- faults

@pytest.mark.parametrize("fault", [429, 503, 502, 403, "cut-before", "cut-after", "garbage", "redirect", ("retry-after", 1)])
def test_a_fault_on_the_way_executes_a_statement_once(shop, fault):
    shop.deliver(shop.craft.insert("order", order("0")))
    shop.peer.fail("query-request", fault, matching="MERGE")
    shop.deliver(shop.craft.insert("order", order("1", note="a")), shop.craft.delete("order", "0"))
    assert set(shop.rows()) == {"1"}
    assert len(shop.peer.merges()) == 2, "not executed again"


def test_a_throttled_sign_in_is_tried_again(make_shop):
    shop = make_shop()
    shop.peer.fail("login-request", 429)
    shop.start()
    assert shop.peer.logins == 1


def test_a_statement_of_unknown_fate_is_asked_for_under_its_id(shop):
    """The answers stay away for longer than the patience of one call; the next one finds what came of it."""
    shop.deliver(shop.craft.insert("order", order("0")))
    shop.peer.fail("query-request", 400, skip=1, times=1, matching="MERGE")
    shop.peer.fail("query-request", "cut-after", times=1, matching="MERGE")
    events = [shop.craft.insert("order", order("1", note="a"))]
    assert shop.drive.deliver(*events)["result"] == "unsure"
    shop.deliver(*events)
    assert len(shop.peer.merges()) == 2 and set(shop.rows()) == {"0", "1"}


def test_another_batch_after_an_unknown_fate_begins_a_new_session(shop):
    shop.deliver(shop.craft.insert("order", order("0")))
    shop.peer.fail("query-request", 400, skip=1, times=1, matching="MERGE")
    shop.peer.fail("query-request", "cut-before", times=1, matching="MERGE")
    assert shop.drive.deliver(shop.craft.insert("order", order("1")))["result"] == "unsure"
    assert shop.drive.deliver(shop.craft.insert("order", order("2")))["result"] == "retry"
    shop.deliver(shop.craft.insert("order", order("2")))
    assert shop.peer.logins == 2 and shop.peer.closed == 1 and "2" in shop.rows()


def test_a_long_statement_is_awaited(shop):
    shop.deliver(shop.craft.insert("order", order("0")))
    shop.peer.hold, shop.peer.slow = 0.05, 0.4
    shop.deliver(shop.craft.insert("order", order("1")))
    polled = [p for m, p in shop.peer.requests if p.endswith("/result")]
    assert len(polled) > 2 and len(shop.rows()) == 2
    shop.peer.expire_tokens()
    shop.peer.fail("/result", "390112")
    shop.deliver(shop.craft.insert("order", order("2")))
    assert len(shop.rows()) == 3


def test_a_failing_batch_leaves_no_transaction_and_no_half(make_shop):
    shop = make_shop(schema("a"), schema("b"))
    shop.start()
    shop.deliver(shop.craft.insert("a", order("0")), shop.craft.insert("b", order("0")))
    shop.peer.database.run('DROP TABLE "b"; CREATE TABLE "b" ("id" STRING, "note" VARCHAR(3), PRIMARY KEY ("id"))')
    answer = shop.drive.deliver(shop.craft.insert("a", order("1")), shop.craft.insert("b", order("1", note="too long")))
    assert answer["result"] == "reject" and answer["index"] == 1 and "longer than its column" in answer["error"]
    assert set(shop.rows("a")) == {"0"} and shop.peer.statements[-1]["sql"] == "ROLLBACK"
    shop.deliver(shop.craft.insert("a", order("1")))


def test_a_lock_that_many_wait_for_is_tried_again_later(shop):
    shop.peer.fail("query-request", "000625", matching="MERGE")
    assert shop.drive.deliver(shop.craft.insert("order", order("1")))["result"] == "retry"
    shop.deliver(shop.craft.insert("order", order("1")))
    assert len(shop.rows()) == 1


def test_a_long_catalogue_comes_in_chunks(make_shop):
    schemas = [schema(f"t{n}") for n in range(30)]
    shop = make_shop(*schemas)
    shop.start()
    for s in schemas:
        shop.deliver(shop.craft.insert(s["table"], order("1")))
    shop.peer.chunk_rows = 7
    again = shop.another()
    shop.start(again)
    before = len(shop.peer.statements)
    again.must(again.deliver(*(shop.craft.insert(s["table"], order("2", note="x")) for s in schemas)))
    assert len(shop.peer.statements) == before + 1, "nothing had to be made or read"
    assert shop.peer.store.refused == [] and shop.row("2", "t29")["note"] == "x"


def test_a_stop_ends_long_waits(make_shop):
    shop = make_shop()
    shop.start()
    shop.drive.must(shop.drive.ask("stop"))
    began = time.monotonic()
    shop.peer.fail("query-request", 503, times=99)
    assert shop.drive.deliver(shop.craft.insert("order", order("1")))["result"] in ("retry", "unsure")
    assert time.monotonic() - began < 15
    shop.peer.faults.clear()


# ---- large batches

@pytest.mark.parametrize("kind,encrypt", [("S3", 0), ("S3", 128), ("S3", 256), ("AZURE", 0), ("AZURE", 256), ("GCS", 0),
                                          ("GCS", 128), ("GCS_PRESIGNED", 0), ("LOCAL_FS", 0)])
def test_large_batches_go_through_every_kind_of_stage(make_shop, kind, encrypt):
    shop = make_shop(kind=kind, encrypt=encrypt)
    shop.start()
    shop.deliver(*(shop.craft.insert("order", order(str(n), note="y" * 700)) for n in range(900)))
    assert len(shop.rows()) == 900 and shop.peer.store.refused == []


@pytest.mark.parametrize("kind", ["S3", "AZURE", "GCS"])
def test_expired_credentials_of_a_stage_are_asked_for_anew(make_shop, kind):
    shop = make_shop(kind=kind)
    shop.start()
    shop.peer.store.faults = [503, 403 if kind == "AZURE" else 400 if kind == "S3" else 401]
    shop.deliver(*(shop.craft.insert("order", order(str(n), note="y" * 700)) for n in range(900)))
    puts = [s for s in shop.peer.statements if s["sql"].startswith("PUT")]
    assert len(shop.rows()) == 900 and len(puts) == 2


def test_a_large_batch_of_unknown_fate_is_the_same_statement_again(make_shop):
    shop = make_shop()
    shop.start()
    shop.deliver(shop.craft.insert("order", order("a")))
    events = [shop.craft.insert("order", order(str(n), note="y" * 700)) for n in range(900)]
    shop.peer.fail("query-request", 400, skip=1, times=1, matching="MERGE")
    shop.peer.fail("query-request", "cut-after", times=1, matching="MERGE")
    assert shop.drive.deliver(*events)["result"] == "unsure"
    shop.deliver(*events)
    assert len(shop.peer.merges()) == 2 and len(shop.rows()) == 901


# ---- several workers

def test_several_workers_into_one_account_do_not_disturb_each_other(make_shop):
    """Two destinations of different tables: each has its session, its stage, its transaction."""
    shop = make_shop(schema("a"), schema("b"))
    shop.start()
    other = shop.another()
    shop.start(other)
    failures = []

    def work(drive, table):
        for lot in range(4):
            answer = drive.deliver(*(shop.craft.insert(table, order(f"{lot}-{n}", note="z" * 900)) for n in range(700)))
            if answer["result"] != "stored":
                failures.append(answer)

    threads = [threading.Thread(target=work, args=pair) for pair in ((shop.drive, "a"), (other, "b"))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert len(shop.rows("a")) == len(shop.rows("b")) == 2800
    by_session = {}
    for s in shop.peer.merges():
        by_session.setdefault(s["session"], set()).update(re.findall(r'MERGE INTO "(\w)"', s["sql"]))
    assert sorted(by_session.values(), key=sorted) == [{"a"}, {"b"}], "each table has one writer"
    stages = {m.group(1) for s in shop.peer.statements if (m := re.search(r'CREATE TEMPORARY STAGE "(\w+)"', s["sql"]))}
    assert len(stages) == 2


# ---- with supervisor and worker

def test_the_whole_server_streams_into_it(enrolled, tmp_path):
    lab = enrolled
    with Snowflake(str(tmp_path / "peer")) as peer:
        lab.start_eds({"warehouse": peer.url()})
        lab.publish(1500)
        lab.wait_delivered()
        assert peer.database.differences(lab.oracle) == []
        lab.kill_worker("warehouse")
        peer.fail("query-request", "cut-after", matching="MERGE")
        lab.publish(500)
        lab.wait_delivered()
        assert peer.database.differences(lab.oracle) == []
        assert lab.destination("warehouse")["quarantined"] == 0
        assert PASSWORD not in lab.whole_log() and "s3cret" not in lab.edsctl("why", "warehouse").stdout
        lab.stop_eds()
        assert peer.violations == []


def test_the_script_for_a_real_account_does_its_work(tmp_path):
    script = os.path.join(os.path.dirname(__file__), "snowflake-live")
    with Snowflake(str(tmp_path / "peer")) as peer:
        env = {k: v for k, v in os.environ.items() if k.lower() not in PROXIES}
        env.update(EDS_SNOWFLAKE_URL=peer.url(path="/SHOP"), EDS_SNOWFLAKE_EVENTS="400")
        done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=100, check=False)
        assert (done.returncode, done.stdout.count("ok  ")) == (0, 3), done.stdout + done.stderr
        assert peer.database.tables() == [] and peer.database.stages == {} and peer.violations == []
