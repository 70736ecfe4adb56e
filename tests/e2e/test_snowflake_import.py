"""Whole exports into Snowflake: staged as they are, loaded beside the live tables, put in place when all is there."""
import gzip
import json
import os

import pytest

from snowflake_shop import Shop, order
from tests.support.crafted import NULLABLE, STRING, schema
from tests.support.snowflake import Snowflake

JOB = "1720549683-ab12"
STAGE = "eds_import_" + JOB


@pytest.fixture
def make_shop(tmp_path):
    made = []

    def make(*schemas, **options):
        made.append(Importer(tmp_path / str(len(made)), *(schemas or (schema("order"), schema("order_item", {
            "id": STRING, "note": NULLABLE}))), **options))
        made[-1].start()
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def shop(make_shop):
    return make_shop()


class Importer(Shop):
    """A Shop with the steps of an import."""

    def begin(self, drive=None, result="stored", **options):
        drive = drive or self.drive
        tables = [f"{s['table']}/{s['modelVersion']}" for s in self.schemas]
        return drive.must(drive.ask("import_begin", job=JOB, tables=tables, **options), result)

    def file(self, table, name, rows, drive=None, result="stored"):
        path = os.path.join(self.folder, name)
        text = "".join(json.dumps(r) + "\n" for r in rows).encode()
        with open(path, "wb") as f:
            f.write(gzip.compress(text) if name.endswith(".gz") else text)
        drive = drive or self.drive
        drive.must(drive.ask("import_file", table=table, path=path), result)
        return drive.must(drive.ask("import_commit"))

    def end(self, drive=None, result="stored"):
        drive = drive or self.drive
        return drive.must(drive.ask("import_end"), result)

    def left(self):
        """Stages and tables of an import that are still there."""
        return [*self.peer.database.stages, *(t for t in self.peer.database.tables() if t.startswith("eds_"))]

    def with_live_rows(self):
        self.deliver(self.craft.insert("order", order("old", note="live")))


def files(shop, **more):
    shop.file(0, "202407110000-1-order-aa.ndjson.gz", [order("1", note="NULL", tags=[1, 2], labels={"a": None}, totalCents=5),
                                                       order("2", createdDate="2024-01-01T00:00:00.5Z")], **more)
    shop.file(0, "202407110000-1-order-bb.ndjson", [order("3", paid=True, percent=1.5)], **more)
    shop.file(1, "202407110000-1-order_item-aa.ndjson.gz", [{"id": "i1", "note": "x"}], **more)


@pytest.mark.parametrize("kind,encrypt", [("S3", 0), ("S3", 256), ("AZURE", 128), ("GCS", 0), ("GCS_PRESIGNED", 128), ("LOCAL_FS", 0)])
def test_an_import_takes_the_place_of_what_was_there(make_shop, kind, encrypt):
    shop = make_shop(kind=kind, encrypt=encrypt)
    shop.with_live_rows()
    shop.begin()
    files(shop)
    assert set(shop.rows()) == {"old"}, "the live table is as it was until the end"
    answer = shop.end()
    assert answer["versions"] == {"order": "v1", "order_item": "v1"}
    assert set(shop.rows()) == {"1", "2", "3"} and shop.row("i1", "order_item")["note"] == "x"
    one = shop.row("1")
    assert (one["note"], one["tags"], one["labels"], one["totalCents"]) == ("NULL", "[1,2]", '{"a":null}', 5)
    assert shop.row("2")["createdDate"] == "2024-01-01T00:00:00.5Z" and shop.row("3")["paid"] == 1
    assert shop.left() == [] and shop.peer.store.refused == []
    # and the stream goes on into the new table
    shop.deliver(shop.craft.update("order", order("1", note="streamed"), ["note"]))
    assert shop.row("1")["note"] == "streamed"


def test_h80_files_are_named_one_by_one(shop):
    """`order` and `order_item` share a part of their names: each gets its own files, and no pattern."""
    shop.begin()
    files(shop)
    shop.end()
    copies = [s["sql"] for s in shop.peer.statements if s["sql"].startswith("COPY")]
    assert len(copies) == 2 and all("PATTERN" not in c for c in copies)
    assert "FILES = ('202407110000-1-order-aa.ndjson.gz', '202407110000-1-order-bb.ndjson')" in copies[0]
    assert "FILES = ('202407110000-1-order_item-aa.ndjson.gz')" in copies[1]
    assert set(shop.rows("order_item")) == {"i1"}


def test_h28_the_stage_of_a_job_with_dashes_is_quoted(shop):
    shop.begin()
    files(shop)
    shop.end()
    stages = [s["sql"] for s in shop.peer.statements if "STAGE" in s["sql"]]
    assert stages and all(f'"{STAGE}"' in s for s in stages)


def test_h23_keep_adds_to_what_is_there(shop):
    shop.with_live_rows()
    shop.deliver(shop.craft.insert("order", order("1", note="before", paid=True)))
    shop.begin(keep=True)
    files(shop)
    shop.end()
    assert set(shop.rows()) == {"old", "1", "2", "3"}
    assert shop.row("1")["note"] == "NULL" and shop.row("old")["note"] == "live"
    assert set(shop.rows("order_item")) == {"i1"} and shop.left() == []


def test_keep_widens_the_live_table(make_shop):
    shop = make_shop(schema("order", {"id": STRING, "note": NULLABLE, "extra": NULLABLE}))
    shop.peer.database.run('CREATE TABLE "order" ("id" STRING NOT NULL, "note" STRING, PRIMARY KEY ("id"))')
    shop.begin(keep=True)
    shop.file(0, "a-order.ndjson.gz", [{"id": "1", "note": "n", "extra": "e"}])
    shop.end()
    assert shop.row("1") == {"id": "1", "note": "n", "extra": "e"}


def test_h23_a_file_that_cannot_be_loaded_leaves_the_live_tables_alone(shop):
    shop.with_live_rows()
    shop.begin()
    files(shop)
    shop.file(1, "z-order_item-zz.ndjson.gz", [{"id": None}])
    answer = shop.end(result="config")
    assert "a column that must not be empty" in answer["error"]
    assert set(shop.rows()) == {"old"}, "nothing changed places, for all is loaded first"
    shop.drive.must(shop.drive.ask("import_abort"))
    assert shop.left() == [] and set(shop.rows()) == {"old"}
    shop.deliver(shop.craft.insert("order", order("9")))
    assert set(shop.rows()) == {"old", "9"}


def test_an_abort_removes_stage_and_tables(shop):
    shop.with_live_rows()
    shop.begin()
    files(shop)
    assert STAGE in shop.left()
    shop.drive.must(shop.drive.ask("import_abort"))
    assert shop.left() == [] and set(shop.rows()) == {"old"}


def test_a_resumed_import_goes_on_with_what_is_there(shop):
    shop.begin()
    shop.file(0, "a-order.ndjson.gz", [order("1"), order("2")])
    again = shop.another()
    shop.start(again)
    shop.begin(again, resumed=True)
    shop.file(0, "b-order.ndjson.gz", [order("3")], drive=again)
    shop.file(0, "a-order.ndjson.gz", [order("1"), order("2")], drive=again)     # once more: it is the same file
    shop.end(again)
    assert set(shop.rows()) == {"1", "2", "3"} and shop.left() == []


@pytest.mark.parametrize("statement", ["COPY INTO", "SWAP WITH", "DROP TABLE IF EXISTS", "DROP STAGE", "LIST"])
@pytest.mark.parametrize("action", ["000603", "cut-after"])
def test_a_second_end_after_a_failure_changes_nothing_back(shop, statement, action):
    """The end fails at that statement, executed or not; the worker dies; another one ends the import."""
    shop.with_live_rows()
    shop.begin()
    files(shop)
    if action == "cut-after":
        shop.peer.fail("query-request", 400, skip=1, matching=statement)
    shop.peer.fail("query-request", action, matching=statement)
    assert shop.drive.ask("import_end")["result"] == "retry"
    again = shop.another()
    shop.start(again)
    shop.begin(again, resumed=True, ending=True)
    shop.end(again)
    assert set(shop.rows()) == {"1", "2", "3"} and set(shop.rows("order_item")) == {"i1"} and shop.left() == []


def test_an_end_that_succeeded_unheard_may_come_again(shop):
    shop.begin()
    files(shop)
    shop.end()
    shop.begin(resumed=True, ending=True)
    shop.end()
    assert set(shop.rows()) == {"1", "2", "3"} and shop.left() == []


def test_without_files_empty_tables_become_live(shop):
    shop.with_live_rows()
    shop.begin()
    shop.end()
    assert shop.rows() == {} and shop.rows("order_item") == {} and shop.left() == []


def test_without_files_keep_makes_what_is_missing(shop):
    shop.with_live_rows()
    shop.begin(keep=True)
    shop.end()
    assert set(shop.rows()) == {"old"} and shop.rows("order_item") == {}


def test_many_files_are_loaded_in_several_statements(make_shop):
    shop = make_shop(schema("order", {"id": STRING}))
    shop.begin()
    folder = shop.peer.database.stages[STAGE] + "/order"
    os.makedirs(folder)
    for n in range(1500):
        with open(f"{folder}/f{n:04}.ndjson", "w", encoding="utf-8") as f:
            f.write(f'{{"id":"{n}"}}\n')
    shop.end()
    assert len(shop.rows()) == 1500
    assert len([s for s in shop.peer.statements if s["sql"].startswith("COPY")]) == 2


def test_expired_credentials_and_a_lost_session_do_not_stop_an_upload(shop):
    shop.begin()
    shop.peer.store.faults = [503, 400]
    files(shop)
    shop.peer.end_sessions()
    assert shop.drive.ask("import_file", table=0, path=os.path.join(shop.folder, "202407110000-1-order-bb.ndjson"))["result"] == "retry"
    files(shop)
    shop.end()
    assert set(shop.rows()) == {"1", "2", "3"} and shop.left() == []


def test_the_whole_server_imports_into_it(make_lab, tmp_path):
    lab = make_lab(tables=["customer", "labor_rate", "order", "user"], row_limit=400)
    lab.enroll()
    lab.events.batch(1200)
    with Snowflake(str(tmp_path / "peer")) as peer:
        lab.start_eds({"warehouse": peer.url()})
        lab.publish(300)
        lab.wait_delivered()
        done = lab.edsctl("import", "warehouse")
        assert done.returncode == 0, done.stderr
        last = lab.wait_until(lambda: not (d := lab.destination("warehouse")).get("import") and d.get("last_import") or None,
                              "the import to end", 40)
        assert (last["state"], last["tables"]) == ("done", 4), last
        lab.publish(300)
        lab.wait_delivered()
        lab.oracle.replace(lab.events.snapshot()[1])
        assert peer.database.differences(lab.oracle) == []
        assert peer.database.stages.keys() <= {s for s in peer.database.stages if s.startswith("eds_batch_")}
        assert not [t for t in peer.database.tables() if t.startswith("eds_")]
        lab.stop_eds()
        assert peer.violations == []
