"""MySQL: what goes wrong between a worker and its database, and what then stands there and is said."""
import signal
import threading

import pytest

from tests.e2e.helpers import Load, quick
from tests.e2e.mysql_shop import Shop
from tests.support import mariadbd, mysqld
from tests.support.crafted import schema
from tests.support.proxy import Proxy


@pytest.fixture
def own(enrolled):
    """own(*settings): a shop on a server of its own, which the test may stop and change."""
    kind, servers = mysqld.chosen(), []
    if kind.missing():
        pytest.skip(kind.missing())

    def make(*schemas, settings=()):
        server = kind(settings=settings).start()
        servers.append(server)
        return Shop(enrolled, server, *schemas)
    yield make
    for server in servers:
        server.close()


def why(shop):
    return shop.lab.edsctl("why", "shop").stdout


def wait_why(shop, words):
    shop.lab.wait_until(lambda: words in why(shop), lambda: f"edsctl why to say {words!r}, not: {why(shop)}")


@pytest.fixture
def shop(enrolled, mariadb):
    return Shop(enrolled, mariadb, schema("order"))


# ---- the operator's to mend

def test_a_wrong_password_is_said_and_no_reason_to_try_again(shop):
    shop.start(shop.server.url(shop.database, user=shop.user, password="wr0ng-one"), state="failed")
    said = why(shop)
    assert "Access denied for user" in said and "correct user and password in the URL" in said
    assert "wr0ng" not in said + shop.lab.whole_log()


def test_a_missing_database_is_said(shop):
    shop.start(shop.server.url("nowhere", user=shop.user), state="failed")
    assert "nowhere" in why(shop)


@pytest.mark.parametrize("rights", ["SELECT", "SELECT, CREATE, ALTER, DROP"])
def test_a_missing_privilege_is_said(shop, rights):
    shop.server.create(shop.database, shop.user, rights=rights)
    shop.start()
    shop.craft.send(shop.craft.insert("order", {"id": "1"}))
    shop.lab.wait_state("shop", "failed")
    assert "command denied" in why(shop) and "grant the user what is missing" in why(shop)
    shop.server.run(f"GRANT ALL PRIVILEGES ON `{shop.database}`.* TO '{shop.user}'@'127.0.0.1'")
    shop.lab.edsctl("restart", "worker", "shop")
    shop.lab.wait_delivered("shop")
    assert set(shop.rows("order")) == {"1"}


def test_check_connect_asks_the_database(shop):
    shop.start()
    done = shop.lab.edsctl("check", "--connect")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.server.tables(shop.database) == set()
    shop.lab.write_conf({"shop": quick(shop.server.url(shop.database, user=shop.user, password="wr0ng-one"))})
    done = shop.lab.edsctl("check", "--connect")
    assert done.returncode != 0 and "Access denied" in done.stdout + done.stderr and "wr0ng" not in done.stdout + done.stderr


# ---- encryption

@pytest.fixture(scope="module")
def tls_server():
    kind = mysqld.chosen()
    if kind.missing():
        pytest.skip(kind.missing())
    with kind(tls=True) as server:
        yield server


def test_tls_is_verified_with_the_authority_of_the_url(enrolled, tls_server):
    shop = Shop(enrolled, tls_server, schema("order"))
    tls_server.run(f"ALTER USER '{shop.user}'@'127.0.0.1' REQUIRE SSL")
    shop.start(shop.url(tls="true", **{"ssl-ca": tls_server.ca_path}))
    shop.send(shop.craft.insert("order", {"id": "1"}))
    assert set(shop.rows("order")) == {"1"} and shop.lab.eds.wait_log("encrypted, certificate verified")


def test_tls_with_an_unknown_authority_is_refused_unless_not_asked_for(enrolled, tls_server):
    shop = Shop(enrolled, tls_server, schema("order"))
    shop.start(shop.url(tls="true"), state="failed")
    assert "certificate" in why(shop) and "ssl-ca=FILE" in why(shop)
    shop.lab.write_conf({"shop": quick(shop.url(tls="skip-verify"))})
    shop.lab.edsctl("reload")
    shop.lab.wait_running("shop")
    shop.send(shop.craft.insert("order", {"id": "1"}))
    assert set(shop.rows("order")) == {"1"}


def test_a_server_without_tls_is_refused_when_tls_is_asked_for(shop):
    shop.start(shop.url(tls="true"), state="failed")
    assert "tls=false" in why(shop)


def test_an_account_of_ed25519_signs_in(enrolled, own):
    if mysqld.chosen() is not mariadbd.MariaDb:
        pytest.skip("MySQL has no ed25519")
    shop = own(schema("order"), settings=("--plugin-load-add=auth_ed25519",))
    shop.server.run(f"ALTER USER '{shop.user}'@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('{mariadbd.PASSWORD}')")
    shop.start()
    shop.send(shop.craft.insert("order", {"id": "1"}))
    assert set(shop.rows("order")) == {"1"}


# ---- what time can mend: the whole batch again

def test_a_locked_row_is_waited_for_and_that_is_said(shop):
    c = shop.craft
    shop.start(hang_timeout="1m")
    shop.send(c.insert("order", {"id": "1", "note": "a"}), c.insert("order", {"id": "2", "note": "a"}))
    db = shop.server.connect(shop.database, autocommit=False)
    db.cursor().execute("SELECT * FROM `order` WHERE id = '2' FOR UPDATE")
    c.send(*(c.update("order", {"id": i, "note": "b"}, ["note"]) for i in ("1", "2")))
    wait_why(shop, "Lock wait timeout")
    assert {r["note"] for r in shop.rows("order").values()} == {"a"}
    db.rollback()
    db.close()
    shop.lab.wait_delivered("shop")
    assert {r["note"] for r in shop.rows("order").values()} == {"b"} and shop.refused() == []


def test_deadlocks_with_another_writer_lose_nothing(shop):
    """The other one takes the rows in the opposite order, again and again."""
    shop.start()
    c = shop.craft
    ids = [f"{i:03}" for i in range(60)]
    shop.send(*(c.insert("order", {"id": i, "totalCents": 0}) for i in ids))
    shop.run("ALTER TABLE `order` ADD other INT NOT NULL DEFAULT 0")
    stop, died = threading.Event(), []

    def write():
        import pymysql
        db = shop.server.connect(shop.database, autocommit=False)
        while not stop.is_set():
            try:
                for i in reversed(ids):
                    db.cursor().execute("UPDATE `order` SET other = other + 1 WHERE id = %s", i)
                db.commit()
            except pymysql.err.OperationalError as e:
                died.append(e.args[0])
                db.rollback()
        db.close()
    thread = threading.Thread(target=write)
    thread.start()
    try:
        for n in range(1, 40):
            c.send(*(c.update("order", {"id": i, "totalCents": n}, ["totalCents"]) for i in ids))
        shop.lab.wait_delivered("shop")
    finally:
        stop.set()
        thread.join()
    assert {r["totalCents"] for r in shop.rows("order").values()} == {39} and shop.refused() == []


def test_a_database_that_only_reads_is_waited_for(own):
    shop = own(schema("order"))
    c = shop.craft
    shop.start()
    shop.send(c.insert("order", {"id": "1"}))
    shop.server.run("SET GLOBAL read_only = ON")
    c.send(c.insert("order", {"id": "2"}))
    wait_why(shop, "read-only")
    assert set(shop.rows("order")) == {"1"}
    shop.server.run("SET GLOBAL read_only = OFF")
    shop.lab.wait_delivered("shop")
    assert set(shop.rows("order")) == {"1", "2"} and shop.refused() == []


def test_too_many_connections_are_waited_for(own):
    shop = own(schema("order"), settings=("--max-connections=10",))
    shop.server.run("SET GLOBAL max_connections = 10")
    held = [shop.server.connect() for _ in range(10)]
    shop.start(state="starting")
    wait_why(shop, "Too many connections")
    for db in held:
        db.close()
    shop.lab.wait_running("shop")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_database_is_restarted_under_load(own, how):
    shop = own()
    shop.start()
    with Load(shop.lab) as load:
        shop.lab.wait_until(lambda: load.count > 300, "events to flow")
        getattr(shop.server, how)()
        shop.lab.wait_until(lambda: shop.lab.destination("shop")["trouble"], "the trouble to be said")
        shop.server.start()
        seen = load.count
        shop.lab.wait_until(lambda: load.count > seen + 300, "events to flow")
    shop.lab.wait_delivered("shop")
    assert shop.differences() == [] and shop.refused() == []


def test_the_worker_is_killed_under_load(enrolled, mariadb):
    shop = Shop(enrolled, mariadb)
    shop.start(restart_limit=100)
    with Load(shop.lab) as load:
        for number in range(1, 6):
            shop.lab.wait_until(lambda: load.count > 200 * number, "events to flow")
            shop.lab.kill_worker("shop", signal.SIGKILL)
    shop.lab.wait_delivered("shop")
    assert shop.differences() == [] and shop.refused() == []


def test_a_link_that_is_cut_is_made_anew(shop):
    c = shop.craft
    with Proxy(shop.server.port) as link:
        shop.start(shop.url(port=link.port))
        shop.send(c.insert("order", {"id": "1"}))
        link.cut()
        shop.send(c.insert("order", {"id": "2"}))
        shop.server.run(*(f"KILL {i}" for i, user in shop.server.run("SELECT id, user FROM information_schema.processlist")
                          if user == shop.user))
        shop.send(c.insert("order", {"id": "3"}))
    assert set(shop.rows("order")) == {"1", "2", "3"}


# ---- tables that change

def test_a_table_dropped_or_narrowed_by_others_is_mended(shop):
    c = shop.craft
    shop.start()
    shop.send(c.insert("order", {"id": "1", "note": "a"}))
    shop.run("ALTER TABLE `order` DROP COLUMN note")
    shop.send(c.update("order", {"id": "1", "note": "b"}, ["note"]))
    assert shop.rows("order")["1"]["note"] == "b"
    shop.run("DROP TABLE `order`")
    shop.send(c.insert("order", {"id": "2", "note": "c"}), c.delete("order", "1"))
    assert set(shop.rows("order")) == {"2"}


def test_h19_nothing_is_dropped_when_a_table_is_there_already(shop):
    shop.run("CREATE TABLE `order` (id VARCHAR(64) PRIMARY KEY, theirs INT)", "INSERT INTO `order` VALUES ('1', 5)")
    shop.start()
    shop.send(shop.craft.insert("order", {"id": "2", "note": "a"}))
    assert {k: (r["theirs"], r["note"]) for k, r in shop.rows("order").items()} == {"1": (5, None), "2": (None, "a")}


# ---- rows that the database refuses

@pytest.mark.parametrize("bulk", ["auto", "off"])
def test_refused_rows_are_found_among_many_and_the_rest_is_stored(shop, bulk):
    c = shop.craft
    shop.start(shop.url(bulk=bulk))
    shop.send(c.insert("order", {"id": "0"}))
    shop.run("ALTER TABLE `order` ADD CONSTRAINT theirs CHECK (note <> 'bad')")
    shop.lab.edsctl("pause", "shop")
    bad = {"17", "100", "399"}
    c.send(*(c.insert("order", {"id": str(i), "note": "bad" if str(i) in bad else "good"}) for i in range(400)),
           c.update("order", {"id": "5", "note": "bad"}, ["note"]), c.update("order", {"id": "6", "note": "better"}, ["note"]))
    shop.lab.edsctl("resume", "shop")
    shop.lab.wait_delivered("shop")
    rows = shop.rows("order")
    assert set(rows) == {str(i) for i in range(400)} - bad
    assert (rows["5"]["note"], rows["6"]["note"]) == ("good", "better")
    refused = shop.refused()
    assert len(refused) == 4 and all(shop.server.check_failed.format("theirs") in reason and "bad" not in reason
                                      for _, reason in refused)


def test_h33_a_row_larger_than_a_packet_is_set_aside(own):
    shop = own(schema("order"), settings=("--max-allowed-packet=1M",))
    c = shop.craft
    shop.start()
    shop.send(c.insert("order", {"id": "1", "note": "x" * 700_000}), c.insert("order", {"id": "2", "note": "x" * 700_000}),
              c.insert("order", {"id": "big", "note": "x" * 1_500_000}), c.insert("order", {"id": "3"}))
    assert set(shop.rows("order")) == {"1", "2", "3"}
    (_, reason), = shop.refused()
    assert "max_allowed_packet" in reason and '["big"]' in reason


def test_a_row_wider_than_a_page_is_set_aside(shop):
    """300 columns of text fit as long as their texts are short."""
    from tests.support.crafted import NULLABLE, STRING
    wide = {"id": STRING, **{f"c{i:03}": NULLABLE for i in range(299)}}
    shop.craft.set(schema("order", wide))
    shop.server.allow_wide_tables(shop.user)
    shop.start()
    c = shop.craft
    shop.send(c.insert("order", {"id": "short", **dict.fromkeys(list(wide)[1:], "fifteen letters")}),
              c.insert("order", {"id": "long", **dict.fromkeys(list(wide)[1:], "x" * 100)}),
              c.insert("order", {"id": "worst", **dict.fromkeys(list(wide)[1:], "x" * 40)}))
    assert set(shop.rows("order")) == {"short", "long"}
    (_, reason), = shop.refused()
    assert "Row size too large" in reason


# ---- secrets

def test_h51_neither_password_nor_rows_are_told(shop):
    c = shop.craft
    shop.start()
    shop.send(c.insert("order", {"id": "1", "createdDate": "sens1tive", "note": "sens1tive"}))
    told = why(shop) + shop.lab.edsctl("quarantine", "list").stdout + shop.lab.edsctl("status").stdout + shop.lab.whole_log()
    assert len(shop.refused()) == 1 and "sens1tive" not in told and mariadbd.PASSWORD not in told and "s3cret" not in told
    with open(f"/proc/{shop.lab.worker_pid('shop')}/environ", "rb") as environ, \
            open(f"/proc/{shop.lab.worker_pid('shop')}/cmdline", "rb") as argv:
        assert b"s3cret" not in environ.read() + argv.read()
