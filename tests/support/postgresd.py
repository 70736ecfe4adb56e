"""A throw-away PostgreSQL server on loopback, and a client for looking at what stands there."""
import datetime
import glob
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from urllib.parse import quote, urlencode

from tests.support import natsd, proc
from tests.support.lab import descendants, start_time
from tests.support.oracle import compare_value, same_values
from tests.support.serve import serve

PASSWORD = "s3cret/+%@:?#word"      # every character that a URL has a use for
SUPER = "laboratory"
# As durable as a real one; a time zone and a spelling of dates that must not matter.
SETTINGS = {"listen_addresses": "127.0.0.1", "timezone": "Asia/Kolkata", "datestyle": "SQL, DMY", "max_connections": "40",
            "shared_buffers": "64MB", "log_min_messages": "warning", "password_encryption": "scram-sha-256",
            "autovacuum_naptime": "10s",
            "dynamic_shared_memory_type": "mmap"}       # in the data directory, so that it goes with a killed server


def _program(name):
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    return shutil.which(name, path=":".join(reversed(places)) + ":" + os.environ["PATH"])


def missing():
    """Why there can be no server here; "" when there can."""
    for program in ("initdb", "postgres"):
        if _program(program) is None:
            return f"PostgreSQL's {program} is not installed: install the package postgresql-15"
    try:
        import psycopg2      # noqa: F401
    except ImportError:
        return "psycopg2 is not installed: install the package python3-psycopg2"
    return ""


def install(data):
    """A new data directory: 2 s, so one is made and copied."""
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        os.makedirs(data, mode=0o700)
        os.chown(data, account.pw_uid, account.pw_gid)
    done = subprocess.run([*proc.as_account("postgres"), _program("initdb"), "-D", data, "-U", SUPER, "-A", "trust",
                           "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, cwd="/")
    if done.returncode != 0:
        raise RuntimeError(f"initdb ended with {done.returncode}:\n{done.stdout}{done.stderr}")


class Postgres:
    """start() ... stop(); kill() and start() again keep port and data."""

    def __init__(self, template=None, tls=False, settings=None):
        """`template`: a data directory to copy."""
        self.folder = tempfile.mkdtemp(prefix="eds-postgres-")
        os.chmod(self.folder, 0o755)        # the server's account has to come through
        self.data = os.path.join(self.folder, "data")
        self.port = proc.free_port()
        self._settings = {**SETTINGS, **(settings or {})}
        self._template, self._process = template, None
        self.ca_path = None
        if tls:
            self._make_certificates()

    def _make_certificates(self):
        self.ca_path, cert, key = natsd.make_certificates(self.folder)
        self._settings.update(ssl="on", ssl_cert_file=cert, ssl_key_file=key)
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            for path in (cert, key):
                os.chown(path, account.pw_uid, account.pw_gid)

    # ---- life

    def start(self, **settings):
        """`settings`: of this start alone."""
        if not os.path.isdir(self.data):
            if self._template:
                subprocess.run(["cp", "-a", self._template, self.data], check=True)
            else:
                install(self.data)
            self._write_access()
        options = [f"-c{k}={v}" for k, v in {**self._settings, **settings}.items()]
        self._process = proc.Process([
            *proc.as_account("postgres"), _program("postgres"), "-D", self.data, "-p", str(self.port),
            "-cunix_socket_directories=" + self.data, *options], os.path.join(self.folder, "postgres.log"), cwd="/")
        proc.wait_until(self._answers, lambda: "PostgreSQL to answer; it said:\n" + self._process.last_lines(), 30)
        return self

    def _write_access(self):
        """The laboratory's own account by any way, others by password over TCP."""
        with open(os.path.join(self.data, "pg_hba.conf"), "w", encoding="utf-8") as f:
            f.write(f"local all {SUPER} trust\nhost all {SUPER} 127.0.0.1/32 trust\n"
                    "host all all 127.0.0.1/32 scram-sha-256\n")

    def _answers(self):
        import psycopg2
        if not self._process.running():
            raise RuntimeError("PostgreSQL ended at start; it said:\n" + self._process.last_lines())
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    @property
    def pid(self):
        return self._process.pid

    def running(self):
        return self._process is not None and self._process.running()

    def stop(self):
        """Without waiting for clients to leave, as `systemctl restart` does."""
        if self.running():
            self._process.signal(2)
            self._process.wait(30)

    def kill(self):
        """The postmaster; the others find themselves orphaned and end, before which there can be no new one."""
        if not self.running():
            return
        children = descendants(self.pid)
        self._process.kill()
        proc.wait_until(lambda: all(start_time(p) != started for p, started in children.items()),
                        "the orphans of PostgreSQL to end", 60)

    def restart(self, how="stop", **settings):
        getattr(self, how)()
        return self.start(**settings)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # ---- looking and preparing

    def connect(self, database="postgres", user=SUPER, **options):
        """UTC, and text in Unicode."""
        import psycopg2
        link = psycopg2.connect(host="127.0.0.1", port=self.port, user=user, dbname=database, connect_timeout=10,
                                options="-c timezone=UTC -c datestyle=ISO -c search_path=\"$user\",public", **options)
        link.autocommit = True
        return link

    def run(self, *statements, database="postgres"):
        """Rows of the last statement, as tuples; () when it has none."""
        link = self.connect(database)
        try:
            with link.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            link.close()

    def create(self, database, user=None, password=PASSWORD):
        """A fresh database and a role of the same name (or `user`) that owns it."""
        user = user or database
        if not self.run(f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'"):
            self.run(f"CREATE ROLE \"{user}\" LOGIN PASSWORD '{password}'")
        self.run(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', f'CREATE DATABASE "{database}" OWNER "{user}"')
        return database

    def url(self, database, user=None, password=PASSWORD, scheme="postgres", port=None, host="127.0.0.1", **query):
        return (f"{scheme}://{quote(user or database, safe='')}:{quote(password, safe='')}@{host}:{port or self.port}/"
                f"{quote(database, safe='')}" + ("?" + urlencode(query) if query else ""))


# ---- what stands there

def tables(link):
    """Names of the tables that an unqualified name reaches."""
    with link.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = ANY (current_schemas(false))")
        return {name for name, in cursor.fetchall()}


def rows(link, table):
    """All rows of a table as {column: value}; JSON as its text."""
    from psycopg2 import extras
    extras.register_default_jsonb(link, loads=lambda text: text)
    with link.cursor() as cursor:
        cursor.execute('SELECT * FROM "%s"' % table.replace('"', '""'))
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def problem(prop, expected, actual):
    """As oracle.compare_value(), for what PostgreSQL holds: times to the microsecond, JSON as values, no NUL."""
    kind = prop.get("type")
    if expected is None or actual is None:
        return "" if expected is actual else f"{actual!r} instead of {expected!r}"
    if kind in ("object", "array") and not (prop.get("items") or {}).get("enum"):
        held = same_values(expected, actual, lambda s: s.replace("\0", ""))
        return "" if held else f"{actual!r} instead of {expected!r}"
    if kind == "string" and prop.get("format") == "date-time":
        return "" if actual == moment(expected) else f"{actual!r} instead of {expected!r}"
    if isinstance(expected, str) and kind == "string":
        expected = expected.replace("\0", "")
    return compare_value(prop, expected, actual)


def moment(text):
    """A point in time, further digits than microseconds left away."""
    found = re.fullmatch(r"(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    at = datetime.datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    return at.replace(microsecond=int((found[2] or "0")[:6].ljust(6, "0")))


def differences(oracle, link):
    """What is wrong with the tables of a database; [] when nothing is."""
    return oracle.compare_tables(tables(link), lambda table: rows(link, table), problem)


if __name__ == "__main__":
    serve(Postgres, missing())
