import json
import os
import sqlite3

import pytest

from tests.support import gojson
from tests.support.events import EventStream
from tests.support.gojson import Num
from tests.support.oracle import Oracle, compare_value
from tests.support.values import write_json


@pytest.fixture(scope="module")
def events(schemas):
    return EventStream(schemas, seed=7).batch(1500)


@pytest.fixture
def oracle(schemas, events):
    oracle = Oracle(schemas)
    oracle.record(*events)
    return oracle


def test_the_same_seed_gives_the_same_bytes(schemas, events):
    assert EventStream(schemas, seed=7).batch(1500) == events
    assert EventStream(schemas, seed=8).batch(10) != events[:10]


def test_every_table_and_operation_occurs(schemas, events):
    assert {e.table for e in events} == {s["table"] for s in schemas.values()}
    assert {e.operation for e in events} == {"INSERT", "UPDATE", "DELETE"}


def test_subjects_and_envelopes_agree(events):
    for e in events:
        event = json.loads(e.payload)
        location = event.get("locationId") or "NONE"
        assert e.subject == ".".join(("dbchange", e.table, e.operation, event["companyId"], location, "PUBLIC", e.id))
        assert event["key"][-1] == e.key == (event.get("after") or event["before"])["id"]
        assert ("before" in event, "after" in event, "diff" in event) == {
            "INSERT": (False, True, False), "UPDATE": (True, True, True), "DELETE": (True, False, False)}[e.operation]


def test_diff_names_exactly_the_columns_that_changed(events):
    for e in events:
        if e.operation == "UPDATE":
            event = gojson.parse(e.payload)
            before, after = event["before"], event["after"]
            changed = {c for c in {**before, **after}
                       if c not in before or c not in after or write_json(before[c]) != write_json(after[c])}
            assert changed <= set(event["diff"]) and len(set(event["diff"])) == len(event["diff"])
            assert set(event["diff"]) - changed <= {"updatedDate"}


def test_times_rise_and_no_row_changes_twice_in_a_second(events):
    mvcc = [int(json.loads(e.payload)["mvccTimestamp"].split(".")[0]) for e in events]
    assert mvcc == sorted(set(mvcc))
    seconds = [(e.table, e.key, e.timestamp // 1000) for e in events]
    assert len(set(seconds)) == len(seconds)


def test_required_columns_are_there_and_only_nullable_ones_are_null(schemas, events):
    by_table = {s["table"]: s for s in schemas.values()}
    for e in events:
        row, schema = json.loads(e.payload).get("after"), by_table[e.table]
        if row is not None:
            assert set(schema["required"]) <= set(row) <= set(schema["properties"])
            assert all(schema["properties"][c].get("nullable") for c, v in row.items() if v is None)


def test_awkward_values_occur(events):
    text = b"".join(e.payload for e in events).decode()
    for awkward in ("\U0001f697", "9007199254740993", "-9223372036854775808", "12.50", "1E+3", '""', ":null",
                    "[]", "{}", "12345678901234567890123", "\\u2028", "\u2028", "<b>", "NONE"):
        assert awkward in text + "".join(e.subject for e in events), awkward


def test_an_update_keeps_what_it_does_not_mention_and_a_delete_removes(schemas):
    oracle = Oracle(schemas)

    def event(operation, **members):
        oracle.record(json.dumps({"operation": operation, "table": "order", "key": ["k"], "timestamp": 1,
                                  **members}).encode())

    event("INSERT", after={"id": "k", "note": "n", "name": "a", "number": "1"})
    event("UPDATE", after={"id": "k", "name": None}, diff=["name", "number"])
    assert oracle.expected_rows()["order"] == {"k": {"id": "k", "note": "n", "name": None}}
    event("DELETE", before={"id": "k"})
    assert oracle.expected_rows()["order"] == {} and oracle.row_count() == 0


def write_all(files):
    for path, content in files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content)


def test_file_comparison_sees_missing_foreign_and_changed_files(oracle, events, tmp_path):
    files = oracle.expected_files(str(tmp_path))
    assert len(files) == len(events) == oracle.file_count()     # seconds are unique, so none is overwritten
    e = events[0]
    path = os.path.join(str(tmp_path), e.table, f"{e.timestamp // 1000}-{e.key}.json")
    assert files[path] == gojson.stored(e.payload)
    write_all(files)
    assert oracle.compare_files(str(tmp_path)) == []
    os.unlink(path)
    changed = next(p for p in files if p != path)
    with open(changed, "ab") as f:
        f.write(b"\n")
    write_all({str(tmp_path / "order" / "1-x.json"): b"{}"})
    text = "\n".join(oracle.compare_files(str(tmp_path)))
    assert f"{path}: missing" in text and f"{changed}: differs" in text and "1-x.json: a file that no event" in text


SQL_TYPES = {"integer": "BIGINT", "number": "DOUBLE PRECISION", "boolean": "BOOLEAN", "object": "JSONB", "array": "JSONB"}


def to_sqlite(kind, value):
    if value is None or kind == "boolean":
        return value
    if kind == "integer":
        return int(value)
    return write_json(value) if kind in ("object", "array") else str.__str__(value)


@pytest.fixture
def database(oracle, tmp_path):
    """The rows as a faithful destination would hold them."""
    path = str(tmp_path / "shop.db")
    db = sqlite3.connect(path)
    for table, rows in oracle.expected_rows().items():
        columns = oracle.schemas[table]["properties"]
        db.execute(f'CREATE TABLE "{table}" (' + ",".join(
            f'"{c}" {SQL_TYPES.get(p["type"], "TEXT")}' for c, p in columns.items()) + ")")
        db.executemany(f'INSERT INTO "{table}" VALUES (' + ",".join("?" * len(columns)) + ")",
                       [[to_sqlite(p["type"], row.get(c)) for c, p in columns.items()] for row in rows.values()])
    db.commit()
    yield path, db
    db.close()


def test_sqlite_comparison_accepts_a_faithful_copy(oracle, database):
    assert oracle.compare_sqlite(database[0]) == []
    assert Oracle.sqlite_row_count(database[0]) == oracle.row_count()


@pytest.mark.parametrize("damage, seen", [
    ("DELETE FROM customer WHERE rowid = 1", "missing"),
    ("UPDATE customer SET id = 'other' WHERE rowid = 1", "a row that no event explains"),
    ("UPDATE customer SET createdDate = createdDate || ' '", "createdDate"),
    ("UPDATE customer SET discountPercent = discountPercent + 0.001", "discountPercent"),
    ("UPDATE customer SET meta = '{ }'", "meta"),
    ("INSERT INTO customer SELECT * FROM customer", "twice"),
    ("DROP TABLE customer", "no such table"),
    ("ALTER TABLE customer DROP COLUMN createdDate", "no column createdDate"),
])
def test_sqlite_comparison_sees_damage(oracle, database, damage, seen):
    path, db = database
    db.execute(damage)
    db.commit()
    assert seen in "\n".join(oracle.compare_sqlite(path))


@pytest.mark.parametrize("kind, expected, good, bad", [
    ("string", "12.50", ["12.50"], [12.5, "12.5", None, b"12.50"]),
    ("integer", Num("9007199254740993"), [9007199254740993], [9007199254740992, 9007199254740992.0, "9007199254740993"]),
    ("number", Num("12.50"), [12.5, "12.50"], ["12.5", 12.51, None]),
    ("number", Num("0.12345678901234567891"), ["0.12345678901234567891"], [0.12345678901234568]),
    ("boolean", True, [1], [0, "1", "true", None]),
    ("object", {"b": Num("1.50"), "a": []}, ['{"b":1.50,"a":[]}', '{"\\u0062":1.50,"a":[]}'],
     ['{"b":1.5,"a":[]}', '{"a":[],"b":1.50}', '{"b": 1.50,"a":[]}', "{}", '{"b":"1.50","a":[]}', "{"]),
    ("array", ["a", None], ['["a",null]'], ['["a"]', "{}", "a"]),
    ("object", None, [None], ["null", "{}"]),
])
def test_a_stored_value_is_judged_by_its_type(kind, expected, good, bad):
    for value in good:
        assert compare_value({"type": kind}, expected, value) == ""
    for value in bad:
        assert compare_value({"type": kind}, expected, value) != "", value
