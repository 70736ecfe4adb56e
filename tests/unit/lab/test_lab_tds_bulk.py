"""Bulk load, as the test peer takes it from FreeTDS: db-lib from memory, freebcp from a file."""
import os
import shutil
import subprocess
from decimal import Decimal

import pytest

from tests.support import tds_bulk, tds_wire
from tests.support.dblib import Client, SqlFailed, settings
from tests.support.tds import TdsServer

ANSI = "SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON; "
TABLE = ANSI + ("CREATE TABLE [dbo].[t] ([id] VARCHAR(64) NOT NULL, [n] BIGINT, [f] FLOAT, [b] BIT, [d] DECIMAL(20,4), "
                "[c] NVARCHAR(20), [m] NVARCHAR(MAX), PRIMARY KEY ([id]))")
NAMES = ("id", "n", "f", "b", "d", "c", "m")
CAR = "\U0001f697"


def wide(text):
    return text.encode("utf-16-le")


@pytest.fixture
def server():
    with TdsServer() as server:
        server.engine.create(TABLE)
        yield server


@pytest.fixture
def client(server):
    with Client(server.url()) as client:
        yield client


def stored(server):
    return {r["id"]: tuple(r[n] for n in NAMES[1:]) for r in server.engine.rows("t")}


def test_a_load_from_memory_brings_every_kind_of_value(server, client):
    rows = [("a", 9007199254740993, "0.1", 1, "12.5", wide("x"), wide("é" + CAR)),
            ("b", None, None, None, None, None, None),
            ("c", "-5", "1e3", 0, "-1.0001", wide(" "), wide("x" * 9000))]
    assert client.load("dbo.t", rows) == 3
    assert stored(server) == {"a": (9007199254740993, 0.1, 1, Decimal("12.5"), "x", "é" + CAR),
                              "b": (None,) * 6, "c": (-5, 1000.0, 0, Decimal("-1.0001"), " ", "x" * 9000)}
    texts = [r.text for r in server.requests][-3:]
    assert texts[0].startswith("SET FMTONLY ON") and texts[1].startswith("insert bulk") and texts[2] == "BULK LOAD t"
    assert server.complaints == []


def test_freetds_makes_null_of_an_empty_text(server, client):
    """Why the driver does without: no value may change."""
    client.load("dbo.t", [("a", 1, 1, 1, 1, b"", b"")])
    assert stored(server)["a"][-2:] == (None, None)


def test_freetds_sends_wide_texts_from_memory_as_the_bytes_it_was_given(server, client):
    """The same: it converts to the type, but not to UTF-16."""
    client.load("dbo.t", [("a", 1, 1, 1, 1, "ab", "cd")])
    assert stored(server)["a"][-2:] == ("\u6261", "\u6463")


def test_a_load_is_stored_as_a_whole_or_not_at_all(server, client):
    with pytest.raises(SqlFailed, match="2627"):
        client.load("dbo.t", [(key, 1, 1, 1, 1, None, None) for key in ("x", "y", "X")])
    assert stored(server) == {} and server.complaints == []


def test_a_load_from_a_file(server, tmp_path):
    if shutil.which("freebcp") is None:
        pytest.skip("freebcp is not installed: install the package freetds-bin")
    lines = ["a\t9007199254740993\t0.5\t1\t12.5\tx\té" + CAR, "b\t\t\t\t\t\t"]
    (tmp_path / "rows").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "freetds.conf").write_text(settings(server.url()))
    done = subprocess.run(["freebcp", "dbo.t", "in", tmp_path / "rows", "-c", "-t", "\t", "-S", f"127.0.0.1:{server.port}",
                           "-U", server.user, "-P", server.password, "-D", server.database, "-O", ANSI.rstrip("; ")],
                          env={**os.environ, "FREETDSCONF": str(tmp_path / "freetds.conf")}, capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0 and "2 rows copied" in done.stdout, done.stdout + done.stderr
    assert stored(server) == {"a": (9007199254740993, 0.5, 1, Decimal("12.5"), "x", "é" + CAR), "b": (None,) * 6}


@pytest.mark.parametrize("wrong", [[("id", ("VARCHAR", (63,)))], [("key", ("VARCHAR", (64,)))],
                                   [("id", ("NVARCHAR", (64,)))], [("id", ("VARCHAR", (64,))), ("n", ("BIGINT", ()))]])
def test_other_columns_than_announced_break_the_protocol(wrong):
    class Column:
        name, kind, nullable = "id", ("VARCHAR", (64,)), False
    head = tds_bulk.columns([Column])
    assert tds_bulk.parse_rows(head + b"\xd1\x01\x00a", [("id", ("VARCHAR", (64,)))]) == [["a"]]
    with pytest.raises(tds_wire.WireError):
        tds_bulk.parse_rows(head + b"\xd1\x01\x00a", wrong)


@pytest.mark.parametrize("end", [b"\xd1\x02\x00a", b"\xd1", b"\xd2\x01\x00a", b"\xd1\x41\x00" + b"a" * 65, b"\xfd" + bytes(13)])
def test_what_is_no_row_breaks_the_protocol(end):
    class Column:
        name, kind, nullable = "id", ("VARCHAR", (64,)), False
    with pytest.raises(tds_wire.WireError):
        tds_bulk.parse_rows(tds_bulk.columns([Column]) + end, [("id", ("VARCHAR", (64,)))])
