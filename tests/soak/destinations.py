"""What a soak needs of a destination: a URL, a way to restart it, and a judgement on what stands there.

To add one: a class like these, and its row in DESTINATIONS.
"""
import os

from tests.support import mariadbd, postgresd, tds


class Sqlite:
    """A file: there is no server to restart."""

    def __init__(self, folder):
        self._path = os.path.join(folder, "soak.db")
        self.url = "sqlite://" + self._path

    @staticmethod
    def missing():
        """Why it cannot be used here; "" when it can."""
        return ""

    def restart(self, how):
        """End the server ("stop" or "kill") and start it again with what it had."""

    def differences(self, oracle):
        return oracle.compare_sqlite(self._path)

    def close(self):
        pass


class Postgres:
    missing = staticmethod(postgresd.missing)

    def __init__(self, folder):
        self._server = postgresd.Postgres().start()
        self.url = self._server.url(self._server.create("soak"))

    def restart(self, how):
        self._server.restart(how)

    def differences(self, oracle):
        link = self._server.connect("soak")
        try:
            return postgresd.differences(oracle, link)
        finally:
            link.close()

    def close(self):
        self._server.close()


class Mysql:
    missing = staticmethod(mariadbd.missing)
    options = {}

    def __init__(self, folder):
        self._server = mariadbd.MariaDb().start()
        self._database = self._server.create("soak")
        self.url = self._server.url(self._database, **self.options)

    def restart(self, how):
        self._server.restart(how)

    def differences(self, oracle):
        return self._server.differences(oracle, self._database)

    def close(self):
        self._server.close()


class MysqlRows(Mysql):
    """Without arrays, as for servers of MySQL."""
    options = {"bulk": "off"}


class SqlServer:
    """The peer of tests/support/tds.py: there is no SQL Server to be had."""

    def __init__(self, folder):
        self._server = tds.TdsServer()
        self.url = self._server.url()

    @staticmethod
    def missing():
        return ""

    def restart(self, how):
        """What was committed stays; what was under way is rolled back."""
        self._server.stop()
        self._server.start()

    def differences(self, oracle):
        return self._server.differences(oracle) + self._server.complaints

    def close(self):
        self._server.stop()


DESTINATIONS = {"sqlite": Sqlite, "postgres": Postgres, "mysql": Mysql, "mysql-rows": MysqlRows, "sqlserver": SqlServer}
