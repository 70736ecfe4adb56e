"""A data directory and a consumer that the Go server has left: events go on where it stopped, without an import."""
import json
import os
import sqlite3
import time
from contextlib import closing

import pytest

from tests.support.lab import SERVER_ID


def resp(*parts):
    parts = [p.encode() if isinstance(p, str) else p for p in parts]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


def leave_behind(lab, url, entries, cut=b""):
    """config.toml and eds-data.db as contract/encoding.md has them."""
    os.makedirs(lab.data_dir, mode=0o700)
    with open(os.path.join(lab.data_dir, "config.toml"), "w", encoding="utf-8") as f:
        f.write(f"keep_logs = false\nserver_id = '{SERVER_ID}'\ntoken = '{lab.hq.token(SERVER_ID)}'\n"
                f"update_strategy = ''\nurl = '{url}'\n")
    with open(os.path.join(lab.data_dir, "eds-data.db"), "wb") as f:
        f.write(b"".join(resp("set", k, v) for k, v in entries) + cut)


def mvcc(event):
    """Its time in whole nanoseconds."""
    return int(json.loads(event.payload)["mvccTimestamp"].split(".")[0])


def version_of(lab, table):
    return next(s["modelVersion"] for s in lab.hq.schemas.values() if s["table"] == table)


def test_events_go_on_where_the_go_server_stopped(lab):
    leave_behind(lab, lab.file_url(), [("registry:order:version", version_of(lab, "order"))])
    before = lab.publish(30)
    lab.js.create_consumer("eds-" + SERVER_ID, deliver_policy="all", max_ack_pending=25000)
    assert len(lab.js.pull("eds-" + SERVER_ID, 30)) == 30      # what it has delivered
    lab.wait_until(lambda: lab.js.settled("eds-" + SERVER_ID), "its acknowledgements")
    after = lab.publish(40)
    lab.start_eds()
    assert [d["name"] for d in lab.status()["destinations"]] == ["file"]
    lab.wait_delivered("file")
    assert lab.destination("file")["committed"] == len(after) and len(before) == 30
    assert "taken over from the Go server's eds-data.db for file: the versions of 1 tables" in lab.whole_log()
    assert ["order", version_of(lab, "order")] in lab.destination("file")["tables"]


def test_h74_what_its_import_held_is_passed_over(lab):
    events = lab.publish(200)
    middle = mvcc(events[100])
    whole, fraction = divmod(middle, 10**9)
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{fraction:09d}Z"
    times = [{"Table": t, "Timestamp": when} for t in sorted({e.table for e in events})]
    leave_behind(lab, lab.sqlite_url(), [("table-export", "null"), ("table-export", json.dumps(times))])
    lab.start_eds()     # its consumer has expired: a new one begins with the snapshot
    lab.wait_delivered("sqlite")
    newer = {(e.table, e.key) for e in events if mvcc(e) >= middle}
    older = {(e.table, e.key) for e in events} - newer
    assert older and newer
    with closing(sqlite3.connect(lab.sqlite_path())) as db:
        stored = set()
        for table, in db.execute("select name from sqlite_master where type = 'table'").fetchall():
            if table in lab.events.tables:
                stored |= {(table, key) for key, in db.execute(f'select id from "{table}"')}
    assert stored <= newer and not stored & older


@pytest.mark.parametrize("cut", [b"*3\r\n$3\r\nset\r\n$5\r\nab", b"nonsense, and more nonsense"])
def test_a_damaged_file_is_told_and_stops_nothing(lab, cut):
    leave_behind(lab, lab.file_url(), [("registry:order:version", version_of(lab, "order"))], cut)
    lab.start_eds()
    lab.publish(10)
    lab.wait_delivered("file")
    taken = "taken over from the Go server" in lab.whole_log()
    assert taken != ("what the Go server knew is not taken over" in lab.whole_log())
    assert taken == cut.startswith(b"*")


def test_it_is_taken_over_once(lab):
    leave_behind(lab, lab.file_url(), [("registry:order:version", "an-old-version")])
    lab.start_eds()
    lab.wait_running("file")
    assert lab.stop_eds() == 0
    lab.start_eds()
    lab.wait_running("file")
    assert lab.whole_log().count("taken over from the Go server") == 1
    assert os.path.exists(os.path.join(lab.data_dir, "eds-data.db")), "the way back stays open"
