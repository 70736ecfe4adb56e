"""SQL Server, as far as it can be had here: the real programs against tests.support.tds, which takes the driver's
statements by what they say.  tests/e2e/sqlserver-live does the same with a real server."""
import pytest

from tests.support.tds import TdsServer


@pytest.fixture
def server():
    with TdsServer() as server:
        yield server
        assert server.complaints == []


def test_every_change_of_every_table_arrives_exactly(enrolled, server):
    lab = enrolled
    lab.start_eds({"mssql": server.url()})
    lab.wait_running()
    events = lab.publish_events(lab.events.every_kind()) + lab.publish(1500)
    lab.wait_delivered()
    assert server.differences(lab.oracle) == []
    d = lab.destination("mssql")
    assert (d["committed"], d["quarantined"]) == (len(events), 0)
