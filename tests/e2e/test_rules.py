"""The schema validator: what the rules hold back is not delivered, counted and said; S3 keeps the rest where they say."""
import json
import os
import re

import pytest

from tests.e2e.helpers import Fault, quick
from tests.support.s3peer import S3Peer
from tests.support.snowflake import Snowflake

TABLES = ["order", "customer", "user"]


@pytest.fixture
def shop(make_lab):
    lab = make_lab(tables=TABLES, row_limit=200)
    lab.enroll()
    return lab


def write_rules(lab, config, **schemas):
    folder = os.path.join(lab.dir, "rules")
    os.makedirs(folder, exist_ok=True)
    for name, content in {"config": config, **schemas}.items():
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
            f.write(content if isinstance(content, str) else json.dumps(content))
    return folder


# inserts and updates of orders, everything of customers, nothing of users
ORDERS = {"properties": {"operation": {"$ref": "names.json#/$defs/changes"}, "key": {"minItems": 1, "items": {"type": "string"}}},
          "required": ["after", "timestamp"], "not": {"required": ["imported"]}}
NAMES = {"$schema": "http://json-schema.org/draft-07/schema#", "$defs": {"changes": {"enum": ["INSERT", "UPDATE"]}}}
CONFIG = {"order": {"schema": "orders.json", "path": "{{.table}}/{{.operation}}/{{.mvccTimestamp}}_{{.id}}.json"},
          "customer": {"schema": "all.json"}}


def usual_rules(lab):
    return write_rules(lab, CONFIG, orders=ORDERS, names=NAMES, all=True)


def verdict(event):
    if event.table == "user":
        return "no_rule"
    return "unfit" if event.table == "order" and event.operation == "DELETE" else "fits"


def count(events, what):
    return sum(verdict(e) == what for e in events)


def test_what_does_not_fit_is_held_back_counted_and_said(shop):
    lab = shop
    fault = Fault(lab)
    lab.start_eds({"fault": quick(fault.url)}, args=["--schema-validator", usual_rules(lab)])
    lab.wait_running()
    events = lab.publish(600)
    lab.wait_delivered()
    assert min(count(events, v) for v in ("fits", "unfit", "no_rule")) > 20, "these events were to be of all kinds"
    fault_differences = fault.differences([e for e in events if verdict(e) == "fits"])
    assert fault_differences == []
    d = lab.destination("fault")
    assert (d["committed"], d["no_rule"], d["unfit"], d["unchecked"]) == (
        count(events, "fits"), count(events, "no_rule"), count(events, "unfit"), 0)
    assert d["quarantined"] == 0 and d["cursor"] >= len(events)
    # people
    why = lab.edsctl("why", "fault").stdout
    said = " ".join(why.split())
    assert f"{d['no_rule']} events whose table has no rule, {d['unfit']} that do not fit theirs, 0 that could not be checked" in said, why
    assert f"{d['no_rule']} of tables without a rule" in " ".join(lab.edsctl("status").stdout.split())
    metrics = lab.get("/metrics")[1]
    assert f'eds_destination_unfit_events_total{{destination="fault"}} {d["unfit"]}' in metrics
    assert f'eds_destination_no_rule_events_total{{destination="fault"}} {d["no_rule"]}' in metrics
    # once for each table and reason, with the sequence and without anything of the row
    log = lab.whole_log()
    lines = re.findall(r"event \d+ of table (\w+) is not delivered.*", log)
    assert sorted(lines) == ["order", "user"], lines
    line = next(line for line in log.splitlines() if "of table order is not delivered" in line)
    assert "does not fit its schema (" in line and ".json#/" in line
    assert not any(e.key in line for e in events)


def test_what_cannot_be_checked_is_held_back_and_the_worker_lives_on(shop):
    """Patterns and references without end, each of which would keep a worker busy for ever."""
    lab = shop
    folder = write_rules(lab, {"order": {"schema": "loop.json"}, "customer": {"schema": "slow.json"}, "user": {"schema": "fine.json"}},
                         loop={"not": {"anyOf": [False, {"$ref": "#"}]}}, fine=True,
                         slow={"properties": {"id": {"pattern": "^(([0-9a-f]|[0-9a-f-])+)+[^0-9a-f-]$"}}})
    lab.start_eds({"shop": quick(lab.sqlite_url())}, args=["--schema-validator", folder])
    lab.wait_running()
    events = lab.publish(60)
    lab.wait_delivered()
    users = sum(e.table == "user" for e in events)
    d = lab.destination("shop")
    assert users > 0 and (d["committed"], d["unchecked"], d["restarts"]) == (users, len(events) - users, 0)
    log = lab.whole_log()
    assert "could not be checked (it goes too deep, or refers to itself without end, at loop.json#" in log
    assert "could not be checked (a pattern takes too long, at slow.json#/properties/id/pattern)" in log
    assert "that cannot be checked" in " ".join(lab.edsctl("status").stdout.split())


def test_s3_keeps_events_where_the_rule_says(shop):
    lab = shop
    with S3Peer() as peer:
        lab.write_conf({"s3": quick(peer.url("shop/pre/fix"))})
        lab.start_eds(args=["--schema-validator", usual_rules(lab)])
        lab.wait_running()
        events = lab.publish(400)
        lab.wait_delivered()
        usual = lab.oracle.expected_files("")
        expected = set()
        for e in events:
            if verdict(e) == "fits":
                stamp = json.loads(e.payload)["mvccTimestamp"]
                expected.add(f"pre/fix/order/{e.operation}/{stamp}_{e.id}.json" if e.table == "order"
                             else f"pre/fix/customer/{e.timestamp // 1000}-{e.key}.json")
        found = peer.objects()
        assert set(found) == expected
        for key, body in found.items():
            if "/customer/" in key:
                assert body == usual[key[len("pre/fix/"):]], "what is stored does not change"


def test_events_of_one_path_are_stored_in_their_order(shop):
    lab = shop
    with S3Peer() as peer:
        folder = write_rules(lab, {t: {"schema": "all.json", "path": "newest/{{.table}}"} for t in TABLES}, all=True)
        lab.start_eds({"s3": quick(peer.url())}, args=["--schema-validator", folder])
        lab.wait_running()
        events = lab.publish(300)
        lab.wait_delivered()
        newest = {f"newest/{e.table}": e.id for e in events}
        assert {key: json.loads(body)["id"] for key, body in peer.objects().items()} == newest
        assert not peer.overlaps


def test_rules_of_eds_conf_are_read_anew_with_a_reload(shop):
    lab = shop
    folder = write_rules(lab, {"order": {"schema": "all.json"}}, all=True)
    plain = f"[destination shop]\nurl = {lab.sqlite_url()}\nmin_latency = 0\n"
    lab.write_conf(f"[server]\nschema_validator = {folder}\n{plain}")
    lab.start_eds()
    lab.wait_running()
    pid = lab.worker_pid("shop")
    events = lab.publish(200)
    done = len(events)
    lab.wait_delivered()
    orders = sum(e.table == "order" for e in events)
    assert lab.destination("shop")["committed"] == orders and lab.destination("shop")["no_rule"] == done - orders
    # nothing changed: nobody is disturbed
    assert lab.edsctl("reload").returncode == 0
    assert lab.worker_pid("shop") == pid
    # a mistake is told, and what ran goes on
    write_rules(lab, {"order": {"schema": "all.json", "path": "{{- .id}}"}})
    refused = lab.edsctl("reload")
    assert refused.returncode == 1 and 'config.json: table "order": path: {{- .id}}' in " ".join((refused.stdout + refused.stderr).split())
    assert lab.worker_pid("shop") == pid
    # a better one is in force, for all workers
    write_rules(lab, {"user": {"schema": "all.json"}})
    done_reload = lab.edsctl("reload")
    assert done_reload.returncode == 0 and "rules" in done_reload.stdout
    lab.wait_until(lambda: lab.worker_pid("shop") not in (0, pid), "another worker")
    lab.wait_running()
    more = lab.publish(100)
    lab.wait_delivered()
    assert lab.destination("shop")["committed"] == orders + sum(e.table == "user" for e in more)
    # and none at all
    lab.write_conf(plain)
    assert "not held against rules any more" in " ".join(lab.edsctl("reload").stdout.split())
    lab.wait_running()
    last = lab.publish(50)
    lab.wait_delivered()
    assert lab.destination("shop")["committed"] == orders + sum(e.table == "user" for e in more) + len(last)


@pytest.mark.parametrize("config, schemas, said", [
    (None, {}, "there is no config.json in it; write one"),
    ("{", {}, "config.json: not JSON"),
    ({"order": {"schema": "order.json"}}, {"order": {"$ref": "https://example.com/x"}}, "nothing is fetched"),
    ({"order": {"schema": "order.json"}}, {"order": {"pattern": "("}}, "order.json#/pattern: bad pattern"),
    ({"order": {"schema": "order.json"}}, {"order": {"$schema": "https://example.com/own"}}, "order.json#/$schema: must be"),
    ({"order": {"schema": "order.json", "path": "{{if .id}}{{end}}"}}, {"order": True}, "{{if .id}} is not supported"),
], ids=["no config", "no JSON", "remote reference", "bad pattern", "unknown draft", "unknown action"])
def test_with_a_bad_folder_nothing_is_started(shop, config, schemas, said):
    lab = shop
    folder = write_rules(lab, config, **schemas)
    if config is None:
        os.unlink(os.path.join(folder, "config.json"))
    lab.write_conf({"shop": quick(lab.sqlite_url())})
    done = lab.run(*("eds", *lab.server_arguments()), "--schema-validator", folder)
    assert done.returncode == 3 and said in done.stdout + done.stderr, done.stdout + done.stderr
    assert not os.path.exists(lab.sqlite_path())


# ---- imports

def import_arguments(lab, url, *args):
    return ["import", "--url", url, "--data-dir", lab.data_dir, "--api-url", lab.hq.url, "--no-confirm", *args]


def test_an_import_leaves_out_rows_that_do_not_fit(shop):
    lab = shop
    lab.events.batch(400)
    folder = write_rules(lab, {"order": {"schema": "order.json"}, "customer": {"schema": "all.json"}}, all=True,
                         order={"properties": {"after": {"properties": {"id": {"pattern": "[0-7]$"}}}}})
    done = lab.run("eds", *import_arguments(lab, lab.sqlite_url(), "--schema-validator", folder))
    assert done.returncode == 0, done.stdout
    rows = lab.events.snapshot()[1]
    kept = [row for row in rows["order"] if re.search("[0-7]$", json.loads(row)["id"])]
    assert 0 < len(kept) < len(rows["order"])
    lab.oracle.replace({"order": kept, "customer": rows["customer"], "user": []})
    assert lab.oracle.compare_sqlite(lab.sqlite_path()) == []
    total = sum(len(r) for r in rows.values())
    held = total - len(kept) - len(rows["customer"])
    assert f"imported {len(kept) + len(rows['customer'])} records" in done.stdout
    assert f"{held} rows were held back by the rules of schema_validator" in done.stdout
    assert "of table user is not delivered" in done.stdout


def test_a_row_that_cannot_be_checked_makes_an_import_fail(shop):
    lab = shop
    lab.events.batch(100)
    folder = write_rules(lab, {t: {"schema": "loop.json"} for t in TABLES}, loop={"$ref": "#"})
    done = lab.run("eds", *import_arguments(lab, lab.sqlite_url(), "--schema-validator", folder))
    assert done.returncode == 1, done.stdout
    assert "cannot be checked against the rules: it goes too deep, or refers to itself without end" in done.stdout


def test_h49_an_import_into_a_running_server_goes_by_its_rules(shop):
    lab = shop
    folder = write_rules(lab, {"customer": {"schema": "all.json"}}, all=True)
    lab.start_eds({"shop": quick(lab.sqlite_url())}, args=["--schema-validator", folder])
    lab.wait_running()
    lab.publish(200)
    lab.wait_delivered()
    assert lab.edsctl("import", "shop").returncode == 0
    lab.wait_until(lambda: lab.destination("shop").get("last_import") and not lab.destination("shop").get("import"), "the import to end")
    last = lab.destination("shop")["last_import"]
    rows = lab.events.snapshot()[1]
    assert (last["state"], last["rows"]) == ("done", len(rows["customer"]))
    assert last["skipped"] == len(rows["order"]) + len(rows["user"])
    lab.oracle.replace({"order": [], "customer": rows["customer"], "user": []})
    assert lab.oracle.compare_sqlite(lab.sqlite_path()) == []
    # rules named beside the server are those of the server, or nothing happens
    other = os.path.join(lab.dir, "others")
    os.makedirs(other)
    with open(os.path.join(other, "config.json"), "w", encoding="utf-8") as f:
        f.write("{}")
    done = lab.run("eds", *import_arguments(lab, lab.sqlite_url(), "--schema-validator", other))
    assert done.returncode == 1 and "the running server goes by" in done.stdout, done.stdout
    done = lab.run("eds", *import_arguments(lab, lab.sqlite_url(), "--schema-validator", folder))
    assert done.returncode == 0, done.stdout


def test_imported_objects_lie_where_the_rule_says(shop):
    lab = shop
    lab.events.batch(100)
    folder = write_rules(lab, {t: {"schema": "all.json", "path": "{{.table}}/at/{{.after.id}}", "plain": True} for t in TABLES}, all=True)
    with S3Peer() as peer:
        done = lab.run("eds", *import_arguments(lab, peer.url(), "--schema-validator", folder))
        assert done.returncode == 0, done.stdout
        rows = lab.events.snapshot()[1]
        assert set(peer.objects()) == {f"{t}/at/{json.loads(row)['id']}" for t in TABLES for row in rows[t]}


def test_snowflake_reads_an_import_itself_and_the_log_says_that_no_rules_apply(shop, tmp_path):
    lab = shop
    lab.events.batch(100)
    folder = write_rules(lab, {"order": {"schema": "all.json"}}, all=False)
    with Snowflake(str(tmp_path / "peer")) as peer:
        done = lab.run("eds", *import_arguments(lab, peer.url(), "--schema-validator", folder), timeout=60)
        assert done.returncode == 0, done.stdout
        assert "the rules of schema_validator are not applied to it" in done.stdout
        lab.oracle.replace(lab.events.snapshot()[1])
        assert peer.database.differences(lab.oracle) == []
