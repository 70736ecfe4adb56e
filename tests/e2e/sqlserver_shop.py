"""A laboratory whose destination `shop` is a database of the peer for SQL Server."""
import json

from tests.e2e.helpers import quick
from tests.support.crafted import Crafted
from tests.support.tsql_session import Session


class Shop:
    def __init__(self, lab, server, *schemas):
        self.lab, self.server, self.engine = lab, server, server.engine
        self.craft = Crafted(lab, *schemas) if schemas else None

    def start(self, url=None, state="running", **options):
        """The server with this destination; waits until it is in a state."""
        self.lab.start_eds({"shop": quick(url or self.server.url(), **options)}, wait=state == "running" or "answer")
        return self.lab.wait_state("shop", state)

    def send(self, *events):
        """Publish, and wait until everything is stored or set aside."""
        self.craft.send(*events)
        self.lab.wait_delivered("shop")

    def together(self, *events):
        """Publish while the destination is paused, so that they come in one batch."""
        assert self.lab.edsctl("pause", "shop").returncode == 0
        self.lab.wait_state("shop", "paused")
        self.craft.send(*events)
        self.lab.wait_until(lambda: self.lab.destination("shop")["behind"] == len(events), "the events to wait")
        assert self.lab.edsctl("resume", "shop").returncode == 0
        self.lab.wait_delivered("shop")

    def rows(self, table, schema=None):
        """{key: row}, a key of several columns as a tuple."""
        with self.engine.lock:
            key = self.engine.table(table, schema).key
            found = self.engine.rows(table, schema)
        low = [{n.lower(): v for n, v in r.items()} for r in found]
        return {tuple(lr[k] for k in key) if len(key) > 1 else lr[key[0]]: r for lr, r in zip(low, found)}

    def columns(self, table):
        """{column: (type, length)} of a table."""
        with self.engine.lock:
            return {c.name: c.kind for c in self.engine.table(table).columns}

    def run(self, *scripts):
        """As somebody else with the usual options would."""
        session = Session(self.engine)
        session.options = dict.fromkeys(session.options, True)
        with self.engine.lock:
            for script in scripts:
                session.run_script(script)

    def refused(self):
        """What is set aside: [(table, reason)]."""
        done = self.lab.edsctl("quarantine", "list", "--json")
        return [(e["subject"].split(".")[1], e["reason"]) for e in json.loads(done.stdout)["items"]]

    def why(self):
        return self.lab.edsctl("why", "shop").stdout

    def wait_why(self, words):
        """Until `edsctl why` says so."""
        return self.lab.wait_until(lambda: words in (said := self.why()) and said, f"edsctl why to say {words!r}")
