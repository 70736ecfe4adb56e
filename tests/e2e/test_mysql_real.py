"""Oracle's MySQL, where there is one (tests/support/mysqld.py): how an account signs in, and what differs from MariaDB.

With EDS_MYSQLD set, all of test_mysql.py, test_mysql_faults.py and test_mysql_vectors.py use such a server as well.
"""
import pytest

from tests.e2e.mysql_shop import Shop
from tests.support import mysqld
from tests.support.crafted import NULLABLE, STRING, schema
from tests.support.gojson import Num


@pytest.fixture(scope="module")
def server():
    reason = mysqld.missing()
    if reason:
        pytest.skip(reason)
    with mysqld.MySql(tls=True) as server:
        yield server


@pytest.fixture
def shop(enrolled, server):
    shop = Shop(enrolled, server, schema("order"))
    assert server.run(f"SELECT plugin FROM mysql.user WHERE user = '{shop.user}'") == [("caching_sha2_password",)]
    return shop


def send_one(shop, key):
    shop.send(shop.craft.insert("order", {"id": key}))
    assert key in shop.rows("order")


def test_the_whole_password_goes_encrypted_by_the_servers_key(shop):
    """Without TLS, the server not knowing the account yet: RSA, on loopback."""
    shop.server.run("FLUSH PRIVILEGES")         # and what it remembers of passwords
    shop.start(shop.url(tls="false"))
    send_one(shop, "1")
    assert not shop.lab.whole_log().count("encrypted")


def test_a_server_that_knows_the_account_is_not_told_the_password_again(shop):
    """The fast way: a second session, made anew after a crash."""
    shop.server.run("FLUSH PRIVILEGES")
    shop.start(shop.url(tls="false"))
    send_one(shop, "1")
    shop.lab.kill_worker("shop")
    send_one(shop, "2")


def test_the_whole_password_goes_through_tls(shop):
    shop.server.run(f"ALTER USER '{shop.user}'@'127.0.0.1' REQUIRE SSL", "FLUSH PRIVILEGES")
    shop.start(shop.url(tls="true", **{"ssl-ca": shop.server.ca_path}))
    send_one(shop, "1")
    assert shop.lab.eds.wait_log("encrypted, certificate verified")


@pytest.mark.parametrize("tls", ["false", "skip-verify"])
def test_a_wrong_password_is_said(shop, tls):
    shop.server.run("FLUSH PRIVILEGES")
    shop.start(shop.server.url(shop.database, user=shop.user, password="wr0ng-one", tls=tls), state="failed")
    said = shop.lab.edsctl("why", "shop").stdout
    assert "Access denied for user" in said and "wr0ng" not in said + shop.lab.whole_log()


def test_a_number_that_its_json_would_round_is_refused(shop):
    shop.start()
    c = shop.craft
    shop.send(*(c.insert("order", {"id": key, "labels": {"n": [Num(text)]}}) for key, text in (
        ("low", "-9223372036854775808"), ("high", "18446744073709551615"), ("half", "0.1"),
        ("long", "12345678901234567890.5"), ("beyond", "28446744073709551615"))))
    assert set(shop.rows("order")) == {"low", "high", "half"}
    assert [(table, 'column "labels" is JSON' in reason and "12345" not in reason.split("key")[0])
            for table, reason in shop.refused()] == [("order", True)] * 2


def test_what_a_wide_table_needs_is_said_and_then_it_is_made(shop):
    shop.craft.set(schema("order", {"id": STRING, **{f"c{i:03}": NULLABLE for i in range(299)}}))
    shop.start()
    shop.craft.send(shop.craft.insert("order", {"id": "1", "c000": "a"}))
    shop.lab.wait_state("shop", "failed")
    assert "GRANT SESSION_VARIABLES_ADMIN" in shop.lab.edsctl("why", "shop").stdout
    shop.server.allow_wide_tables(shop.user)
    shop.lab.edsctl("restart", "worker", "shop")
    shop.lab.wait_delivered("shop")
    assert shop.rows("order")["1"]["c000"] == "a"


def test_a_server_that_wants_primary_keys_gets_them(shop):
    shop.server.run("SET GLOBAL sql_require_primary_key = ON")
    try:
        shop.start()
        send_one(shop, "1")
    finally:
        shop.server.run("SET GLOBAL sql_require_primary_key = OFF")
