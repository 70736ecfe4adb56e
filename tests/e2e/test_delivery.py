"""What was published is what arrives: everything, exactly, in order, and only where it belongs."""
import os

import pytest

from helpers import Fault, Load, quick
from tests.support.events import COMPANY, EventStream
from tests.support.oracle import Oracle

OTHER = "6287a4154d1a72cc5ce091cc"


def test_every_change_of_every_table_arrives_exactly(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url(), "shop": lab.sqlite_url()})
    lab.wait_running()
    events = lab.publish_events(lab.events.every_kind()) + lab.publish(3000)
    assert len({e.table for e in events}) == 58
    assert len({(e.table, e.operation) for e in events}) == 58 * 3
    lab.wait_delivered()
    assert lab.differences() == []
    for d in lab.status()["destinations"]:
        assert (d["committed"], d["quarantined"], d["cursor"]) == (len(events), 0, lab.js.last_seq())
    info = lab.js.consumer_info(lab.consumer)
    assert info["ack_floor"]["stream_seq"] == lab.js.last_seq() and info["num_redelivered"] == 0


def test_the_consumer_is_the_one_that_the_earlier_server_made(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    config = lab.js.consumer_info(lab.consumer)["config"]
    assert config["durable_name"] == lab.consumer
    assert config["ack_policy"] == "explicit" and config["deliver_policy"] == "new"
    # a server before 2.10 knows the singular only
    filters = config.get("filter_subjects") or [config["filter_subject"]]
    assert filters == [f"dbchange.*.*.{COMPANY}.*.PUBLIC.>"]
    assert config["max_ack_pending"] == 25000


def test_events_that_came_while_it_was_away_arrive_after_the_start(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url(), "shop": lab.sqlite_url()})
    lab.publish(200)
    lab.wait_delivered()
    assert lab.stop_eds() == 0
    lab.publish(1000)
    lab.start_eds()
    lab.wait_delivered()
    assert lab.differences() == []
    assert lab.status()["upstream"]["received"] == 1000, "what was delivered before does not come again"


def test_a_new_shop_gets_what_comes_from_now_on(enrolled):
    lab = enrolled
    lab.admin.publish_many(e.message for e in lab.events.batch(100))
    lab.start_eds({"files": lab.file_url()})
    lab.wait_running()
    fresh = EventStream(lab.hq.schemas, seed=7)
    lab.publish_events(fresh.batch(100))
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


def test_order_is_that_of_the_stream(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    lab.start_eds({"fault": quick(fault.url), "slow": quick(Fault(lab, "slow").url, batch_events=7)})
    lab.wait_running()
    events = lab.publish(2000)
    lab.wait_delivered()
    assert fault.stored() == [e.id for e in events]
    assert Fault(lab, "slow").stored() == [e.id for e in events]


def routes_of(lab, company):
    """{destination: (options, what is routed there)}"""
    tables = lab.events.tables
    return {
        "all": ({}, lambda e: True),
        "one-table": ({"tables": tables[0]}, lambda e: e.table == tables[0]),
        "some-tables": ({"tables": ", ".join(tables[3:9])}, lambda e: e.table in tables[3:9]),
        "inserts": ({"operations": "insert"}, lambda e: e.operation == "INSERT"),
        "changes": ({"operations": "update, delete"}, lambda e: e.operation in ("UPDATE", "DELETE")),
        "other": ({"companies": OTHER}, lambda e: OTHER in e.subject),
        "narrow": ({"tables": ", ".join(tables[:20]), "operations": "update", "companies": company},
                   lambda e: e.table in tables[:20] and e.operation == "UPDATE" and company in e.subject),
    }


def check_routes(lab, routes, events):
    lab.wait_delivered()
    for name, (_, wanted) in routes.items():
        oracle = Oracle(lab.hq.schemas)
        oracle.record(*filter(wanted, events))
        assert oracle.compare_files(lab.file_dir(name)) == [], name
        assert lab.destination(name)["committed"] == oracle.count


def test_each_destination_gets_its_tables_operations_and_companies(enrolled):
    lab = enrolled
    routes = routes_of(lab, COMPANY)
    lab.start_eds({name: {"url": lab.file_url(name), **options} for name, (options, _) in routes.items()})
    lab.wait_running()
    check_routes(lab, routes, lab.publish(2500))
    assert lab.destination("other")["committed"] == 0
    assert all(lab.destination(name)["committed"] > 0 for name in routes if name != "other")
    assert lab.destination("other")["cursor"] == lab.js.last_seq(), "what is not for it does not hold it up"


def test_several_companies_share_a_consumer_where_the_server_can(make_lab):
    lab = make_lab(hq_options={"companies": (COMPANY, OTHER)})
    lab.enroll()
    routes = routes_of(lab, COMPANY)
    able = lab.nats.version >= (2, 10)
    lab.start_eds({name: {"url": lab.file_url(name), **options} for name, (options, _) in routes.items()}, wait=able)
    if not able:
        lab.wait_log("this NATS server knows no filter_subjects .* run one server per company")
        assert lab.status()["upstream"]["state"] == "waiting"
        return
    second = EventStream(lab.hq.schemas, seed=5, company=OTHER)
    events = [e for pair in zip(lab.events.batch(1000), second.batch(1000)) for e in pair]
    check_routes(lab, routes, lab.publish_events(events))
    assert lab.destination("other")["committed"] == 1000


def test_only_the_companies_asked_for_are_received(make_lab):
    lab = make_lab(hq_options={"companies": (COMPANY, OTHER)})
    lab.enroll()
    lab.start_eds({"files": lab.file_url()}, args=("--companyIds", OTHER))
    lab.wait_running()
    lab.admin.publish_many(e.message for e in lab.events.batch(100))
    lab.publish_events(EventStream(lab.hq.schemas, seed=5, company=OTHER).batch(100))
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []
    assert lab.status()["upstream"]["received"] == 100
    assert lab.hq.live_sessions()[0].start["companyIds"] == [OTHER]


def test_a_company_that_the_credential_does_not_have_is_refused(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()}, args=("--companyIds", "nobody"), wait=False)
    assert lab.eds.wait() in (1, 3)
    assert "provided company ID nobody not in credentials" in lab.eds.log()
    assert not lab.hq.live_sessions()


def test_a_consumer_suffix_makes_a_second_server_of_the_same_shop(enrolled, make_lab):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()}, args=("--consumer-suffix", "blue"), wait=False)
    lab.wait_until(lambda: (lab.js.consumer_info(lab.consumer + "-blue") or {}).get("num_waiting"), "the consumer")
    assert lab.js.consumer_info(lab.consumer) is None
    lab.publish(100)
    lab.wait_until(lambda: lab.destination("files")["committed"] == 100, "the events")
    assert lab.differences(sqlite=None) == []


def test_a_wide_load_with_small_batches_and_queues(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url(), batch_events=3, queue_events=5, queue_bytes=65536),
                   "shop": quick(lab.sqlite_url(), batch_events=100, min_latency="20ms")})
    lab.wait_running()
    with Load(lab) as load:
        lab.wait_until(lambda: load.count >= 1500, "the load")
    lab.wait_delivered()
    assert lab.differences() == []


@pytest.mark.parametrize("tls", [True])
def test_tls_to_nats_with_a_certificate_of_ones_own(make_lab, tls):
    lab = make_lab(tls=tls)
    lab.enroll()
    lab.start_eds(f"[server]\nnats_ca_file = {lab.nats.ca_path}\n\n[destination files]\nurl = {lab.file_url()}\n")
    lab.publish(100)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


def test_update_strategy_after_and_standard_agree_on_the_files(enrolled):
    lab = enrolled
    with open(os.path.join(lab.data_dir, "config.toml"), "a", encoding="utf-8") as f:
        f.write("\nupdate_strategy = 'after'\n")
    lab.start_eds({"files": lab.file_url(), "shop": lab.sqlite_url()})
    lab.wait_running()
    lab.publish_events(lab.events.every_kind())
    lab.wait_delivered()
    assert lab.differences() == []
