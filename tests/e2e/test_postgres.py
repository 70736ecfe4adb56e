"""PostgreSQL as a destination: a real server, the real programs, and what stands in the tables at the end."""
import json

import pytest

from helpers import quick
from tests.support import postgresd, proc

NAME = "pg"


@pytest.fixture
def shop(postgres_server, enrolled):
    """(laboratory, server, database): an empty database, and a role that owns it."""
    postgres_server.create("shop")
    return enrolled, postgres_server, "shop"


def look(server, statement, database="shop"):
    return server.run(statement, database=database)


def differences(lab, server, database="shop"):
    link = server.connect(database)
    try:
        return postgresd.differences(lab.oracle, link)
    finally:
        link.close()


def test_what_lands_is_what_was_published(shop):
    lab, server, database = shop
    lab.start_eds({NAME: quick(server.url(database))})
    lab.publish(3000)
    lab.wait_delivered(NAME)
    assert differences(lab, server) == []
    assert lab.destination(NAME)["quarantined"] == 0
