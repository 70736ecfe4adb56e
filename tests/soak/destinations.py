"""What a soak needs of a destination: a URL, a way to restart it, and a judgement on what stands there.

To add one: a class like these, and its row in DESTINATIONS.
"""
import os

from tests.support import gojson, kafka_broker, mariadbd, postgresd, tds
from tests.support.kafka import read_topic
from tests.support.oracle import Oracle


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
        self._server.requests.clear()       # they would be gigabytes
        self._server.start()

    def differences(self, oracle):
        return self._server.differences(oracle) + self._server.complaints

    def close(self):
        self._server.stop()


class Kafka:
    """A topic; its messages in the order in which the changes happened have to make the model."""

    def __init__(self, folder):
        own = os.path.join(folder, "kafka")
        os.mkdir(own)
        self._server = kafka_broker.Server(own, kafka_broker.classpath()[0]).start()
        self._address = f"127.0.0.1:{self._server.ports['PLAINTEXT']}"
        self.url = f"kafka://{self._address}/soak?compression=lz4"

    @staticmethod
    def missing():
        return kafka_broker.classpath()[1] or ""

    def restart(self, how):
        """A broker that is the only one has nobody to hand over to: every end is a sudden one."""
        self._server.stop()
        self._server.start()

    def differences(self, oracle):
        messages, _ = read_topic(self._address, "soak")
        changes, lanes = {}, {}
        for m in messages:
            when = int(gojson.envelope(m.value)["mvccTimestamp"].split(".")[0])
            changes[when] = m.value
            lanes.setdefault(m.headers[0][1], []).append(when)
        replayed = Oracle(oracle.schemas, files=False)
        replayed.record(*(changes[when] for when in sorted(changes)))
        wanted, found = oracle.expected_rows(), replayed.expected_rows()
        return [f"the changes of {lane} came in another order" for lane, times in lanes.items()
                if list(dict.fromkeys(times)) != sorted(set(times)) or times[-1] != max(times)] + [
            f"{table} {key}: {found.get(table, {}).get(key)} instead of {rows.get(key)}"[:300]
            for table, rows in wanted.items() for key in sorted(set(rows) | set(found.get(table, {})))
            if rows.get(key) != found.get(table, {}).get(key)][:20]

    def close(self):
        self._server.stop()


DESTINATIONS = {"kafka": Kafka, "sqlite": Sqlite, "postgres": Postgres, "mysql": Mysql, "mysql-rows": MysqlRows,
                "sqlserver": SqlServer}
