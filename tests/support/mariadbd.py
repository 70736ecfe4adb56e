"""A throw-away MariaDB server on loopback, a client for looking at what stands there, and whether it is right."""
import os
import pwd
import shutil
import subprocess
import tempfile
from datetime import datetime
from urllib.parse import quote, urlencode

from tests.support import natsd, proc
from tests.support.oracle import compare_value
from tests.support.serve import serve

PASSWORD = "s3cret/+%@:?#word"      # every character that a URL has a use for
# Small and quick, but as durable and as strict about packets as a real one.
SETTINGS = ("--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=48M",
            "--performance-schema=OFF", "--skip-log-bin", "--default-time-zone=+05:00", "--sql-mode=",
            "--max-allowed-packet=16M", "--character-set-server=latin1")


def missing():
    """Why there can be no server here; "" when there can."""
    for program in ("mariadbd", "mariadb-install-db"):
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
            return f"{program} is not installed: install the package mariadb-server"
    return client_missing()


def client_missing():
    try:
        import pymysql      # noqa: F401
    except ImportError:
        return "pymysql is not installed: install the package python3-pymysql"
    return ""


class MariaDb:
    """start() ... stop(); kill() and start() again keep port and data.  The server's own defaults are hostile on
    purpose: another time zone, no strict mode, Latin 1."""

    name = "MariaDB"
    missing = staticmethod(missing)
    exact_json = {}             # options of the URL with which JSON columns hold every number
    key_collation = "utf8mb4_nopad_bin"
    aliases = {"boolean": "tinyint(1)", "json": "longtext", "bigint": "bigint(20)"}
    check_failed = "CONSTRAINT `{}` failed"

    def __init__(self, folder=None, settings=(), tls=False):
        self._own_folder = None if folder else tempfile.mkdtemp(prefix="eds-mariadb-")
        self.folder = str(folder or self._own_folder)
        self.port = proc.free_port()
        self.data = os.path.join(self.folder, "data")
        self.socket = os.path.join(self.folder, "sock")
        self._settings = list(settings)
        self._process = self.ca_path = None
        if tls:
            self._make_certificates()

    def _make_certificates(self):
        self.ca_path, cert, key = natsd.make_certificates(self.folder)
        self._settings += [f"--ssl-ca={self.ca_path}", f"--ssl-cert={cert}", f"--ssl-key={key}"]
        if os.getuid() == 0:
            account = pwd.getpwnam("mysql")
            for path in (self.ca_path, cert, key):
                os.chown(path, account.pw_uid, account.pw_gid)

    # ---- life

    def _install(self):
        if os.getuid() == 0:
            account = pwd.getpwnam("mysql")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        done = subprocess.run([*proc.as_account("mysql"), *self._installer()], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120, env={**os.environ, "TMPDIR": self.folder})     # in /tmp several get in each other's way
        if done.returncode != 0:
            raise RuntimeError(f"the installation of {self.name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def _installer(self):
        return ["mariadb-install-db", "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal",
                "--datadir=" + self.data, "--innodb-log-file-size=48M"]

    def _program(self):
        """What starts the server, with the options that are always the same."""
        return [shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin"), "--no-defaults", *SETTINGS]

    def start(self, *more):
        """`more`: settings of this start alone."""
        if not os.path.isdir(self.data):
            self._install()
        self._process = proc.Process([
            *proc.as_account("mysql"), *self._program(), "--datadir=" + self.data, "--socket=" + self.socket,
            "--tmpdir=" + self.folder, f"--port={self.port}", "--bind-address=127.0.0.1", "--pid-file=" + os.path.join(self.folder, "pid"),
            *self._settings, *more], os.path.join(self.folder, "server.log"))
        proc.wait_until(self._answers, lambda: f"{self.name} to answer; it said:\n" + self._process.last_lines(), 30)
        return self

    def _answers(self):
        if not self._process.running():
            raise RuntimeError(f"{self.name} ended at start; it said:\n" + self._process.last_lines())
        try:
            self.connect().close()
        except OSError:
            return False
        except Exception as e:
            if "Can't connect" in str(e) or "Lost connection" in str(e):
                return False
            raise
        return True

    @property
    def pid(self):
        return self._process.pid

    def running(self):
        return self._process is not None and self._process.running()

    def stop(self):
        if self._process:
            self._process.stop()

    def kill(self):
        if self._process:
            self._process.kill()

    def restart(self, how="stop", *more):
        getattr(self, how)()
        return self.start(*more)

    def close(self):
        self.kill()
        if self._own_folder:
            shutil.rmtree(self._own_folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # ---- looking and preparing

    def connect(self, database=None, **options):
        import pymysql
        return pymysql.connect(**{"unix_socket": self.socket, "user": "root", "database": database,
                                  "charset": "utf8mb4", "autocommit": True,
                                  "init_command": "SET time_zone = '+00:00'", **options})

    def run(self, *statements, database=None):
        """Rows of the last statement, as tuples."""
        db = self.connect(database)
        try:
            with db.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            db.close()

    def create(self, database, user="eds", password=PASSWORD, rights="ALL PRIVILEGES"):
        """A fresh database and a user who may do that much in it."""
        name = "`" + database.replace("`", "``") + "`"
        self.run(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}",
                 f"DROP USER IF EXISTS '{user}'@'127.0.0.1'", f"CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{password}'",
                 f"GRANT {rights} ON {name}.* TO '{user}'@'127.0.0.1'")
        return database

    def url(self, database, user="eds", password=PASSWORD, port=None, at="127.0.0.1", **query):
        return (f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@{at}:{port or self.port}/"
                f"{quote(database, safe='')}" + ("?" + urlencode(query) if query else ""))

    def rows(self, database, table):
        """{primary key (a text, or a tuple): {column: value}}; times as text, other values as the client gives them."""
        from pymysql import converters
        plain = {k: v for k, v in converters.conversions.items()
                 if k not in (converters.FIELD_TYPE.TIMESTAMP, converters.FIELD_TYPE.DATETIME, converters.FIELD_TYPE.DATE)}
        db = self.connect(database, conv=plain)
        try:
            with db.cursor() as cursor:
                name = "`" + table.replace("`", "``") + "`"
                cursor.execute(f"SHOW COLUMNS FROM {name}")
                keys = [row[0] for row in cursor.fetchall() if row[3] == "PRI"]
                cursor.execute(f"SELECT * FROM {name}")
                names = [d[0] for d in cursor.description]
                found = [dict(zip(names, row)) for row in cursor.fetchall()]
        finally:
            db.close()
        return {r[keys[0]] if len(keys) == 1 else tuple(r[k] for k in keys): r for r in found}

    def tables(self, database):
        return {name for name, in self.run("SHOW TABLES", database=database)}

    def allow_wide_tables(self, user):
        """What an account needs besides its rights in the database, to turn InnoDB's strict mode off."""

    def spelled(self, json_text):
        """A JSON text as a JSON column gives it back."""
        return json_text

    def type_spelled(self, column_type):
        """A type as SHOW COLUMNS has it."""
        return self.aliases.get(column_type.lower(), column_type.lower())

    def problem(self, prop, expected, actual):
        """As oracle.compare_value(), with times in UTC to the microsecond."""
        if prop.get("format") == "date-time" and isinstance(expected, str) and isinstance(actual, str):
            same = datetime.fromisoformat(expected) == datetime.fromisoformat(actual + "Z")
            return "" if same else f"{actual!r} instead of {expected!r}"
        return compare_value(prop, expected, actual)

    def differences(self, oracle, database):
        """What is wrong in a database after the events that an Oracle took note of."""
        return oracle.compare_tables(self.tables(database), lambda t: list(self.rows(database, t).values()), self.problem)


if __name__ == "__main__":
    serve(MariaDb, missing())
