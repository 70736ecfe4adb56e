"""HQ's `import` over the control channel: its own destination, the others undisturbed, and what it is answered."""
import msgpack
import pytest

from helpers import Fault, quick

TEXT = "Error importing data. See the error logs for more details or contact support for further assistance."


@pytest.fixture
def shop(make_lab):
    """A server with a destination of its own and one that HQ has configured; the shop has rows already."""
    lab = make_lab(tables=["order", "user"], row_limit=300)
    lab.enroll()
    lab.events.batch(400)
    lab.fault = Fault(lab)
    lab.start_eds({"mine": quick(lab.file_url())})
    lab.wait_until(lambda: lab.hq.control.heartbeats.beats, "a sign of life on the control channel")
    return lab


def sid_of(lab):
    session, = lab.hq.live_sessions()
    return session.id


def configure(lab, url):
    reply = lab.hq.control.notify(sid_of(lab), "configure", {"url": url, "backfill": True, "updateStrategy": ""}, reply=True)
    assert reply["success"], reply
    lab.wait_until(lambda: len(lab.status()["destinations"]) == 2, "HQ's destination")


def ask(lab, **data):
    """The status and the response to an import."""
    lab.hq.control.notify(sid_of(lab), "import", data)
    return [msgpack.unpackb(lab.hq.control.wait_answer(kind).payload) for kind in ("import-status", "import-response")]


def test_hqs_import_fills_its_destination_and_no_other(shop):
    lab = shop
    configure(lab, lab.sqlite_url())
    mine = lab.destination("mine")
    status, response = ask(lab, backfill=True)
    assert status == {"success": True, "message": "", "sessionId": sid_of(lab), "action": "import"}
    assert response == {"success": True, "sessionId": sid_of(lab)}
    assert {k: lab.destination("mine")[k] for k in ("pid", "state")} == {k: mine[k] for k in ("pid", "state")}
    lab.publish(50)
    lab.wait_delivered()
    lab.oracle.replace(lab.events.snapshot()[1])
    assert lab.oracle.compare_sqlite(lab.sqlite_path()) == []


def test_without_backfill_tables_are_made_and_no_row_is_touched(shop):
    lab = shop
    configure(lab, lab.sqlite_url())
    lab.publish(20)
    lab.wait_delivered()
    rows = lab.oracle.sqlite_row_count(lab.sqlite_path())
    _, response = ask(lab, backfill=False)
    assert response["success"] is True and not lab.hq.exports.jobs
    assert lab.oracle.sqlite_row_count(lab.sqlite_path()) == rows


def test_h41_a_failed_import_says_so_and_the_old_data_flows_on(shop):
    lab = shop
    configure(lab, lab.fault.url)
    lab.hq.exports.fail_table = "order"
    _, response = ask(lab, backfill=True)
    assert response["success"] is False and response["message"].startswith(TEXT)
    assert "error exporting table order" in response["message"]
    published = lab.publish(20)
    lab.wait_delivered()
    assert lab.fault.differences(published) == []


def test_h48_an_import_before_configure_is_refused(shop):
    _, response = ask(shop, backfill=True)
    assert response["success"] is False and "configure" in response["message"]
    assert not shop.hq.exports.jobs
