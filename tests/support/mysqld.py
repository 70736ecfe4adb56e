"""A throw-away MySQL server on loopback, where there is one: Oracle's, as Debian's sid has it.

EDS_MYSQLD names the program `mysqld`, in the system or in a tree of its own (tests/support/fetch-mysqld.sh makes
one); without it build/tools/mysql is looked at.  A tree's programs run with the tree's own libraries.
"""
import os
import pwd

from tests.support import mariadbd
from tests.support.natsd import ROOT
from tests.support.oracle import same_values

SETTINGS = ("--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--innodb-redo-log-capacity=96M",
            "--performance-schema=OFF", "--skip-log-bin", "--default-time-zone=+05:00", "--sql-mode=",
            "--max-allowed-packet=16M", "--character-set-server=latin1", "--mysqlx=OFF", "--secure-file-priv=NULL")
FETCHED = os.path.join(ROOT, "build/tools/mysql/usr/sbin/mysqld")


def program():
    """Its path; None when there is none."""
    path = os.environ.get("EDS_MYSQLD") or FETCHED
    return path if os.access(path, os.X_OK) else None


def missing():
    """Why there can be no server here; "" when there can."""
    if program() is None:
        return "no mysqld: set EDS_MYSQLD, or run tests/support/fetch-mysqld.sh"
    if os.getuid() == 0:
        try:
            pwd.getpwnam("mysql")
        except KeyError:
            return "there is no account `mysql` for a server to run as: install the package mariadb-server"
    return mariadbd.client_missing()


def _argv():
    """The program, through its tree's loader where it lies in one, and the tree's own folders."""
    path = program()
    tree = os.path.dirname(os.path.dirname(os.path.dirname(path)))
    loader = os.path.join(tree, "usr/lib64/ld-linux-x86-64.so.2")
    if tree == "/" or not os.path.exists(loader):
        return [path, "--no-defaults"]
    libraries = os.path.join(tree, "usr/lib/x86_64-linux-gnu")
    return [loader, "--library-path", libraries, path, "--no-defaults", "--basedir=" + os.path.join(tree, "usr"),
            "--lc-messages-dir=" + os.path.join(tree, "usr/share/mysql"),
            "--plugin-dir=" + os.path.join(tree, "usr/lib/mysql/plugin")]


class MySql(mariadbd.MariaDb):
    """Accounts sign in by caching_sha2_password, as new ones do since MySQL 8."""

    name = "MySQL"
    missing = staticmethod(missing)
    exact_json = {"json": "text"}
    key_collation = "utf8mb4_0900_bin"
    aliases = {"boolean": "tinyint(1)"}
    check_failed = "Check constraint '{}' is violated"

    def _installer(self):
        return [*_argv(), "--initialize-insecure", "--datadir=" + self.data, "--innodb-redo-log-capacity=96M"]

    def _program(self):
        return [*_argv(), *SETTINGS]

    def allow_wide_tables(self, user):
        self.run(f"GRANT SESSION_VARIABLES_ADMIN ON *.* TO '{user}'@'127.0.0.1'")

    def spelled(self, json_text):
        db = self.connect()
        try:
            with db.cursor() as cursor:
                cursor.execute("SELECT CAST(%s AS JSON)", (json_text,))
                return cursor.fetchone()[0]
        finally:
            db.close()

    def problem(self, prop, expected, actual):
        """JSON is a type of its own: values are kept, the spelling is the server's."""
        kind = prop.get("type")
        if kind in ("object", "array") and not (prop.get("items") or {}).get("enum") and None not in (expected, actual):
            return "" if same_values(expected, actual) else f"{actual!r} instead of {expected!r}"
        return super().problem(prop, expected, actual)


def chosen():
    """The server for tests that any of the two will do for: MySQL when EDS_MYSQLD asks for it."""
    return MySql if os.environ.get("EDS_MYSQLD") else mariadbd.MariaDb
