"""Fixtures of the end-to-end tests: a laboratory per test, whose logs are shown when the test fails."""
import os
import re
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from tests.support import kafka_broker, lab as laboratory, natsd, proc, releases     # noqa: E402
from tests.support.postgres_fixtures import own_postgres, postgres_server, postgres_template   # noqa: E402,F401

SANITIZER = re.compile(r"(AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|: runtime error: ).*")


@pytest.fixture(autouse=True, scope="session")
def programs():
    missing = laboratory.missing_programs()
    if missing:
        pytest.fail(f"{', '.join(missing)} not built: run make first", pytrace=False)
    if natsd.find_nats_server() is None:
        pytest.fail("no nats-server on this machine: install the package nats-server", pytrace=False)


def judge(lab):
    """What must hold after every test, whatever it was about."""
    if lab.killed:
        proc.wait_until(lambda: not lab.orphans(), "the workers of a killed server to end")
    assert not lab.orphans(), "processes of an ended server still run"
    found = SANITIZER.search(lab.whole_log())
    assert not found, f"a sanitizer complains: {found and found.group(0)}"
    told = [s[:12] + "..." for s in lab.secrets() if s in lab.whole_log()]
    assert not told, f"secrets in the log: {told}"
    violations = lab.hq.all_violations()
    assert not violations, "HQ would object:\n" + "\n".join(violations)


@pytest.fixture
def make_lab(request):
    """make_lab(**options of Lab): a laboratory that ends with the test."""
    made = []

    def make(**options):
        lab = laboratory.Lab(**{"storage": "memory", **options})
        lab.__enter__()
        made.append(lab)
        request.node.labs = made
        return lab

    yield make
    try:
        for lab in made:
            if lab.eds and lab.eds.running():
                lab.stop_eds()
            judge(lab)
    finally:
        for lab in made:
            lab.close()


@pytest.fixture
def lab(make_lab):
    return make_lab()


@pytest.fixture
def enrolled(lab):
    lab.enroll()
    return lab


@pytest.fixture
def published(tmp_path):
    """Releases of this program, signed; a server on loopback has them."""
    made = releases.Releases(str(tmp_path))
    yield made
    made.close()


@pytest.fixture(scope="session")
def broker():
    found, reason = kafka_broker.shared()
    if found is None:
        pytest.skip("no real Kafka broker: " + reason)
    return found


@pytest.fixture(scope="session")
def mariadb():
    """One server for all tests of a pytest process; each test has a database of its own."""
    from tests.support import mysqld
    kind = mysqld.chosen()
    if kind.missing():
        pytest.skip(kind.missing())
    with kind() as server:
        yield server


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for lab in getattr(item, "labs", ()):
            lines = lab.whole_log().splitlines()
            report.sections.append((f"eds.log of {lab.dir} (last 80 lines)", "\n".join(lines[-80:])))
