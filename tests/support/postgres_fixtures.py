"""PostgreSQL servers for tests: taken over by tests/e2e/conftest.py."""
import os
import shutil
import tempfile

import pytest

from tests.support import postgresd


@pytest.fixture(scope="session")
def postgres_template():
    """A data directory as initdb makes it, for all servers of this process."""
    why = postgresd.missing()
    if why:
        pytest.skip(why)
    folder = tempfile.mkdtemp(prefix="eds-initdb-")
    os.chmod(folder, 0o755)
    try:
        path = os.path.join(folder, "data")
        postgresd.install(path)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(postgres_template):
    """One server for many tests, each with a database of its own; who stops or changes it takes `own_postgres`."""
    with postgresd.Postgres(postgres_template) as server:
        yield server


@pytest.fixture
def own_postgres(postgres_template):
    with postgresd.Postgres(postgres_template) as server:
        yield server
