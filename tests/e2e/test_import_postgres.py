"""Imports into PostgreSQL, whose rows go by COPY into tables without a key: what stands there, and what does not."""
import json
import os
import signal

import pytest

from helpers import quick
from tests.support import postgresd, proc
from tests.support.lab import descendants

NAME = "shop"
TABLES = ["customer", "order", "user"]


@pytest.fixture
def shop(postgres_server, make_lab):
    """(laboratory, server): rows from before the shop was enrolled, and an empty database `shop`."""
    postgres_server.create("shop")
    lab = make_lab(tables=TABLES, row_limit=400)
    lab.enroll()
    lab.events.batch(1200)
    return lab, postgres_server


def start(lab, server, **options):
    lab.start_eds({NAME: quick(server.url("shop"), hang_timeout="60s", **options)})
    assert lab.edsctl("import", NAME).returncode == 0


def ended(lab):
    last = lab.wait_until(lambda: not (d := lab.destination(NAME)).get("import") and d.get("last_import") or None,
                          "the import to end", 60)
    assert last["state"] == "done", last
    return last


def differences(lab, server):
    lab.oracle.replace(lab.events.snapshot()[1])
    link = server.connect("shop")
    try:
        return postgresd.differences(lab.oracle, link)
    finally:
        link.close()


def left_behind(server):
    return server.run("SELECT relname FROM pg_class WHERE starts_with(relname, '_eds_')", database="shop")


def test_an_import_and_the_changes_behind_it_give_the_model(shop):
    lab, server = shop
    start(lab, server)
    ended(lab)
    lab.publish(300)
    lab.wait_delivered()
    assert differences(lab, server) == [] and left_behind(server) == []
    assert server.run("SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid IN ('order'::regclass, 'user'::regclass, "
                      "'customer'::regclass)", database="shop") == [(3,)]


def test_rows_of_an_export_that_has_them_twice_stand_there_once(shop):
    lab, server = shop
    time_ns, rows = lab.events.snapshot()
    lab.hq.exports.rows_per_file = 50
    lab.hq.exports.snapshot = lambda: (time_ns, {t: images + images[:70] for t, images in rows.items()})
    start(lab, server)
    ended(lab)
    assert differences(lab, server) == [] and left_behind(server) == []


def hold(link):
    """Locks the tables of the import, once they are there, so that the next COPY waits."""
    with link.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND starts_with(relname, '_eds_import_')")
        names = [f'"{name}"' for name, in cursor.fetchall()]
        if names:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE " + ", ".join(names))
    return names


def test_a_worker_killed_within_a_file_leaves_no_row_twice_and_none_out(shop):
    lab, server = shop
    lab.hq.exports.rows_per_file = 10
    link = server.connect("shop")
    try:
        start(lab, server)
        proc.wait_until(lambda: hold(link), "the tables of the import", every=0.002)
        proc.wait_until(lambda: server.run("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%COPY%' AND wait_event_type = 'Lock'"),
                        "a COPY that waits")
        os.kill(max(descendants(lab.eds.pid)), signal.SIGKILL)
        with link.cursor() as cursor:
            cursor.execute("ROLLBACK")
    finally:
        link.close()
    ended(lab)
    assert "the import goes on with another worker" in lab.whole_log()
    assert differences(lab, server) == [] and left_behind(server) == []


def test_refused_rows_are_all_counted_in_whatever_order_they_are_found(shop):
    """Columns are made one after the other, so that of two bad rows the later one may be found first."""
    lab, server = shop
    time_ns, rows = lab.events.snapshot()
    good = [json.loads(r) for r in rows["order"][:5]]
    bad = [{**good[0], "id": "late-column", "mileageOut": 0.12345678901234567890123},
           {**good[1], "id": "early-column", "deferredServiceCount": 10**30}]
    lines = [json.dumps(good[2]).encode(), json.dumps(bad[0]).replace("0.12345678901234568", "0.12345678901234567890123").encode(),
             json.dumps(bad[1]).encode(), b"no row", json.dumps(good[3]).encode(),
             json.dumps({**good[4], "id": "odd-json", "meta": {"k": "\ud800"}}).encode()]
    lab.hq.exports.snapshot = lambda: (time_ns, {**rows, "order": lines})
    start(lab, server)
    assert ended(lab)["rejected"] == 4
    with open(os.path.join(lab.data_dir, f"import-rejected-{NAME}.ndjson"), encoding="utf-8") as f:
        kept = {entry["row"]: entry["reason"] for entry in map(json.loads, f)}
    assert sorted(kept) == [2, 3, 4, 6]
    assert '"mileageOut"' in kept[2] and '"deferredServiceCount"' in kept[3] and '"meta"' in kept[6]
    assert server.run('SELECT count(*) FROM "order"', database="shop") == [(2,)]
