"""SQL Server, as far as it can be had here: the real programs against tests.support.tds, which takes the driver's
statements by what they say.  tests/e2e/sqlserver-live does the same with a real server."""
import json
import os

import pytest

from tests.e2e.sqlserver_shop import Shop
from tests.support import crafted
from tests.support.crafted import BOOLEAN, DATE, INTEGER, NULLABLE, NUMBER, OBJECT, STRING, schema
from tests.support.gojson import Num
from tests.support.tds import TdsServer
from tests.support.tsql_engine import Engine

CAR = "\U0001f697"


@pytest.fixture
def server():
    with TdsServer() as server:
        yield server
        assert server.complaints == []


@pytest.fixture
def made(enrolled, server):
    """made(*schemas): a shop that runs."""
    def make(*schemas, **options):
        shop = Shop(enrolled, server, *(schemas or [schema("order")]))
        shop.start(**options)
        return shop
    return make


# ---- what a shop sees

def test_every_change_of_every_table_arrives_exactly(enrolled, server):
    lab = enrolled
    lab.start_eds({"mssql": server.url()})
    lab.wait_running()
    events = lab.publish_events(lab.events.every_kind()) + lab.publish(1500)
    lab.wait_delivered()
    assert server.differences(lab.oracle) == []
    d = lab.destination("mssql")
    assert (d["committed"], d["quarantined"]) == (len(events), 0)


def test_new_tables_and_columns_on_the_way(enrolled, server):
    """contract/drivers.md 13.2"""
    plain = {"id": STRING, "name": STRING, "updatedDate": DATE}
    payload = {"id": "12345", "name": "test", "updatedDate": "2026-02-02T12:00:00.000Z"}
    shop = Shop(enrolled, server, *(schema(t, plain, version="fff000111") for t in ("order", "customer")))
    shop.start(min_latency="1ms", max_latency="1ms")
    c = shop.craft
    for table in ("order", "customer"):
        shop.send(c.insert(table, payload))
        assert shop.rows(table) == {"12345": payload}
    shop.send(c.update("order", {**payload, "name": "other"}, ["name"]))
    assert shop.rows("order") == {"12345": {**payload, "name": "other"}}
    shop.send(c.delete("order", "12345"))
    assert shop.rows("order") == {}
    c.set(schema("order", {**plain, "age": INTEGER}, version="fff000112-update"),
          schema("customer", plain, version="fff000112-update"))
    shop.send(c.insert("customer", payload), c.insert("order", {**payload, "age": Num("1")}))
    assert shop.rows("customer") == {"12345": payload}
    assert shop.rows("order") == {"12345": {**payload, "age": 1}}
    c.set(schema("order", {**plain, "age": INTEGER}, version="fff000113-update"),
          schema("customer", plain, version="fff000112-update"))
    shop.send(c.update("order", {**payload, "age": Num("2")}, ["age"]), c.insert("customer", payload))
    assert shop.rows("order") == {"12345": {**payload, "age": 2}}
    assert enrolled.stop_eds() == 0


def test_no_value_stands_in_any_statement(made):
    shop = made()
    shop.send(shop.craft.insert("order", {"id": "key-of-the-row", "note": "text of the row"}))
    sent = "\n".join(shop.server.texts())
    assert "INSERT INTO [dbo].[order]" in sent
    assert "key-of-the-row" not in sent and "text of the row" not in sent and "MERGE" not in sent


def test_a_batch_is_one_request_whatever_its_tables(made):
    shop = made(*(schema(f"t{n}") for n in range(5)))
    c = shop.craft
    shop.together(*(c.insert(f"t{i % 5}", {"id": str(i), "note": "a"}) for i in range(200)))
    shop.server.requests.clear()
    shop.together(*(c.update(f"t{i % 5}", {"id": str(i), "note": "b"}, ["note"]) for i in range(200)))
    assert len(shop.server.requests) == 1
    assert all(r["note"] == "b" for n in range(5) for r in shop.rows(f"t{n}").values())


def test_the_session_has_its_options_before_anything_else(made):
    shop = made()
    texts = shop.server.texts()
    assert texts[0].startswith("SET LANGUAGE us_english;\nSET QUOTED_IDENTIFIER, ANSI_NULLS")
    login = shop.server.logins[0]
    assert (login["app"], login["database"], login["server"]) == ("eds", "eds", "127.0.0.1")


def test_missing_is_not_null(made):
    shop = made()
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "note": "stays", "totalCents": Num("5"), "paid": True}))
    shop.send(c.update("order", {"id": "1", "totalCents": Num("6")}, ["totalCents"]))
    row = shop.rows("order")["1"]
    assert (row["note"], row["totalCents"], row["paid"]) == ("stays", 6, 1)
    shop.send(c.update("order", {"id": "1", "note": None}, ["note", "paid"]))
    row = shop.rows("order")["1"]
    assert (row["note"], row["totalCents"], row["paid"]) == (None, 6, None)


def test_rows_of_one_batch_set_different_columns(made):
    shop = made()
    c = shop.craft
    base = {"note": "n", "totalCents": Num("1"), "percent": Num("2.5"), "paid": False, "tags": ["a"]}
    stored = {**base, "totalCents": 1, "percent": 2.5, "paid": 0, "tags": '["a"]'}
    names = list(base)
    shop.send(*(c.insert("order", {"id": str(i), **base}) for i in range(30)))
    changes = [c.update("order", {"id": str(i), names[i % 5]: None}, [names[i % 5]]) for i in range(30)]
    shop.together(*changes, *(c.insert("order", {"id": f"new{i}", names[i % 5]: base[names[i % 5]]}) for i in range(30)))
    rows = shop.rows("order")
    for i in range(30):
        column = names[i % 5]
        assert {n: rows[str(i)][n] for n in names} == {**stored, column: None}
        assert {n: rows[f"new{i}"][n] for n in names} == {**dict.fromkeys(names), column: stored[column]}


def test_composite_keys_of_texts_and_numbers(made):
    columns = {"region": STRING, "number": {"type": "integer"}, "note": NULLABLE}
    shop = made(schema("part", columns, keys=("region", "number")))
    c, big = shop.craft, "9007199254740993"
    rows = [{"region": r, "number": Num(n), "note": r + n} for r in ("east", "west") for n in ("1", big)]
    shop.send(*(c.insert("part", row, key=[row["region"], str(row["number"])]) for row in rows))
    shop.send(c.update("part", {**rows[3], "note": "new"}, ["note"], key=["west", big]),
              c.delete("part", ["east", big]), c.delete("part", ["gcp-us-west1", "west", "1"]))
    assert {k: r["note"] for k, r in shop.rows("part").items()} == {("east", 1): "east1", ("west", int(big)): "new"}


def test_h65_an_older_event_does_not_win_and_nothing_is_resurrected(made):
    """Delivered again behind newer ones."""
    shop = made()
    c = shop.craft
    old = c.insert("order", {"id": "1", "note": "old"})
    new = c.update("order", {"id": "1", "note": "new"}, ["note"])
    lives, gone = c.insert("order", {"id": "2"}), c.delete("order", "2", before={"id": "2"})
    for event in (new, old, gone, lives):
        shop.send(event)
    assert {k: r["note"] for k, r in shop.rows("order").items()} == {"1": "new"}


def test_delete_and_insert_in_one_batch_leave_just_the_new_columns(made):
    shop = made()
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "note": "a", "paid": True}), c.insert("order", {"id": "2", "note": "b"}))
    shop.together(c.delete("order", "1", before={"id": "1"}), c.insert("order", {"id": "1", "percent": Num("1")}),
                  c.delete("order", "2", before={"id": "2"}))
    row, = shop.rows("order").values()
    assert (row["id"], row["note"], row["paid"], row["percent"]) == ("1", None, None, 1.0)


def test_update_strategy_after_asks_the_row_for_its_date(enrolled, server):
    with open(os.path.join(enrolled.data_dir, "config.toml"), "a", encoding="utf-8") as f:
        f.write('update_strategy = "after"\n')
    shop = Shop(enrolled, server, schema("order"))
    shop.start()
    c = shop.craft
    day = "2026-01-01T00:00:0"

    def update(note, date):
        shop.send(c.update("order", {"id": "1", "note": note, **({"updatedDate": day + date} if date else {})}, ["note"]))
        return shop.rows("order")["1"]["note"]
    assert update("first", "5.5Z") == "first"
    assert update("older", "5.499999Z") == "first"
    assert update("older without a fraction", "5Z") == "first"
    assert update("same", "5.5Z") == "same"
    assert update("newer", "5.50001Z") == "newer"
    assert update("no date", None) == "no date"
    enrolled.kill_worker("shop")
    assert update("older", "1Z") == "no date", "a new process asks the table, not its memory"


# ---- hazards, by their numbers

NASTY = ["'; DROP TABLE [order]; --", "]; DROP TABLE [order]; --", "$_H_$", "\\", "\\\n", 'say "hi"', "a\0b", "line\r\nfeed\ttab",
         "%_", "café " + CAR, "\U00020000", "", " ", "trailing ", "NULL", "null", "[]", "{}", "@j", "2024-13-45T00:00:00Z",
         "\u2028\ufeff", "<b>&</b>"]


def test_h13_text_cannot_break_out(made):
    shop = made(schema("order"), schema("o]rd'er", {"id": STRING, "no]'te": NULLABLE}))
    c = shop.craft
    keys = [t for t in NASTY if t.isascii() and t.strip() and t == t.rstrip() and t != "null"]
    shop.send(*(c.insert("order", {"id": t}) for t in keys),
              *(c.insert("o]rd'er", {"id": str(i), "no]'te": t}) for i, t in enumerate(NASTY)))
    assert set(shop.rows("order")) == set(keys)
    assert {int(k): r["no]'te"] for k, r in shop.rows("o]rd'er").items()} == dict(enumerate(NASTY))
    shop.send(*(c.delete("order", t) for t in keys))
    assert shop.rows("order") == {} and shop.refused() == []


def test_h14_delete_matches_the_right_key_part(made):
    shop = made()
    c = shop.craft
    shop.send(*(c.insert("order", {"id": i}) for i in ("1", "2", "gcp-us-west1")))
    shop.send(c.delete("order", ["gcp-us-west1", "1"]), c.delete("order", ["2"]))
    assert set(shop.rows("order")) == {"gcp-us-west1"}


def test_h15_text_that_looks_like_a_time_stays_as_it_is(made):
    shop = made()
    texts = ["2024-07-09T18:28:03.69708Z", "2024-13-45T00:00:00Z", "1965-01-02T03:04:05.678Z", "2024-07-09"]
    shop.send(*(shop.craft.insert("order", {"id": t, "note": t, "createdDate": t}) for t in texts))
    assert {k: (r["note"], r["createdDate"]) for k, r in shop.rows("order").items()} == {t: (t, t) for t in texts}


def test_h16_what_is_not_in_the_event_stays_in_the_row(made):
    shop = made()
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "note": "a"}))
    shop.run("ALTER TABLE [dbo].[order] ADD [own] NVARCHAR(20)", "UPDATE t SET t.[own] = N'mine' FROM [dbo].[order] AS t")
    shop.send(c.update("order", {"id": "1", "note": "b"}, ["note"]))
    assert (shop.rows("order")["1"]["note"], shop.rows("order")["1"]["own"]) == ("b", "mine")


def test_h17_texts_and_json_are_stored_as_they_came(made):
    shop = made()
    labels = {"a": 'b "c" \\', "größe": CAR, "n": Num("1.50")}
    shop.send(shop.craft.insert("order", {"id": "1", "note": "back\\slash\nand 'quotes' " + CAR, "labels": labels,
                                          "tags": ["x\ny"]}))
    row = shop.rows("order")["1"]
    assert row["note"] == "back\\slash\nand 'quotes' " + CAR
    assert json.loads(row["labels"], parse_float=Num) == labels and json.loads(row["tags"]) == ["x\ny"]


def test_h18_a_table_of_another_schema_is_not_ours(enrolled, server):
    server.engine.schemas.add("sales")
    server.engine.create("CREATE TABLE [sales].[order] ([id] BIGINT NOT NULL, [mine] BIT, PRIMARY KEY ([id]))")
    shop = Shop(enrolled, server, schema("order"))
    shop.start()
    shop.send(shop.craft.insert("order", {"id": "1", "note": "a"}))
    assert shop.rows("order", "dbo")["1"]["note"] == "a"
    assert shop.rows("order", "sales") == {}
    enrolled.stop_eds()
    server.engine.tables.pop(("sales", "order"))
    shop.start(server.url(schema="sales"))
    shop.send(shop.craft.insert("order", {"id": "2", "note": "b"}))
    assert set(shop.rows("order", "sales")) == {"2"} and set(shop.rows("order", "dbo")) == {"1"}


def test_h19_nothing_is_dropped(made):
    shop = made()
    shop.send(shop.craft.insert("order", {"id": "1"}))
    shop.lab.stop_eds()
    shop.run("CREATE TABLE [dbo].[other] ([id] BIGINT NOT NULL, PRIMARY KEY ([id]))",
             "ALTER TABLE [dbo].[order] ADD [own] BIT")
    shop.craft.set(schema("order", {"id": STRING, "fresh": NULLABLE}, version="v2"), schema("other"))
    shop.lab.start_eds()
    shop.send(shop.craft.insert("order", {"id": "2", "fresh": "x"}))
    assert set(shop.rows("order")) == {"1", "2"} and {"own", "note", "fresh"} <= set(shop.columns("order"))
    assert not any("DROP" in text for text in shop.server.texts())
    shop.send(shop.craft.insert("other", {"id": "3", "note": "in a table of somebody else"}))
    assert list(shop.rows("other")) == [3] and shop.columns("other")["id"] == ("BIGINT", ())


def test_h30_numbers_keep_every_digit(made):
    whole = ["9007199254740993", "-9223372036854775808", "9223372036854775807", "0", "-1", "1E+3", "12.0"]
    broken = ["1234567.89", "0.1", "1e-7", "123456789.123456", "-0.30", "1.7976931348623157e308", "12.50"]
    shop = made()
    c = shop.craft
    shop.send(*(c.insert("order", {"id": t, "totalCents": Num(t)}) for t in whole),
              *(c.insert("order", {"id": "p" + t, "percent": Num(t)}) for t in broken))
    rows = shop.rows("order")
    assert [rows[t]["totalCents"] for t in whole] == [int(float(t)) if "E" in t or "." in t else int(t) for t in whole]
    assert [rows["p" + t]["percent"] for t in broken] == [float(t) for t in broken]
    refused = (("totalCents", "9223372036854775808"), ("totalCents", "1.5"), ("percent", "3.14159265358979323846"))
    shop.together(*(c.insert("order", {"id": "x" + t, n: Num(t)}) for n, t in refused), c.insert("order", {"id": "fine"}))
    assert "fine" in shop.rows("order") and len(shop.rows("order")) == len(rows) + 1
    for (column, text), (table, reason) in zip(refused, shop.refused()):
        assert table == "order" and f'column "{column}" of table "order"' in reason and f'key ["x{text}"]' in reason
        assert text not in reason.replace(f"x{text}", "")


def test_h31_json_columns_hold_json_and_null_stays_null(made):
    columns = {"id": STRING, "any": OBJECT, "list": crafted.ARRAY, "must": {"type": "object"}, "all": {"type": "array"},
               "flag": BOOLEAN, "n": INTEGER}
    shop = made(schema("order", columns, required=("must", "all")))
    c = shop.craft
    values = {"t": True, "f": False, "n": Num("5"), "d": Num("12345678901234567890.50"), "s": 'a "text"', "e": "",
              "o": {"b": Num("1"), "a": [True, None]}}
    shop.send(*(c.insert("order", {"id": k, "any": v, "must": {}, "all": [], "flag": True}) for k, v in values.items()),
              c.insert("order", {"id": "null", "any": None, "list": None, "must": None, "all": None, "flag": None, "n": None}))
    rows = shop.rows("order")
    assert {k: rows[k]["any"] for k in values} == {
        "t": "true", "f": "false", "n": "5", "d": "12345678901234567890.50", "s": '"a \\"text\\""', "e": '""',
        "o": '{"b":1,"a":[true,null]}'}
    null = rows["null"]
    assert [null[n] for n in ("any", "list", "flag", "n", "must", "all")] == [None, None, None, None, "{}", "[]"]


def test_h35_special_identifiers_and_wide_tables(made):
    kinds = [NULLABLE, DATE, INTEGER, NUMBER, BOOLEAN, OBJECT, crafted.ARRAY]
    wide = {"id": STRING, **{f"column{i:03}": kinds[i % 7] for i in range(299)}}
    words = {n: NULLABLE for n in ("select", "GROUP", "order", "brack]et", "my-col", "x.y", "dollar$", "a b", "größe", "it's")}
    tables = ("SELECT", "Upper", "brack]et", "my-table", "größe")
    shop = made(schema("wide", wide), *(schema(t, {"id": STRING, **words}) for t in tables))
    c = shop.craft
    values = ["a text", "2026-01-02T03:04:05Z", Num("12"), Num("1.5"), True, {"a": Num("1")}, ["x"]]
    shop.send(c.insert("wide", {"id": "w", **{f"column{i:03}": values[i % 7] for i in range(299)}}),
              *(c.insert(t, {"id": "1", **dict.fromkeys(words, t)}) for t in tables))
    assert shop.refused() == []
    row = shop.rows("wide")["w"]
    assert len(row) == 300
    assert [row[f"column{i:03}"] for i in range(7)] == ["a text", "2026-01-02T03:04:05Z", 12, 1.5, 1, '{"a":1}', '["x"]']
    for table in tables:
        assert shop.rows(table) == {"1": {"id": "1", **dict.fromkeys(words, table)}}


def test_h36_a_row_is_never_taken_for_another(made):
    """The key's collation ignores case: one of them cannot be stored, and must not overwrite the other."""
    shop = made()
    c = shop.craft
    shop.send(c.insert("order", {"id": "a", "note": "small"}))
    shop.together(c.insert("order", {"id": "A", "note": "large"}), c.update("order", {"id": "b", "note": "b"}, ["note"]),
                  c.delete("order", "B"))
    assert {k: r["note"] for k, r in shop.rows("order").items()} == {"a": "small", "b": "b"}
    (table, reason), = shop.refused()
    assert table == "order" and 'key ["A"]' in reason and "PRIMARY KEY" in reason and "(A)" not in reason


def test_h69_a_partial_row_of_a_table_with_not_null(made):
    columns = {**crafted.EVERY, "number": STRING, "count": {"type": "integer"}, "made": {"type": "object"}}
    shop = made(schema("order", columns, required=("number", "count", "made")))
    c = shop.craft
    shop.send(c.insert("order", {"id": "1", "number": "1004", "count": Num("7"), "made": {"a": Num("1")}, "note": "a"}))
    shop.together(c.update("order", {"id": "1", "note": "b"}, ["note"]), c.update("order", {"id": "2", "note": "c"}, ["note"]))
    rows = shop.rows("order")
    assert [rows["1"][n] for n in ("number", "count", "made", "note")] == ["1004", 7, '{"a":1}', "b"]
    assert [rows["2"][n] for n in ("number", "count", "made", "note")] == ["", 0, "{}", "c"]
    assert shop.refused() == []


# ---- tables that others made

GO_TABLE = ("CREATE TABLE [order] ([id] VARCHAR(64) NOT NULL, [createdDate] NVARCHAR(MAX), [note] NVARCHAR(MAX), "
            "[percent] FLOAT, [paid] BIT, [labels] NVARCHAR(MAX), [status] VARCHAR(64), [totalCents] BIGINT, "
            "PRIMARY KEY ([id]))")


def test_a_table_of_the_go_server_goes_on_working(enrolled, server):
    server.engine.create(GO_TABLE)
    shop = Shop(enrolled, server, schema("order"))
    before = shop.columns("order")
    shop.start()
    c = shop.craft
    fine = {"id": "Köln-1", "note": "東京 " + CAR, "labels": {"ü": "東"}, "status": ["Invoice"]}
    shop.send(c.insert("order", fine))
    row = shop.rows("order")["Köln-1"]
    assert (row["note"], row["labels"], row["status"]) == ("東京 " + CAR, '{"ü":"東"}', '["Invoice"]')
    assert {n: k for n, k in shop.columns("order").items() if n in before} == before
    shop.together(c.insert("order", {"id": "東京"}), c.insert("order", {"id": "x", "status": ["y" * 64]}),
                  c.insert("order", {"id": "z", "status": ["東"]}), c.insert("order", {"id": "1"}))
    assert set(shop.rows("order")) == {"Köln-1", "1"}
    reasons = [reason for _, reason in shop.refused()]
    assert "code page" in reasons[0] and 'column "id" of table "order"' in reasons[0]
    assert "longer than the column" in reasons[1] and 'column "status"' in reasons[1] and "yyy" not in reasons[1]
    assert "code page" in reasons[2] and 'column "status"' in reasons[2]
    shop.send(c.delete("order", "Köln-1"))
    assert set(shop.rows("order")) == {"1"}


def test_columns_that_somebody_made_otherwise(enrolled, server):
    server.engine.create("CREATE TABLE [order] ([id] NVARCHAR(100) NOT NULL, [totalCents] INT, [percent] DECIMAL(9, 2), "
                         "[note] NVARCHAR(10), PRIMARY KEY ([id]))")
    shop = Shop(enrolled, server, schema("order"))
    shop.start()
    c = shop.craft
    shop.together(c.insert("order", {"id": "東" + CAR, "totalCents": Num("7"), "percent": Num("12.50"), "note": "x" * 10}),
                  c.insert("order", {"id": "1", "totalCents": Num("2147483648")}),
                  c.insert("order", {"id": "2", "percent": Num("0.001")}), c.insert("order", {"id": "3", "note": "x" * 11}))
    row, = shop.rows("order").values()
    assert (row["id"], row["totalCents"], str(row["percent"]), row["note"]) == ("東" + CAR, 7, "12.50", "x" * 10)
    assert len(shop.refused()) == 3 and "Arithmetic overflow" in shop.refused()[0][1]


def test_a_name_that_is_taken_by_a_view_is_told(enrolled, server):
    server.engine.views.add(("dbo", "order"))
    shop = Shop(enrolled, server, schema("order"))
    shop.start()
    shop.craft.send(shop.craft.insert("order", {"id": "1"}))
    enrolled.wait_state("shop", "failed")
    assert 'its view "order" has that name; rename it' in shop.why()


def test_a_column_dropped_by_somebody_comes_back(made):
    shop = made()
    shop.send(shop.craft.insert("order", {"id": "1", "note": "a"}))
    with shop.engine.lock:
        table = shop.engine.table("order")
        table.columns = [c for c in table.columns if c.name != "note"]
    shop.send(shop.craft.insert("order", {"id": "2", "note": "b"}))
    assert shop.rows("order")["2"]["note"] == "b" and shop.refused() == []
    assert any(c.startswith("207:") for c in shop.server.complaints)
    shop.server.complaints.clear()


def test_an_old_server_is_refused_by_name(enrolled):
    with TdsServer(engine=Engine(compatibility=120)) as server:
        shop = Shop(enrolled, server, schema("order"))
        shop.start(state="failed")
        assert "compatibility level 120; needed are SQL Server 2016 (13) and level 130" in shop.why()
