"""The SQL Server driver's statements before a grammar that somebody else keeps: sqlglot's of T-SQL.

Debian 12's sqlglot is too old for OPENJSON, so a newer one is fetched where the network allows it.
"""
import glob
import os
import subprocess
import sys

import pytest

from tests.support.natsd import ROOT
from tests.support.tsql_parse import parse

GOLDEN = sorted(glob.glob(os.path.join(ROOT, "tests/unit/drivers/golden/sqlserver/*.sql")))
TOOLS = os.path.join(ROOT, "build/tools/sqlglot")


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def sqlglot():
    if not os.path.isdir(os.path.join(TOOLS, "sqlglot")):
        fetch = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", TOOLS, "sqlglot>=26"]
        try:
            done = subprocess.run(fetch, capture_output=True, text=True, timeout=30)
        except subprocess.TimeoutExpired:
            pytest.skip("sqlglot could not be fetched within 30 s")
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["pip said nothing"]
            pytest.skip("sqlglot could not be fetched: " + lines[-1])
    sys.path.insert(0, TOOLS)
    try:
        import sqlglot
    finally:
        sys.path.remove(TOOLS)
    return sqlglot


def test_there_are_golden_statements():
    assert len(GOLDEN) >= 8


@pytest.mark.parametrize("path", GOLDEN, ids=os.path.basename)
def test_the_peer_knows_every_golden_statement(path):
    assert parse(text_of(path))


@pytest.mark.parametrize("path", [p for p in GOLDEN if not os.path.basename(p).startswith("frame")], ids=os.path.basename)
def test_a_grammar_of_t_sql_takes_every_golden_statement(sqlglot, path):
    for statement in sqlglot.parse(text_of(path), read="tsql", error_level=sqlglot.ErrorLevel.RAISE):
        if statement is not None:
            assert type(statement).__name__ != "Command", f"it was not understood but passed on: {statement}"
