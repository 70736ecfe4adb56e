"""The script for a real SQL Server, with the peer in its place: it judges, and leaves nothing behind."""
import os
import subprocess
import sys

from tests.support.lab import ROOT
from tests.support.tds import TdsServer


def live(url):
    script = os.path.join(ROOT, "tests/e2e/sqlserver-live")
    env = {**os.environ, "EDS_SQLSERVER_URL": url, "EDS_LIVE_EVENTS": "250"}
    return subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=120, check=False)


def test_all_is_as_it_should_be_and_nothing_remains():
    with TdsServer() as server:
        done = live(server.url())
        assert (done.returncode, done.stdout) == (0, "sqlserver-live: all is as it should be\n"), done.stdout + done.stderr
        assert server.engine.tables == {} and server.engine.schemas == {"dbo"} and server.complaints == []


def test_a_server_that_changes_what_it_is_given_is_found_out():
    with TdsServer() as server:
        schema_of = server.engine.create_table

        def spoil(session, statement):
            schema_of(session, statement)
            table = server.engine.find(statement.table)
            if table.name == "edges":
                table.checks.append(lambda row: row.update(note=(row["note"] or "").rstrip() or None))
        server.engine.create_table = spoil
        done = live(server.url())
        assert done.returncode == 1 and "edges r2 note: 'trailing' instead of 'trailing '" in done.stdout
        assert server.engine.tables == {}


def test_a_login_that_is_refused_is_told_without_its_password():
    with TdsServer() as server:
        done = live(server.url(password="wr0ng-one"))
        assert done.returncode == 2 and "18456" in done.stderr and "wr0ng" not in done.stderr + done.stdout
