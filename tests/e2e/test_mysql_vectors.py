"""MySQL: the golden vectors, where they define things, and imports from end to end."""
import json
import os
import re

import pytest

from tests.e2e.helpers import Load
from tests.e2e.mysql_shop import Shop
from tests.support.crafted import NULLABLE, OBJECT, STRING, schema
from tests.support.gojson import Num
from tests.support.oracle import same_values
from tests.support.natsd import ROOT



def vectors(name):
    with open(os.path.join(ROOT, "tests/vectors", name + ".json"), encoding="utf-8") as f:
        return json.load(f, parse_int=Num, parse_float=Num)


@pytest.fixture
def made(enrolled, mariadb):
    def make(*schemas, **query):
        shop = Shop(enrolled, mariadb, *schemas)
        shop.start(shop.url(**query))
        return shop
    return make


def test_types_classic_are_those_of_the_golden_ddl(made):
    """A key's type too, but that of JSON, which no server takes as a key."""
    types = vectors("ddl")["types"]
    columns = {f"c{i:02}": t["property"] for i, t in enumerate(types)}
    wanted = {f"c{i:02}": t["mysql"] for i, t in enumerate(types)}
    keys = [name for name, w in wanted.items() if w["primaryKey"] not in ("JSON", "TEXT", "FLOAT")]
    keyed = [schema(f"key_{name}", {name: columns[name]}, keys=(name,)) for name in keys]
    shop = made(schema("plain", {"id": STRING, **columns}), *keyed, types="classic")
    c = shop.craft
    shop.send(c.insert("plain", {"id": "1"}), *(c.insert(f"key_{n}", {n: Num("1")}, key=["1"]) for n in keys))
    spelled = shop.server.type_spelled
    assert shop.columns("plain") == {"id": "varchar(64)", **{n: spelled(w["column"]) for n, w in wanted.items()}}
    for name in keys:
        assert shop.columns(f"key_{name}") == {name: spelled(wanted[name]["primaryKey"])}


@pytest.mark.parametrize("bulk", ["auto", "off"])
def test_the_golden_values_come_back_as_they_were(made, bulk):
    """tests/vectors/quoting.json: as text where they are text, and each as JSON."""
    texts = list(vectors("quoting")["values"])
    shop = made(schema("order", {"id": STRING, "note": NULLABLE, "any": OBJECT}), bulk=bulk)
    c = shop.craft
    values = [json.loads(t, parse_int=Num, parse_float=Num) for t in texts]
    shop.send(*(c.insert("order", {"id": str(i), "any": v, **({"note": v} if isinstance(v, str) else {})})
                for i, v in enumerate(values)))
    rows = shop.rows("order")
    assert shop.refused() == [] and len(rows) == len(values)
    for i, value in enumerate(values):
        stored = rows[str(i)]
        if isinstance(value, str):
            assert stored["note"] == value
        if value is None:
            assert stored["any"] is None
        else:
            assert same_values(value, stored["any"])


@pytest.mark.parametrize("bulk", ["auto", "off"])
def test_the_golden_events_do_what_the_hazards_say_is_right(made, bulk):
    data = vectors("dml")
    shop = made({**data["schema"], "modelVersion": "v1"}, bulk=bulk)
    c, properties = shop.craft, data["schema"]["properties"]
    first = next(case for case in data["cases"] if case["name"] == "insert_full")["event"]["after"]
    for case in data["cases"]:
        event, key = case.get("event"), case["name"]
        if not event:
            continue
        shop.send(c.insert("order", {**first, "id": key}))
        if event["operation"] == "DELETE":
            shop.send(c.delete("order", [*event["key"][:-1], key]))
            assert key not in shop.rows("order")
            continue
        after = {**event["after"], "id": key}
        shop.send(c.event(event["operation"], "order", [key], after=after, diff=event.get("diff")))
        if any(after.get(n) is None and n in after for n in ("paid", "totalCents")):
            assert "NOT NULL" in shop.refused()[-1][1]
            continue
        check(shop.rows("order")[key], after, {**first, "id": key}, properties, key)


def check(row, after, before, properties, name):
    for column, prop in properties.items():
        value = after.get(column, before.get(column)) if column not in after else after[column]
        stored = row[column]
        if prop.get("format") == "date-time" and value is not None:
            assert stored[:19] == value[:19].replace("T", " "), (name, column)
            assert stored[20:].rstrip("0") == re.sub(r"^.*?(\.|Z)|Z", "", value)[:6].rstrip("0"), (name, column)
        elif prop["type"] == "object" or (prop["type"] == "array" and "enum" not in prop.get("items", {})):
            if value is None and not prop.get("nullable"):
                value = {} if prop["type"] == "object" else []
            assert stored == value or same_values(value, stored), (name, column)
        elif column in after:
            assert stored == value or float(stored) == float(value), (name, column)


def test_an_import_under_load_and_the_changes_behind_it_give_the_model(make_lab, mariadb):
    lab = make_lab(tables=["customer", "labor_rate", "order", "user"], row_limit=400)
    lab.enroll()
    lab.events.batch(800)
    shop = Shop(lab, mariadb)
    shop.start()
    with Load(lab) as load:
        lab.wait_until(lambda: load.count > 200, "changes to flow")
        done = lab.edsctl("import", "shop")
        assert done.returncode == 0, done.stderr
        last = lab.wait_until(lambda: not lab.destination("shop").get("import") and lab.destination("shop").get("last_import"),
                              "the import to end", 40)
        at_end = load.count
        lab.wait_until(lambda: load.count > at_end + 200, "changes behind the import")
    assert last["state"] == "done" and last["rejected"] == 0
    lab.wait_delivered()
    lab.oracle.replace(lab.events.snapshot()[1])
    assert shop.differences() == []
    assert not [t for t in shop.server.tables(shop.database) if t.startswith("_eds_")]
