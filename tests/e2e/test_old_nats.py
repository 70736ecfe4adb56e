"""Debian 12's own nats-server, which drops filter_subjects without a word: one company goes, several are refused."""
import shutil

import pytest

from tests.support.events import COMPANY
from tests.support.natsd import nats_server_version


@pytest.fixture
def old_lab(make_lab, monkeypatch):
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if program is None or nats_server_version(program) >= (2, 10, 0):
        pytest.skip("the installed nats-server is not older than 2.10")
    monkeypatch.setenv("EDS_TEST_NATS_SERVER", program)
    lab = make_lab(storage="file")
    lab.enroll()
    return lab


def test_one_company_is_filtered_and_everything_arrives(old_lab):
    lab = old_lab
    lab.start_eds({"files": lab.file_url(), "shop": lab.sqlite_url()})
    assert lab.js.consumer_info(lab.consumer)["config"]["filter_subject"] == f"dbchange.*.*.{COMPANY}.*.PUBLIC.>"
    lab.publish(500)
    # another company's event must not come, although the credential would not let it be asked for either
    lab.admin.publish("dbchange.order.INSERT.000000000000000000000000.l.PUBLIC.x", b"{}")
    lab.publish(200)
    lab.wait_delivered()
    lab.nats.restart("kill")
    lab.publish(300)
    lab.wait_delivered()
    assert lab.differences() == []
    assert lab.status()["upstream"]["received"] == 1000


def test_a_purged_stream_is_a_gap_there_too(old_lab):
    lab = old_lab
    lab.start_eds({"files": lab.file_url()})
    lab.publish(50)
    lab.wait_delivered()
    assert lab.stop_eds() == 0
    lab.admin.publish_many(e.message for e in lab.events.batch(20))
    lab.js.purge()
    lab.start_eds()
    lab.publish(10)
    lab.wait_delivered()
    upstream = lab.status()["upstream"]
    assert (upstream["gaps"], upstream["gap_from"], upstream["gap_to"]) == (1, 51, 70)
