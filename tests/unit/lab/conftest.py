"""Makes `tests.support` importable, and prepares what several test files use."""
import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from tests.support import natsd     # noqa: E402


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory):
    if natsd.find_nats_server() is None:
        pytest.skip("no nats-server on this machine: install the package nats-server")
    with natsd.NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
def schemas():
    import json
    with open(os.path.join(ROOT, "tests/data/schema.json"), encoding="utf-8") as f:
        return json.load(f)
