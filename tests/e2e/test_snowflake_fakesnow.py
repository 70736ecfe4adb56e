"""A second opinion on the Snowflake driver: fakesnow, somebody else's server, for as far as it goes.

It takes any password, answers every SELECT in Arrow, knows one statement at a time, and neither FLATTEN inside a
MERGE nor SWAP WITH: sign-in, DDL and the query that a MERGE reads from are what it can judge.
"""
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from snowflake_shop import Shop, order
from tests.support import proc
from tests.support.crafted import NULLABLE, NUMBER, STRING, schema
from tests.support.events import EventStream, load_schemas
from tests.support.natsd import ROOT
from tests.support.snowflake_client import Client

PACKAGES = ("fakesnow[server]==0.12.1", "snowflake-connector-python<4")
PATIENCE_S = 150


def install(folder):
    """Why fakesnow cannot be used; "" when it lies in that folder."""
    program = os.path.join(folder, "bin", "fakesnow")
    if os.path.exists(os.path.join(folder, "complete")):
        return ""
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, timeout=60)
        subprocess.run([os.path.join(folder, "bin", "pip"), "install", "-q", "--retries", "0", "--timeout", "10", *PACKAGES],
                       check=True, capture_output=True, timeout=PATIENCE_S, text=True)
        subprocess.run([program, "--help"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as e:
        said = getattr(e, "stderr", None) or str(e)
        return "fakesnow cannot be installed: " + str(said).strip().splitlines()[-1][:200]
    with open(os.path.join(folder, "complete"), "w", encoding="utf-8"):
        return ""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = os.path.join(ROOT, "build", "tools", "fakesnow")
    why = install(folder)
    if why:
        pytest.skip(why)
    port = proc.free_port()
    server = proc.Process([os.path.join(folder, "bin", "fakesnow"), "-s", "-p", port],
                          tmp_path_factory.mktemp("fakesnow") / "log")

    def answers():
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/", timeout=2).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return not server.running() and pytest.fail(server.last_lines())
        return True

    try:
        proc.wait_until(answers, "fakesnow to answer", 60)
        yield f"snowflake://user:password@127.0.0.1:{port}/SHOP/PUBLIC?account=acc&protocol=http"
    finally:
        server.stop()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What the driver says to our own peer for every table of the schema."""
    schemas = load_schemas()
    more = schema("extra"), schema("extra", {"id": STRING, "percent": NUMBER, "wide": NULLABLE}, version="v2")
    shop = Shop(tmp_path_factory.mktemp("recorded"), *schemas.values(), *more)
    try:
        shop.start()
        shop.deliver(*EventStream(schemas).batch(58))
        shop.deliver(shop.craft.insert("extra", order("x", percent=1.5), version="v1"))
        shop.deliver(shop.craft.insert("extra", order("x", wide="w"), version="v2"))
        return [s["sql"] for s in shop.peer.statements]
    finally:
        shop.close()


def test_its_tables_can_be_made(url, recorded):
    made = [s for s in recorded if s.startswith(("CREATE TABLE", "ALTER TABLE"))]
    assert len(made) > 58
    with Client(url) as client:
        for sql in made:
            client.run(sql)


def test_what_a_merge_reads_is_a_query(url, recorded):
    """Literals only: a bound value and a staged file are not for fakesnow."""
    sources = [m for sql in recorded for m in re.findall(
        r"USING \((SELECT [^\n]*?FROM TABLE\(FLATTEN\(INPUT => PARSE_JSON\('(?:[^'\\]|''|\\.)*'\)\)\) AS f)\) AS s ON", sql)]
    assert len(sources) > 50
    with Client(url) as client:
        for sql in sources:     # it takes a $name inside a text for a variable
            client.run(sql.replace("$", "S"))


def test_the_driver_signs_in_and_sees_that_it_gets_no_json(url, tmp_path):
    with Client(url) as client:
        client.run('CREATE TABLE IF NOT EXISTS "one" ("id" STRING)')
    shop = Shop(tmp_path)
    try:
        assert "Arrow" in shop.start(url=url, result="config")["error"]
    finally:
        shop.close()
