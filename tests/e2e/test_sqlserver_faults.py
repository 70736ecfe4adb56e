"""SQL Server in trouble: nothing is lost, nothing comes twice, and `edsctl why` says what it is."""
import os
import threading

import pytest

from tests.e2e.sqlserver_shop import Shop
from tests.support import crafted
from tests.support.crafted import schema
from tests.support.tds import PASSWORD, TdsServer
from tests.support.tsql_parse import SqlError


@pytest.fixture
def server():
    with TdsServer() as server:
        yield server
        assert server.complaints == []


@pytest.fixture
def shop(enrolled, server):
    """A shop that runs, with a table that is there."""
    shop = Shop(enrolled, server, schema("order"))
    shop.start()
    shop.send(shop.craft.insert("order", {"id": "0"}))
    return shop


def rows_of(craft, count, note="n"):
    return [craft.insert("order", {"id": str(i), "note": f"{note}{i}"}) for i in range(1, count + 1)]


def check(shop, count, note="n"):
    assert {k: r["note"] for k, r in shop.rows("order").items()} == {"0": None, **{
        str(i): f"{note}{i}" for i in range(1, count + 1)}}
    assert shop.refused() == []


TRANSIENT = {1205: "deadlock victim", 1222: "somebody holds a lock", 1105: "make room for the database",
             9002: "back up or enlarge the database's log", 3906: "read-only, as after a failover",
             40501: "The service is currently busy", 40613: "is not currently available", 49918: "Not enough resources",
             10928: "request limit"}


@pytest.mark.parametrize("number", TRANSIENT)
def test_what_passes_is_waited_for(shop, number):
    shop.server.fault("INSERT INTO", number, times=3)
    shop.craft.send(*rows_of(shop.craft, 50))
    assert f"(error {number})" in shop.wait_why(TRANSIENT[number])
    shop.lab.wait_delivered("shop")
    assert shop.server.faults_left() == 0
    check(shop, 50)


def test_a_server_that_is_away_comes_back(shop):
    shop.server.stop()
    shop.craft.send(*rows_of(shop.craft, 20))
    assert "keeps trying" in shop.wait_why("127.0.0.1/eds: connecting")
    shop.server.start()
    shop.lab.wait_delivered("shop")
    check(shop, 20)


@pytest.mark.parametrize("action", ["cut", "cut after"])
def test_the_line_breaks_around_a_commit(shop, action):
    """Before it nothing is stored; behind it everything is, and coming again changes nothing."""
    shop.server.fault("COMMIT TRANSACTION" if action == "cut after" else "UPDATE t SET", action=action, times=2)
    shop.together(*rows_of(shop.craft, 30))
    assert shop.server.faults_left() == 0
    check(shop, 30)


def test_a_server_that_hangs_is_given_up_and_asked_again(enrolled, server):
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(**{"connection timeout": 1}), hang_timeout="30s")
    shop.send(shop.craft.insert("order", {"id": "0"}))
    server.fault("INSERT INTO", action="hang")
    shop.craft.send(*rows_of(shop.craft, 10))
    shop.wait_why("did not answer in time")
    enrolled.wait_delivered("shop")
    assert len(server.logins) == 2, "the old connection is not used again"
    check(shop, 10)


def test_a_worker_that_is_to_end_does_not_wait_for_the_server(shop):
    shop.server.fault("INSERT INTO", action="hang")
    shop.craft.send(*rows_of(shop.craft, 10))
    shop.lab.wait_until(lambda: shop.server.faults_left() == 0, "the server to hang")
    assert shop.lab.stop_eds(timeout=15) == 0
    shop.start()
    shop.lab.wait_delivered("shop")
    check(shop, 10)


def test_a_worker_killed_in_the_middle_leaves_nothing_half_done(shop):
    for round_ in range(3):
        shop.server.fault("INSERT INTO", action="hang")
        shop.craft.send(*rows_of(shop.craft, 40, note=f"r{round_}-"))
        shop.lab.wait_until(lambda: shop.server.faults_left() == 0, "the server to hang")
        shop.lab.kill_worker("shop")
        shop.lab.wait_delivered("shop")
        check(shop, 40, note=f"r{round_}-")


def test_a_row_that_the_database_refuses_is_set_aside_alone(shop):
    """Found by bisection: the server does not say which row it was."""
    c = shop.craft

    def check_constraint(row):
        if row["note"] == "n33":
            raise SqlError(547, 'The INSERT statement conflicted with the CHECK constraint "no33". The conflict occurred in '
                                'database "eds", table "dbo.order", column \'note\'.')
    shop.engine.table("order").checks.append(check_constraint)
    shop.together(*rows_of(c, 60), c.update("order", {"id": "33", "paid": True}, ["paid"]))
    rows = shop.rows("order")
    assert set(rows) == {str(i) for i in range(61)}
    assert (rows["33"]["note"], rows["33"]["paid"]) == (None, 1), "what came behind it is stored"
    (table, reason), = shop.refused()
    assert table == "order" and 'key ["33"]' in reason and 'CHECK constraint "no33"' in reason


@pytest.mark.parametrize("number", [515, 2627, 2628])
def test_an_error_about_a_row_that_no_row_repeats_costs_nothing(shop, number):
    """Somebody else was quicker, for one: the same rows are taken in a trial, and then again."""
    shop.server.fault("INSERT INTO", number)
    shop.craft.send(*rows_of(shop.craft, 10))
    shop.lab.wait_delivered("shop")
    check(shop, 10)
    assert "secret-row-value" not in shop.lab.whole_log() + shop.why()


@pytest.mark.parametrize("number,words", [(18456, "correct user and password"), (40615, "firewall"), (18488, "new password")])
def test_a_login_that_is_refused_is_failed_with_the_reason(enrolled, server, number, words):
    shop = Shop(enrolled, server, schema("order"))
    server.fault("LOGIN", number)
    shop.start(state="failed")
    assert words in shop.why() and f"(error {number})" in shop.why()


def test_a_wrong_password_is_failed_and_stands_nowhere(enrolled, server):
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(password="falsches/Wort%"), state="failed")
    told = shop.why() + enrolled.whole_log() + enrolled.edsctl("status").stdout + enrolled.edsctl("status", "--json").stdout
    assert "Login failed for user 'sa'" in told and "correct user and password in the destination's URL" in told
    assert "falsches" not in told


def test_an_unknown_database_is_waited_for(enrolled, server):
    """On Azure the same is said of one that is being moved."""
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(database="nix"), state="starting")
    shop.wait_why("check the database's name")


def test_a_missing_permission_is_failed_with_the_reason(shop):
    shop.server.fault("UPDATE t SET", 229, times=100)
    shop.craft.send(*rows_of(shop.craft, 5))
    shop.lab.wait_state("shop", "failed")
    assert "grant the login that permission" in shop.why()
    shop.server.clear_faults()
    assert shop.lab.edsctl("restart", "worker", "shop").returncode == 0
    shop.lab.wait_delivered("shop")
    check(shop, 5)


def test_a_table_that_may_not_be_created_is_failed_with_the_reason(enrolled, server):
    server.engine.denied.add("CREATE TABLE")
    shop = Shop(enrolled, server, schema("order"))
    shop.start()
    shop.craft.send(shop.craft.insert("order", {"id": "1"}))
    enrolled.wait_state("shop", "failed")
    assert "CREATE TABLE permission denied" in shop.why()


def test_two_that_create_the_same_table_do_no_harm(enrolled, server):
    shop = Shop(enrolled, server, schema("order"))
    shop.start()
    made = threading.Event()

    def quicker(text):
        if "CREATE TABLE" in text and not made.is_set():
            made.set()
            server.engine.create("CREATE TABLE [dbo].[order] ([id] VARCHAR(64) NOT NULL, PRIMARY KEY ([id]))")
    server.before_text = quicker
    shop.send(shop.craft.insert("order", {"id": "1", "note": "a"}))
    assert made.is_set() and shop.rows("order")["1"]["note"] == "a"


# ---- encryption

@pytest.fixture
def secure(tmp_path):
    """secure(tls, name): a server with a certificate for that name."""
    servers = []

    def make(tls="required", name="127.1"):
        servers.append(TdsServer(tls=tls, folder=str(tmp_path), name=name))
        return servers[-1]
    yield make
    for server in servers:
        server.stop()
        assert server.complaints == []


FAR = "127.1"       # a name that is not loopback's, and leads there


def test_off_loopback_nothing_is_sent_in_the_clear(enrolled, server):
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(host=FAR), state="starting")
    shop.wait_why("the server may offer no encryption")
    assert server.logins == [] and PASSWORD not in shop.why()


def test_off_loopback_the_certificate_is_checked(enrolled, secure):
    server = secure()
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(host=FAR), state="starting")
    shop.wait_why("a certificate that is not trusted or is not for this host")
    assert server.logins == []


def test_off_loopback_the_certificate_has_to_be_for_the_host(enrolled, secure):
    server = secure(name="elsewhere.example.com")
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(host=FAR, certificate=server.ca_path), state="starting")
    shop.wait_why("is not for this host")
    assert server.logins == []


@pytest.mark.parametrize("tls", ["required", "offered"])
def test_a_certificate_of_an_authority_of_ones_own(enrolled, secure, tls):
    server = secure(tls)
    shop = Shop(enrolled, server, schema("order", {"id": crafted.STRING, "note": crafted.NULLABLE}))
    shop.start(server.url(host=FAR, certificate=server.ca_path))
    events = [shop.craft.insert("order", {"id": str(i), "note": "x" * 3000}) for i in range(1, 800)]
    shop.send(*events)
    assert len(shop.rows("order")) == 799
    assert server.logins[0]["encrypted"] and all(r.encrypted for r in server.requests)


def test_the_url_may_trust_any_certificate(enrolled, secure):
    server = secure(name="elsewhere.example.com")
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(host=FAR, trustservercertificate="true"))
    shop.send(shop.craft.insert("order", {"id": "1"}))
    assert server.requests[-1].encrypted


def test_the_url_may_encrypt_the_login_only(enrolled, secure):
    server = secure("offered")
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(encrypt="false", trustservercertificate="true"))
    shop.send(shop.craft.insert("order", {"id": "1"}))
    assert server.logins[0]["encrypted"] and not server.requests[-1].encrypted


def test_a_missing_file_of_certificates_is_told(enrolled, server):
    shop = Shop(enrolled, server, schema("order"))
    shop.start(server.url(encrypt="true", certificate="/nowhere/ca.pem"), state="failed")
    assert "/nowhere/ca.pem: No such file" in shop.why()


# ---- secrets

def test_the_password_stands_in_no_output_and_in_no_argument(shop):
    pid = shop.lab.worker_pid("shop")
    told = shop.lab.whole_log() + shop.why()
    for path in (f"/proc/{pid}/cmdline", f"/proc/{pid}/environ"):
        with open(path, "rb") as f:
            told += f.read().decode(errors="replace")
    assert PASSWORD not in told and "Geheim" not in told
    settings = [p for p in proc_files(pid) if "freetds.conf" in p]
    assert settings, "the settings of FreeTDS are in memory"


def proc_files(pid):
    return [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
