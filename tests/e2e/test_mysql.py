"""MySQL: what lands in a real MariaDB server is what left, whatever the server's defaults are."""
import json
import os

import pytest

from tests.e2e.mysql_shop import Shop
from tests.support import crafted
from tests.support.crafted import ARRAY, BOOLEAN, DATE, INTEGER, NULLABLE, NUMBER, OBJECT, STRING, schema
from tests.support.gojson import Num

# Arrays as MariaDB takes them, and statements of several rows as for MySQL.
BOTH = pytest.mark.parametrize("bulk", ["auto", "off"])
EMOJI = "\U0001f697"


@pytest.fixture
def made(enrolled, mariadb):
    """made(*schemas, **options of the URL): a shop that runs."""
    def make(*schemas, **query):
        shop = Shop(enrolled, mariadb, *(schemas or [schema("order")]))
        shop.start(shop.url(**query))
        return shop
    return make


# ---- what a shop sees

@BOTH
def test_all_of_a_shops_traffic_lands_as_it_was_published(enrolled, mariadb, bulk):
    shop = Shop(enrolled, mariadb)
    shop.start(shop.url(bulk=bulk))
    shop.lab.publish(1500)
    shop.lab.wait_delivered()
    assert shop.differences() == []
    assert shop.refused() == []


def test_the_contracts_scenario(enrolled, mariadb):
    """contract/drivers.md 13.2: new tables and columns on the way, with any model version."""
    columns = {"id": STRING, "name": STRING, "updatedDate": crafted.DATE}
    aged = {**columns, "age": INTEGER}
    first = [schema("order", columns, version="fff000111"), schema("customer", columns, version="fff000111")]
    shop = Shop(enrolled, mariadb, *first)
    payload = {"id": "12345", "name": "test", "updatedDate": "2026-02-02T12:00:00.000Z"}
    at = "2026-02-02 12:00:00.000000"
    shop.start()
    c = shop.craft
    shop.send(c.insert("order", payload))
    assert shop.rows("order") == {"12345": {**payload, "updatedDate": at}}
    shop.send(c.insert("customer", payload))
    assert shop.rows("customer") == {"12345": {**payload, "updatedDate": at}}
    shop.send(c.update("order", {**payload, "name": "changed"}, ["name"]))
    assert shop.rows("order")["12345"]["name"] == "changed"
    shop.send(c.delete("order", "12345"))
    assert shop.rows("order") == {}
    c.set(schema("order", aged, version="fff000112-update"), schema("customer", columns, version="fff000112-update"))
    shop.send(c.insert("customer", payload))
    shop.send(c.insert("order", {**payload, "age": 1}))
    assert shop.rows("order")["12345"]["age"] == 1
    c.set(schema("order", aged, version="fff000113-update"), schema("customer", columns, version="fff000112-update"))
    shop.send(c.update("order", {**payload, "age": 2}, ["age"]))
    assert shop.rows("order")["12345"]["age"] == 2
    shop.send(c.insert("customer", payload))
    assert len(shop.rows("customer")) == 1
    assert shop.lab.stop_eds() == 0


@BOTH
def test_missing_is_not_null(made, bulk):
    shop = made(bulk=bulk)
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "note": "stays", "totalCents": Num("5"), "paid": True}))
    shop.send(c.update("order", {"id": "1", "totalCents": Num("6")}, ["totalCents"]))
    row = shop.rows("order")["1"]
    assert (row["note"], row["totalCents"], row["paid"]) == ("stays", 6, 1)
    shop.send(c.update("order", {"id": "1", "note": None, "paid": None}, ["note", "paid"]))
    row = shop.rows("order")["1"]
    assert (row["note"], row["totalCents"], row["paid"]) == (None, 6, None)


@BOTH
def test_rows_that_lack_different_columns_share_a_batch(made, bulk):
    shop = made(bulk=bulk)
    c = shop.craft
    shop.lab.edsctl("pause", "shop")
    base = {"note": "n", "totalCents": Num("1"), "percent": Num("2.5"), "paid": False, "tags": ["a"]}
    c.send(*(c.insert("order", {"id": str(i), **base}) for i in range(40)))
    names = list(base)
    for i in range(40):
        column = names[i % len(names)]
        c.send(c.update("order", {"id": str(i), column: None}, [column]))
        c.send(c.insert("order", {"id": f"new{i}", column: base[column]}))
    shop.lab.edsctl("resume", "shop")
    shop.lab.wait_delivered("shop")
    rows, stored = shop.rows("order"), {**base, "totalCents": 1, "percent": 2.5, "paid": 0, "tags": '["a"]'}
    for i in range(40):
        column = names[i % len(names)]
        assert {n: rows[str(i)][n] for n in names} == {**stored, column: None}
        assert {n: rows[f"new{i}"][n] for n in names} == {**dict.fromkeys(names), column: stored[column]}


@BOTH
def test_composite_keys_with_numbers_and_their_deletes(made, bulk):
    columns = {"region": STRING, "number": {"type": "integer"}, "note": NULLABLE}
    shop = made(schema("part", columns, keys=("region", "number")), bulk=bulk)
    c = shop.craft
    big = "9007199254740993"
    rows = [{"region": r, "number": Num(n), "note": f"{r}{n}"} for r in ("east", "west") for n in ("1", big)]
    shop.send(*(c.insert("part", row, key=[row["region"], str(row["number"])]) for row in rows))
    assert set(shop.rows("part")) == {(r, int(n)) for r in ("east", "west") for n in ("1", big)}
    shop.send(c.update("part", {**rows[3], "note": "new"}, ["note"], key=["west", big]))
    shop.send(c.delete("part", ["east", big]), c.delete("part", ["gcp-us-west1", "west", "1"]))
    assert {k: r["note"] for k, r in shop.rows("part").items()} == {("east", 1): "east1", ("west", int(big)): "new"}


def test_h35_wide_tables_reserved_words_and_strange_names(made):
    kinds = [NULLABLE, DATE, INTEGER, NUMBER, BOOLEAN, OBJECT, ARRAY]
    wide = {"id": STRING, **{f"column{i:03}": kinds[i % len(kinds)] for i in range(299)}}
    words = {n: NULLABLE for n in ("select", "GROUP", "order", "back`tick", "my-col", "x.y", "dollar$", "a b", "größe", "ends")}
    tables = ("wide", "SELECT", "Upper", "upper", "back`tick", "my-table")
    shop = made(*(schema(t, wide if t == "wide" else {"id": STRING, **words}) for t in tables))
    c = shop.craft
    values = ["text of a shop", "2026-01-02T03:04:05Z", Num("12"), Num("1.5"), True, {"a": Num("1")}, ["x"]]
    row = {"id": "w", **{f"column{i:03}": values[i % len(values)] for i in range(299)}}
    shop.send(c.insert("wide", row), *(c.insert(t, {"id": t, **dict.fromkeys(words, t)}) for t in tables[1:]))
    assert shop.refused() == []
    stored = shop.rows("wide")["w"]
    assert len(stored) == 300
    assert [stored[f"column{i:03}"] for i in range(7)] == [
        "text of a shop", "2026-01-02 03:04:05.000000", 12, 1.5, 1, shop.server.spelled('{"a":1}'), '["x"]']
    for table in tables[1:]:
        assert shop.rows(table) == {table: {"id": table, **dict.fromkeys(words, table)}}


def test_h65_an_older_event_does_not_win_and_nothing_is_resurrected(made):
    """Delivered again after newer ones, in other batches."""
    shop = made()
    c = shop.craft
    old = c.insert("order", {"id": "1", "note": "old"})
    new = c.update("order", {"id": "1", "note": "new"}, ["note"])
    gone = [c.insert("order", {"id": "2", "note": "lives"}), c.delete("order", "2", before={"id": "2"})]
    for event in (new, old, *reversed(gone)):
        shop.send(event)
    assert {k: r["note"] for k, r in shop.rows("order").items()} == {"1": "new"}


@BOTH
def test_update_strategy_after_compares_what_is_there(enrolled, mariadb, bulk):
    shop = Shop(enrolled, mariadb, schema("order"))
    with open(os.path.join(enrolled.data_dir, "config.toml"), "a", encoding="utf-8") as f:
        f.write('update_strategy = "after"\n')
    shop.start(shop.url(bulk=bulk))
    c = shop.craft

    def update(note, date, *columns):
        row = {"id": "1", "note": note, **({"updatedDate": date} if date else {})}
        shop.send(c.update("order", row, ["note"]))
        return shop.rows("order")["1"]["note"]
    shop.send(c.insert("order", {"id": "1", "note": "a", "updatedDate": "2026-01-01T00:00:05Z"}))
    assert update("older", "2026-01-01T00:00:04.999999Z") == "a"
    assert update("same", "2026-01-01T00:00:05Z") == "same"
    assert update("newer", "2026-01-01T00:00:06Z") == "newer"
    assert update("between", "2026-01-01T00:00:05.5Z") == "newer", "the date moved on with the row"
    assert update("undated", None) == "undated"
    shop.lab.kill_worker("shop")
    assert update("older", "2026-01-01T00:00:01Z") == "undated", "a new process asks the table, not its memory"


def test_the_same_batch_again_changes_nothing(made):
    shop = made()
    c = shop.craft
    events = [c.insert("order", {"id": str(i), "note": f"n{i}"}) for i in range(20)]
    events += [c.update("order", {"id": str(i), "note": f"m{i}"}, ["note"]) for i in range(0, 20, 2)]
    events += [c.delete("order", str(i), before={"id": str(i)}) for i in range(0, 20, 5)]
    shop.send(*events)
    before = shop.rows("order")
    shop.lab.stop_eds()
    shop.run("INSERT INTO `order` (id, note) VALUES ('0', 'should not be'), ('1', 'stale') "
             "ON DUPLICATE KEY UPDATE note = VALUES(note)")
    shop.lab.start_eds()
    again = [c.event(e.operation, "order", [e.key], **{k: json.loads(e.payload)[k] for k in ("before", "after", "diff")
                                                     if k in json.loads(e.payload)}) for e in events]
    shop.send(*again)
    assert shop.rows("order") == before


# ---- hazards, by their numbers

@BOTH
def test_h13_text_cannot_break_out(made, bulk):
    nasty = ["'; DROP TABLE `order`; --", "$_H_$; DROP", "\\", "\\'", 'say "hi"', "a\0b", "\x1a", "line\r\nfeed\ttab", "%_", "`",
             "' OR '1'='1", "é" + EMOJI, "\U00020000", "", " ", "NULL", "null", "--", "/* x */", "\\0", "?", ":name"]
    shop = made(bulk=bulk)
    c = shop.craft
    shop.send(*(c.insert("order", {"id": t or "empty", "note": t, "labels": {t: [t]}, "tags": [t]}) for t in nasty
                if len(t) < 60))
    rows = shop.rows("order")
    for text in nasty:
        row = rows[text or "empty"]
        assert row["note"] == text
        assert json.loads(row["labels"]) == {text: [text]} and json.loads(row["tags"]) == [text]
    shop.send(*(c.delete("order", t or "empty") for t in nasty))
    assert shop.rows("order") == {}


def test_h13_a_session_without_backslash_escapes_by_the_server(made, mariadb):
    mariadb.run("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT'")
    try:
        shop = made()
        c = shop.craft
        shop.send(c.insert("order", {"id": "a\\", "note": "back\\slash 'quoted'"}))
        assert shop.rows("order")["a\\"]["note"] == "back\\slash 'quoted'"
    finally:
        mariadb.run("SET GLOBAL sql_mode = ''")


def test_h14_delete_matches_the_right_key_part(made):
    shop = made()
    c = shop.craft
    shop.send(*(c.insert("order", {"id": i}) for i in ("1", "2", "gcp-us-west1")))
    shop.send(c.delete("order", ["gcp-us-west1", "1"]), c.delete("order", ["2"]))
    assert set(shop.rows("order")) == {"gcp-us-west1"}


def test_h15_text_that_looks_like_a_time_stays_as_it_is(made):
    shop = made()
    c = shop.craft
    texts = ["2024-07-09T18:28:03.69708Z", "2024-13-45T00:00:00Z", "1965-01-02T03:04:05.678Z", "2024-07-09"]
    shop.send(*(c.insert("order", {"id": t, "note": t}) for t in texts))
    assert {k: r["note"] for k, r in shop.rows("order").items()} == {t: t for t in texts}


def test_h16_what_is_not_in_the_event_stays_in_the_row(made):
    shop = made()
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "note": "a"}))
    shop.run("ALTER TABLE `order` ADD own VARCHAR(20) DEFAULT 'default'", "UPDATE `order` SET own = 'mine'",
             f"CREATE TABLE child (id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE {shop.server.key_collation} PRIMARY KEY, "
             "FOREIGN KEY (id) REFERENCES `order` (id) ON DELETE CASCADE)", "INSERT INTO child VALUES ('1')",
             "CREATE TABLE deleted (id VARCHAR(64))",
             "CREATE TRIGGER t AFTER DELETE ON `order` FOR EACH ROW INSERT INTO deleted VALUES (OLD.id)")
    shop.send(c.update("order", {"id": "1", "note": "b"}, ["note"]), c.insert("order", {"id": "2", "note": "c"}))
    assert {k: (r["note"], r["own"]) for k, r in shop.rows("order").items()} == {"1": ("b", "mine"), "2": ("c", "default")}
    assert shop.run("SELECT id FROM child") == [("1",)] and not shop.run("SELECT id FROM deleted")


@BOTH
def test_the_session_is_strict_in_utc_and_knows_every_character(made, bulk):
    """The server is none of that by itself (tests/support/mariadbd.py); a column's default tells what the writer is."""
    shop = made(bulk=bulk)
    shop.send(shop.craft.insert("order", {"id": "1"}))
    shop.run("ALTER TABLE `order` ADD mode TEXT DEFAULT (@@SESSION.sql_mode), ADD zone TEXT DEFAULT (@@SESSION.time_zone), "
             "ADD letters TEXT DEFAULT (@@SESSION.character_set_client)")
    shop.send(shop.craft.insert("order", {"id": "2"}))
    row = shop.rows("order")["2"]
    assert "STRICT_ALL_TABLES" in row["mode"].split(",") and "NO_BACKSLASH_ESCAPES" not in row["mode"]
    assert (row["zone"], row["letters"]) == ("+00:00", "utf8mb4")


def test_h29_times_are_utc_whatever_the_server_thinks(made):
    times = {"1": ("2024-07-09T18:28:03.697Z", "2024-07-09 18:28:03.697000"),
             "2": ("2024-07-09T18:28:03+02:00", "2024-07-09 16:28:03.000000"),
             "3": ("2023-12-31T23:30:00.5-01:00", "2024-01-01 00:30:00.500000"),
             "4": ("1965-01-02T03:04:05.678Z", "1965-01-02 03:04:05.678000"),
             "5": ("2150-01-01T00:00:00Z", "2150-01-01 00:00:00.000000"),
             "6": ("2024-02-29T00:00:00.123456789Z", "2024-02-29 00:00:00.123456"), "7": (None, None)}
    shop = made()
    c = shop.craft
    shop.send(*(c.insert("order", {"id": k, "createdDate": sent}) for k, (sent, _) in times.items()))
    assert {k: r["createdDate"] for k, r in shop.rows("order").items()} == {k: t for k, (_, t) in times.items()}
    assert shop.lab.eds.wait_log("finer than the column")
    shop.send(c.insert("order", {"id": "bad", "createdDate": "2024-13-45T00:00:00Z"}))
    (table, reason), = shop.refused()
    assert table == "order" and "createdDate" in reason and '["bad"]' in reason and "2024-13" not in reason


@BOTH
def test_h29_a_timestamp_of_the_go_server_is_utc_too(enrolled, mariadb, bulk):
    """What such a column keeps goes by the session's time zone, which by default is the server's, five hours away."""
    assert mariadb.run("SELECT @@GLOBAL.time_zone") == [("+05:00",)]
    shop = Shop(enrolled, mariadb, schema("order"))
    shop.run("CREATE TABLE `order` (id VARCHAR(64) PRIMARY KEY, note TEXT, `createdDate` TIMESTAMP NULL)")
    shop.start(shop.url(bulk=bulk))
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "createdDate": "2024-07-09T18:28:03Z"}),
              c.insert("order", {"id": "2", "createdDate": "2024-07-09T18:28:03+02:00"}))
    shop.send(c.update("order", {"id": "1", "createdDate": "2024-07-09T23:30:00Z"}, ["createdDate"]))
    assert {k: r["createdDate"] for k, r in shop.rows("order").items()} == {
        "1": "2024-07-09 23:30:00", "2": "2024-07-09 16:28:03"}


@BOTH
def test_h30_h32_numbers_keep_every_digit(made, bulk):
    whole = ["9007199254740993", "-9223372036854775808", "9223372036854775807", "0", "-1", "1E+3"]
    broken = ["1234567.89", "0.1", "1e-7", "123456789.123456", "-0.30", "1.7976931348623157e308", "12.50"]
    shop = made(bulk=bulk)
    c = shop.craft
    shop.send(*(c.insert("order", {"id": t, "totalCents": Num(t)}) for t in whole),
              *(c.insert("order", {"id": "p" + t, "percent": Num(t)}) for t in broken))
    rows = shop.rows("order")
    assert [rows[t]["totalCents"] for t in whole] == [int(float(t)) if "E" in t else int(t) for t in whole]
    assert [rows["p" + t]["percent"] for t in broken] == [float(t) for t in broken]
    for column, text in (("totalCents", "9223372036854775808"), ("totalCents", "1.5"), ("percent", "3.14159265358979323846")):
        shop.send(c.insert("order", {"id": "x" + text, column: Num(text)}))
        assert "x" + text not in shop.rows("order")
    assert all(f'column "{n}"' in reason for n, (_, reason) in zip(("totalCents", "totalCents", "percent"), shop.refused()))


@BOTH
def test_h31_json_columns_hold_json_and_null_stays_null(made, bulk):
    columns = {"id": STRING, "any": OBJECT, "list": ARRAY, "must": {"type": "object"}, "all": {"type": "array"}, "flag": BOOLEAN}
    shop = made(schema("order", columns, required=("must", "all")), bulk=bulk)
    c = shop.craft
    scalars = {"t": True, "f": False, "n": Num("5"), "d": Num("1234567890.50"), "s": 'a "text"', "e": "",
               "o": {"b": Num("1"), "a": [True, None, "x\0y"]}}
    shop.send(*(c.insert("order", {"id": k, "any": v, "must": {}, "all": [], "flag": True}) for k, v in scalars.items()),
              c.insert("order", {"id": "null", "any": None, "list": None, "must": None, "all": None, "flag": None}))
    rows = shop.rows("order")
    assert {k: rows[k]["any"] for k in scalars} == {
        "t": "true", "f": "false", "n": "5", "d": shop.server.spelled("1234567890.50"), "s": '"a \\"text\\""', "e": '""',
        "o": shop.server.spelled('{"b":1,"a":[true,null,"x\\u0000y"]}')}
    assert (rows["null"]["any"], rows["null"]["list"], rows["null"]["flag"]) == (None, None, None)
    assert (rows["null"]["must"], rows["null"]["all"]) == ("{}", "[]")


def test_h36_keys_are_told_apart_byte_by_byte(made):
    shop = made()
    c = shop.craft
    keys = ["a", "A", "á", "a ", "ａ"]
    shop.send(*(c.insert("order", {"id": k, "note": k}) for k in keys))
    assert {k: r["note"] for k, r in shop.rows("order").items()} == {k: k for k in keys}


@BOTH
def test_h69_a_partial_row_of_a_table_with_not_null(made, bulk):
    columns = {**crafted.EVERY, "number": STRING, "count": {"type": "integer"}, "made": {"type": "string", "format": "date-time"}}
    shop = made(schema("order", columns, required=("number", "count", "made")), bulk=bulk)
    c = shop.craft
    full = {"id": "1", "number": "1004", "count": Num("7"), "made": "2026-01-02T03:04:05Z", "note": "a"}
    shop.send(c.insert("order", full))
    shop.send(c.update("order", {"id": "1", "note": "b"}, ["note"]), c.update("order", {"id": "2", "note": "c"}, ["note"]))
    rows = shop.rows("order")
    assert [rows["1"][n] for n in ("number", "count", "note")] == ["1004", 7, "b"]
    assert [rows["2"][n] for n in ("number", "count", "note")] == ["", 0, "c"]
    assert rows["1"]["made"].startswith("2026-01-02 03:04:05") and rows["2"]["made"].startswith("1970-01-01 00:00:0")
    assert shop.refused() == []


# ---- tables that others made

def test_another_unique_index_is_warned_of(enrolled, mariadb):
    """ON DUPLICATE KEY UPDATE goes by any unique index: the operator has to know."""
    shop = Shop(enrolled, mariadb, schema("order"), schema("customer"))
    shop.run("CREATE TABLE `order` (id VARCHAR(64) PRIMARY KEY, note VARCHAR(20), status VARCHAR(64), "
             "UNIQUE KEY theirs (note, status))")
    shop.start()
    c = shop.craft
    shop.send(c.insert("customer", {"id": "1"}), *(c.insert("order", {"id": str(i), "note": str(i)}) for i in range(3)))
    warned = [line for line in shop.lab.whole_log().splitlines() if "unique index" in line]
    assert len(warned) == 1 and "table order" in warned[0] and "theirs" in warned[0] and "WARN" in warned[0]
    shop.lab.edsctl("restart", "worker", "shop")
    shop.lab.wait_running("shop")
    shop.send(c.insert("order", {"id": "4"}))
    assert shop.lab.whole_log().count("unique index") == 2, "a new worker says it once more, and once only"


# ---- tables that the Go server made

GO_TABLE = ("CREATE TABLE `order` (id VARCHAR(64) NOT NULL, `createdDate` TIMESTAMP NULL, note TEXT, percent FLOAT, "
            "paid BOOLEAN, labels JSON, `totalCents` BIGINT, PRIMARY KEY (id)) CHARACTER SET=utf8mb4")


@BOTH
def test_a_table_of_the_go_server_goes_on_working(enrolled, mariadb, bulk):
    columns = {n: crafted.EVERY[n] for n in ("id", "createdDate", "note", "percent", "paid", "labels", "totalCents")}
    shop = Shop(enrolled, mariadb, schema("order", columns))
    shop.run(GO_TABLE, "INSERT INTO `order` (id, note) VALUES ('old', 'from before')")
    before = shop.columns("order")
    shop.start(shop.url(bulk=bulk))
    c = shop.craft
    fits = {"id": "1", "createdDate": "2024-07-09T18:28:03.69708Z", "note": "x" * 65535, "percent": Num("12.5"), "paid": True,
            "labels": {"a": Num("1")}, "totalCents": Num("46700")}
    shop.send(c.insert("order", fits))
    row = shop.rows("order")["1"]
    assert shop.columns("order") == before
    assert (row["createdDate"], row["percent"], len(row["note"])) == ("2024-07-09 18:28:03", 12.5, 65535)
    refused = {"note": "y" * 65536, "percent": Num("1234567.89"), "createdDate": "2040-01-01T00:00:00Z"}
    for column, value in refused.items():
        shop.send(c.insert("order", {"id": column, column: value}))
    assert set(shop.rows("order")) == {"old", "1"}
    for column, (table, reason) in zip(refused, shop.refused()):
        assert table == "order" and column in reason and f'["{column}"]' in reason and "yyy" not in reason
    shop.run("ALTER TABLE `order` MODIFY note LONGTEXT, MODIFY percent DOUBLE, MODIFY `createdDate` DATETIME(6)")
    shop.lab.edsctl("quarantine", "retry", "shop", "all")
    shop.lab.wait_until(lambda: set(shop.rows("order")) == {"old", "1", *refused}, "the widened table to take all")
    assert shop.rows("order")["percent"]["percent"] == 1234567.89


@BOTH
def test_what_only_the_server_knows_a_column_cannot_hold_is_refused(enrolled, mariadb, bulk):
    """Such as another word than those of a set: strict mode is asked for, and warnings are looked at as well."""
    shop = Shop(enrolled, mariadb, schema("order"))
    shop.run("CREATE TABLE `order` (id VARCHAR(64) PRIMARY KEY, note ENUM('open', 'closed'))")
    shop.start(shop.url(bulk=bulk))
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "note": "open"}), c.insert("order", {"id": "2", "note": "ajar"}),
              c.insert("order", {"id": "3", "note": "closed"}))
    assert {k: r["note"] for k, r in shop.rows("order").items()} == {"1": "open", "3": "closed"}
    (table, reason), = shop.refused()
    assert table == "order" and '["2"]' in reason and "note" in reason and "ajar" not in reason


def test_types_classic_makes_columns_as_the_go_server_did(made):
    shop = made(types="classic")
    shop.send(shop.craft.insert("order", {"id": "1"}))
    assert shop.columns("order") == {
        column: shop.server.type_spelled(kind) for column, kind in {
            "id": "varchar(64)", "createdDate": "timestamp", "labels": "json", "note": "text", "paid": "boolean",
            "percent": "float", "status": "varchar(64)", "tags": "json", "totalCents": "bigint",
            "updatedDate": "timestamp"}.items()}


def test_a_time_that_changes_by_itself_does_not(enrolled, mariadb):
    """TIMESTAMP NOT NULL, the first of a table, means ON UPDATE CURRENT_TIMESTAMP to many servers."""
    shop = Shop(enrolled, mariadb, schema("order", {"id": STRING, "createdDate": DATE, "note": NULLABLE}))
    shop.run("CREATE TABLE `order` (id VARCHAR(64) PRIMARY KEY, note TEXT, `createdDate` TIMESTAMP NOT NULL "
             "DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)")
    shop.start()
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "createdDate": "2020-01-01T00:00:00Z", "note": "a"}))
    shop.send(c.update("order", {"id": "1", "note": "b"}, ["note"]))
    assert shop.rows("order")["1"] == {"id": "1", "createdDate": "2020-01-01 00:00:00", "note": "b"}
