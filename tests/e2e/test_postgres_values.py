"""PostgreSQL: values, keys and tables, each hazard with a test named after it.  All share one running server."""
import datetime
import json
import os

import pytest

from conftest import judge
from sql_stage import ARRAY, BOOL, MVCC, NUMBER, OBJECT, TEXT, TIME, WHOLE, Stage
from tests.support import lab as laboratory, postgresd
from tests.support.gojson import Num
from tests.support.natsd import ROOT

UTC = datetime.timezone.utc


def vectors(name):
    with open(os.path.join(ROOT, "tests/vectors", name + ".json"), encoding="utf-8") as f:
        return json.load(f)


class PostgresStage(Stage):
    def __init__(self, lab, server, database, **query):
        self.server, self.database = server, database
        super().__init__(lab, server.url(database, **query))

    def run(self, *statements):
        return self.server.run(f'SET ROLE "{self.database}"', *statements, database=self.database)

    def rows(self, table, columns="*", order="1"):
        quoted = table if "." in table else f'"{table}"'
        return self.run(f"SELECT {columns} FROM {quoted} ORDER BY {order}")

    def value(self, table, column, key="1"):
        return self.run(f"""SELECT "{column}" FROM "{table}" WHERE id = '{key}'""")[0][0]


@pytest.fixture(scope="module")
def pg(postgres_server):
    with laboratory.Lab(storage="memory") as lab:
        postgres_server.create("values")
        # The other schema is in front, so that one sees whether the right one is looked at.
        lab.enroll()
        yield PostgresStage(lab, postgres_server, "values")
        lab.stop_eds()
        judge(lab)


# ---- text and numbers

TEXTS = ["", "NULL", "null", "'", "''", '"', "\\", "\\'", "$_H_$'; DROP TABLE texts; --", "$$", "a\tb\nc\rd", "Zoë",
         "\U0001f697 東京", "{}", "[1]", "%s %n", " lead and trail ", "\x01\x7f", "x" * 100000, "{1,2,NULL}"]


def test_h13_text_cannot_break_out(pg):
    t = pg.table("texts", {"note": TEXT})
    texts = TEXTS + [json.loads(text) for text in vectors("quoting")["values"]]
    texts = [text for text in texts if isinstance(text, str)]
    pg.send(*(pg.event("INSERT", t, f"{n:03}", after={"id": f"{n:03}", "note": text}) for n, text in enumerate(texts)))
    assert [note for note, in pg.rows(t, "note", "id")] == [text.replace("\0", "") for text in texts]


def test_the_empty_string_is_not_null_and_missing_is_not_null_either(pg):
    t = pg.table("empty", {"a": TEXT, "b": TEXT})
    pg.insert(t, {"id": "1", "a": "", "b": None})
    assert pg.rows(t) == [("1", "", None)]
    pg.update(t, {"id": "1", "b": "x"}, ["b"])
    assert pg.rows(t) == [("1", "", "x")], "a column that the event has not keeps its value"


def test_h12_a_changed_column_that_is_missing_becomes_null(pg):
    t = pg.table("h12", {"number": TEXT, "note": TEXT})
    pg.insert(t, {"id": "1", "number": "7", "note": "old"})
    pg.update(t, {"id": "1", "note": "new"}, ["number", "note"])
    assert pg.rows(t, 'number, note') == [(None, "new")]


def test_h30_numbers_do_not_pass_through_doubles(pg):
    t = pg.table("h30", {"i": WHOLE, "d": NUMBER, "j": OBJECT})
    pg.insert(t, {"id": "1", "i": Num("9007199254740993"), "d": Num("1234567.89"), "j": {"n": Num("12345678901234567890.12")}})
    pg.insert(t, {"id": "2", "i": Num("-9223372036854775808"), "d": Num("1E+3"), "j": {"n": Num("0.10")}})
    pg.insert(t, {"id": "3", "i": Num("5.0"), "d": Num("-0.1"), "j": None})
    assert pg.rows(t, "i, d, j->>'n'", "id") == [
        (9007199254740993, 1234567.89, "12345678901234567890.12"), (-9223372036854775808, 1000.0, "0.10"), (5, -0.1, None)]


def test_h31_json_columns_hold_json_and_null_stays_null(pg):
    t = pg.table("h31", {"o": OBJECT, "a": ARRAY, "b": BOOL, "i": WHOLE})
    values = [True, 5, "text", {"a": "q\"\0uote", "\0k": None}, [1, "\0"], None, "\\u0000", {"e": "\U0001f697"}]
    pg.send(*(pg.event("INSERT", t, str(n), after={"id": str(n), "o": v, "a": None, "b": None, "i": None})
              for n, v in enumerate(values)))
    found = [o if o is None else json.loads(o) for o, in pg.rows(t, "o::text", "id")]
    assert found == [True, 5, "text", {"a": "q\"uote", "k": None}, [1, ""], None, "\\u0000", {"e": "\U0001f697"}]
    assert pg.rows(t, "count(*)", "1")[0][0] == len(values)
    assert set(pg.rows(t, "a, b, i", "1")) == {(None, None, None)}


def test_empty_values_of_columns_that_must_not_be_null(pg):
    t = pg.table("nn", {"o": {"type": "object"}, "a": {"type": "array"}}, required=["id", "o", "a"])
    pg.insert(t, {"id": "1", "o": None, "a": ""})
    assert pg.rows(t, "o::text, a::text") == [("{}", "[]")]


def test_times_keep_their_point_in_time(pg):
    t = pg.table("times", {"z": TIME})
    texts = ["2024-07-11T21:16:51.70856Z", "2024-07-11T23:16:51.70856+02:00", "1965-01-02T03:04:05.678Z",
             "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2024-02-29", "2024-07-11 21:16:51.708561234Z"]
    pg.send(*(pg.event("INSERT", t, str(n), after={"id": str(n), "z": text}) for n, text in enumerate(texts)))
    assert [z for z, in pg.rows(t, "z", "id")] == [
        datetime.datetime(2024, 7, 11, 21, 16, 51, 708560, UTC), datetime.datetime(2024, 7, 11, 21, 16, 51, 708560, UTC),
        datetime.datetime(1965, 1, 2, 3, 4, 5, 678000, UTC), datetime.datetime(1, 1, 1, tzinfo=UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), datetime.datetime(2024, 2, 29, tzinfo=UTC),
        datetime.datetime(2024, 7, 11, 21, 16, 51, 708561, UTC)]


def test_the_contracts_changes_leave_the_contracts_rows(pg):
    """tests/vectors/dml.json, with what hazards.md says is right."""
    data = vectors("dml")
    t = pg.table("dml", data["schema"]["properties"], required=data["schema"]["required"])
    first = next(c for c in data["cases"] if c["name"] == "insert_full")["event"]["after"]
    for case in data["cases"]:
        event = case.get("event")
        if not event or event["operation"] != "UPDATE":
            continue
        key, after = case["name"], {**event["after"], "id": case["name"]}
        pg.send(pg.event("INSERT", t, key, after={**first, "id": key}),
                pg.event("UPDATE", t, key, after=after, diff=event.get("diff", [])))
        row = dict(zip(columns_of(pg, t), pg.run(f"SELECT * FROM {t} WHERE id = '{key}'")[0]))
        if any(after.get(c) is None and c in after for c in ("paid", "totalCents")):
            assert pg.quarantined()[-1].startswith(f'table "dml", key ["{key}"]'), "NULL where there must be none"
            assert row["note"] == first["note"]
            continue
        for column, value in after.items():
            kind = data["schema"]["properties"][column]
            if value is None and kind["type"] in ("object", "array") and not kind.get("nullable"):
                value = {} if kind["type"] == "object" else []
            if kind["type"] == "array" and "enum" in kind.get("items", {}) and isinstance(value, list):
                value = json.dumps(value)
            if kind.get("format") == "date-time" and value is not None:
                value = postgresd.moment(value)
            assert row[column] == without_nul(value), (case["name"], column)


def columns_of(pg, table):
    return [name for name, in pg.run(
        f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum")]


def without_nul(value):
    if isinstance(value, dict):
        return {without_nul(k): without_nul(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nul(v) for v in value]
    return value.replace("\0", "") if isinstance(value, str) else value


# ---- what cannot be stored

@pytest.mark.parametrize("column, kind, value, words", [
    ("c1", WHOLE, Num("9223372036854775808"), "holds integers of 64 bits only"),
    ("c2", WHOLE, Num("12.5"), "holds integers of 64 bits only"),
    ("c3", NUMBER, Num("12345678901234567890.5"), "double precision"),
    ("c4", NUMBER, Num("1e999"), "double precision"),
    ("c5", TIME, "2024-13-45T00:00:00Z", "out of range"),
    ("c6", TIME, "now", "points in time"),
    ("c7", WHOLE, "sec-ret", "invalid input syntax for type bigint"),
    ("c8", BOOL, "sec-ret", "invalid input syntax for type boolean"),
    ("c9", {"type": "array", "items": {"enum": ["A"]}, "nullable": True}, "sec-ret" + "x" * 60, "fewer characters"),
])
def test_what_a_column_cannot_hold_is_set_aside_with_table_key_and_column(pg, column, kind, value, words):
    t = pg.table("refuse_" + column, {column: kind, "note": TEXT})
    events = [pg.event("INSERT", t, f"k{n}", after={"id": f"k{n}", "note": "fine"}) for n in range(40)]
    events[23] = pg.event("INSERT", t, "k23", after={"id": "k23", column: value, "note": "not"})
    reason, = pg.rejected(*events)
    assert f'table "{t}"' in reason and '["k23"]' in reason and f'column "{column}"' in reason and words in reason
    assert str(value) not in reason, "a value has no place in a message"
    assert pg.rows(t, "count(*)", "1") == [(39,)], "the rest is stored"


def test_what_the_database_refuses_is_found_among_many_with_its_words(pg):
    t = pg.table("checked", {"n": WHOLE})
    pg.insert(t, {"id": "first", "n": 1})
    pg.run(f"ALTER TABLE {t} ADD CONSTRAINT small CHECK (n < 100)", f"ALTER TABLE {t} ADD UNIQUE (n)")
    events = [pg.event("INSERT", t, f"k{n:03}", after={"id": f"k{n:03}", "n": 1000 if n == 77 else -n}) for n in range(150)]
    events.append(pg.event("INSERT", t, "twin", after={"id": "twin", "n": 1}))
    reasons = pg.rejected(*events)
    pg.lab.wait_until(lambda: len(pg.quarantined()) >= 2, "both to be set aside")
    reasons = [r for r in pg.quarantined() if '"checked"' in r]
    assert len(reasons) == 2
    assert '["k077"]' in reasons[0] and 'violates check constraint "small"' in reasons[0]
    assert '["twin"]' in reasons[1] and "duplicate key value violates unique constraint" in reasons[1]
    assert pg.rows(t, "count(*)", "1") == [(150,)]


def test_a_constraint_that_is_checked_at_the_commit_is_traced_too(pg):
    t = pg.table("deferred", {"parent": TEXT})
    pg.insert(t, {"id": "root", "parent": "root"})
    pg.run(f"ALTER TABLE {t} ADD FOREIGN KEY (parent) REFERENCES {t} DEFERRABLE INITIALLY DEFERRED")
    reason, = pg.rejected(*(pg.event("INSERT", t, k, after={"id": k, "parent": p})
                            for k, p in (("a", "b"), ("b", "root"), ("orphan", "nobody"), ("c", "b"))))
    assert '["orphan"]' in reason and "foreign key" in reason
    assert [k for k, in pg.rows(t, "id")] == ["a", "b", "c", "root"]


# ---- keys

def test_h14_a_delete_finds_its_row_behind_a_region(pg):
    t = pg.table("h14", {"note": TEXT})
    pg.insert(t, {"id": "1", "note": "x"})
    pg.insert(t, {"id": "2", "note": "y"})
    pg.delete(t, ["gcp-us-west1", "1"])
    assert pg.rows(t) == [("2", "y")]


def test_h36_composite_keys_and_tables_without_declared_ones(pg):
    t = pg.table("pairs", {"note": TEXT}, keys=("shop", "number"))
    pg.send(*(pg.event("INSERT", t, [s, n], after={"shop": s, "number": n, "note": s + n}) for s in "ab" for n in "12"),
            pg.event("UPDATE", t, ["a", "2"], after={"shop": "a", "number": "2", "note": "new"}, diff=["note"]))
    pg.send(pg.event("DELETE", t, ["b", "1"], before={"shop": "b", "number": "1"}))
    assert pg.rows(t, "shop, number, note", "1, 2") == [("a", "1", "a1"), ("a", "2", "new"), ("b", "2", "b2")]
    bare = pg.table("bare", {"id": {"type": "string"}, "note": TEXT}, keys=())
    pg.insert(bare, {"id": "1", "note": "x"})
    pg.insert(bare, {"id": "1", "note": "y"})
    assert pg.rows(bare, "id, note") == [("1", "y")]


def test_keys_of_numbers_and_times_find_their_rows(pg):
    t = pg.table("numbered", {"n": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}, "note": TEXT},
                 keys=("n", "at"))
    pg.lab.hq.schemas[t]["properties"].update(n={"type": "integer"}, at={"type": "string", "format": "date-time"})
    pg.table(t, pg.lab.hq.schemas[t]["properties"], keys=("n", "at"))
    row = {"n": 7, "at": "2024-07-11T21:16:51Z", "note": "a"}
    pg.insert(t, row, key=["7", row["at"]])
    pg.update(t, {**row, "note": "b"}, ["note"], key=["7", row["at"]])
    assert pg.rows(t, "n, note") == [(7, "b")]
    pg.delete(t, ["7", "2024-07-11T23:16:51+02:00"])
    assert pg.rows(t) == []


# ---- order

def test_h65_an_older_event_that_comes_again_does_not_win(pg):
    t = pg.table("h65", {"note": TEXT})
    old = pg.event("UPDATE", t, "1", after={"id": "1", "note": "old"}, diff=["note"], mvcc=MVCC + 1)
    new = pg.event("UPDATE", t, "1", after={"id": "1", "note": "new"}, diff=["note"], mvcc=MVCC + 2)
    gone = pg.event("DELETE", t, "2", mvcc=MVCC + 9)
    before = pg.event("UPDATE", t, "2", after={"id": "2", "note": "back"}, diff=["note"], mvcc=MVCC + 8)
    pg.send(old, new)
    pg.send(pg.event("INSERT", t, "2", after={"id": "2", "note": "x"}, mvcc=MVCC + 3))
    pg.send(gone)
    again = [(subject, body, {"Nats-Msg-Id": f"again-{n}"}) for n, (subject, body, _) in enumerate((old, before))]
    pg.send(*again)
    assert pg.rows(t) == [("1", "new")], "neither is the older one written nor a deleted row resurrected"


def test_an_update_with_an_empty_diff_is_written_all_the_same(pg):
    t = pg.table("nodiff", {"note": TEXT})
    pg.update(t, {"id": "1", "note": "x"}, [])
    assert pg.rows(t) == [("1", "x")]


def test_h69_partial_rows_of_columns_that_must_not_be_null(pg):
    t = pg.table("h69", {"a": {"type": "string"}, "n": {"type": "integer"}, "z": {"type": "string", "format": "date-time"},
                         "note": TEXT}, required=["id", "a", "n", "z"])
    pg.insert(t, {"id": "1", "a": "x", "n": 5, "z": "2024-01-01T00:00:00Z"})
    pg.update(t, {"id": "1", "note": "new"}, ["note"])
    pg.update(t, {"id": "2", "note": "unheard of"}, ["note"])
    epoch = datetime.datetime(1970, 1, 1, tzinfo=UTC)
    assert pg.rows(t, "id, a, n, z, note", "id") == [
        ("1", "x", 5, datetime.datetime(2024, 1, 1, tzinfo=UTC), "new"), ("2", "", 0, epoch, "unheard of")]


# ---- tables

def test_h18_a_table_of_another_schema_is_not_looked_at(pg):
    pg.run("CREATE SCHEMA elsewhere", "CREATE TABLE elsewhere.h18 (id TEXT PRIMARY KEY, note TEXT, extra TEXT)")
    t = pg.table("h18", {"note": TEXT, "extra": TEXT})
    pg.insert(t, {"id": "1", "note": "x", "extra": "y"})
    assert pg.rows("public.h18", "id, note, extra") == [("1", "x", "y")]
    assert pg.rows("elsewhere.h18") == []


def test_h19_a_table_of_the_go_server_goes_on_with_its_rows(pg):
    pg.run('CREATE TABLE h19 (\n\tid TEXT NOT NULL,\n\t"createdDate" TIMESTAMP WITH TIME ZONE NOT NULL,\n\tpaid BOOLEAN,\n'
           "\tPRIMARY KEY (id)\n)", "INSERT INTO h19 VALUES ('old', '2020-01-01T00:00:00Z', true)")
    t = pg.table("h19", {"createdDate": TIME, "paid": BOOL, "note": TEXT})
    pg.update(t, {"id": "old", "note": "still here"}, ["note"])
    pg.insert(t, {"id": "new", "createdDate": "2024-01-01T00:00:00Z", "paid": False, "note": None})
    assert pg.rows(t, "id, paid, note", "id") == [("new", False, None), ("old", True, "still here")]


def test_a_table_that_was_changed_behind_our_back_is_read_anew(pg):
    t = pg.table("moved", {"note": TEXT, "n": WHOLE})
    pg.insert(t, {"id": "1", "note": "x", "n": 1})
    pg.run(f"ALTER TABLE {t} DROP COLUMN n")
    pg.insert(t, {"id": "2", "note": "y", "n": 2})
    assert pg.rows(t, "id, n", "id") == [("1", None), ("2", 2)]
    pg.run(f"DROP TABLE {t}")
    pg.insert(t, {"id": "3", "note": "z", "n": 3})
    assert pg.rows(t, "id, n") == [("3", 3)]


def test_columns_that_somebody_has_given_another_type(pg):
    pg.run("CREATE TYPE mood AS ENUM ('good', 'bad')",
           "CREATE TABLE typed (id VARCHAR(10) PRIMARY KEY, amount NUMERIC(10,2), m mood, u UUID, i INTEGER, d DATE, "
           "t TEXT DEFAULT 'x' NOT NULL)")
    t = pg.table("typed", {"amount": NUMBER, "m": TEXT, "u": TEXT, "i": WHOLE, "d": TIME, "t": TEXT})
    u = "7e2c5b1c-0001-4cde-8f00-000000000001"
    pg.insert(t, {"id": "1", "amount": Num("12.50"), "m": "good", "u": u, "i": Num("1e3"), "d": "2024-02-29", "t": ""})
    assert pg.rows(t, "id, amount::text, m::text, u::text, i, d::text, t") == [("1", "12.50", "good", u, 1000, "2024-02-29", "")]
    for column, value, words in (("amount", Num("0.005"), "fewer decimals"), ("m", "ugly", "enum"), ("i", 2 ** 31, "integer")):
        reason, = pg.rejected(pg.event("INSERT", t, "2", after={"id": "2", "t": "", column: value}))
        assert f'column "{column}"' in reason and words in reason


def test_h35_names_are_quoted_always(pg):
    columns = ["select", "User", "with space", "my-col", "x.y", "a$b", "q\"uote", "semi;colon", "größe", "percent%s", "$1"]
    t = pg.table("Order-Items", {c: TEXT for c in columns})
    pg.insert(t, {"id": "1", **{c: "value of " + c for c in columns}})
    pg.update(t, {"id": "1", "select": "new"}, ["select"])
    for column in columns[1:]:
        assert pg.value(t, column.replace('"', '""')) == "value of " + column
    pg.delete(t, "1")
    assert pg.rows(t) == []


def test_three_hundred_columns_that_come_bit_by_bit(pg):
    wide = {f"column{n:03}": TEXT for n in range(300)}
    pg.table("wide", dict(list(wide.items())[:100]))
    t = pg.table("wide", wide, version="v2")
    pg.insert(t, {"id": "1", **{c: c for c in list(wide)[:100]}})
    pg.insert(t, {"id": "2", **{c: c for c in wide}}, version="v2")
    assert pg.run(f"SELECT count(column299), count(column000) FROM {t}") == [(1, 2)]


def test_h67_versions_without_new_columns_change_nothing_and_say_nothing(pg):
    t = pg.table("h67", {"note": TEXT})
    pg.table(t, {"note": TEXT}, version="v2")
    said = len(pg.lab.whole_log())
    pg.send(*(pg.event("INSERT", t, str(n), version=f"v{n % 2 + 1}", after={"id": str(n), "note": "x"}) for n in range(200)))
    assert pg.rows(t, "count(*)", "1") == [(200,)]
    assert pg.lab.whole_log()[said:].count("h67") == 1, "that the table was created, and no more"


def test_a_delete_from_a_table_nobody_knows_is_no_trouble(pg):
    pg.delete("never_heard_of", "1")
    assert pg.run("SELECT to_regclass('never_heard_of')") == [(None,)]


def test_many_tables_in_one_batch(pg):
    names = [pg.table(f"many{n:02}", {"note": TEXT}) for n in range(30)]
    pg.send(*(pg.event("INSERT", name, f"{k}", after={"id": f"{k}", "note": name}) for k in range(20) for name in names))
    assert [pg.rows(name, "count(*)", "1")[0][0] for name in names] == [20] * 30
