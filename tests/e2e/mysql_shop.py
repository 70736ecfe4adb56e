"""A laboratory whose destination `shop` is a fresh database of a MariaDB server."""
import itertools
import json

from tests.e2e.helpers import quick
from tests.support.crafted import Crafted

_numbers = itertools.count(1)


class Shop:
    def __init__(self, lab, server, *schemas, user=None):
        self.lab, self.server = lab, server
        number = next(_numbers)
        self.user = user or f"eds{number}"
        self.database = server.create(f"eds-shop {number}", self.user)
        self.craft = Crafted(lab, *schemas) if schemas else None

    def url(self, **query):
        """The laboratory's own traffic has numbers in JSON that MySQL's type would round."""
        exact = {} if self.craft else self.server.exact_json
        return self.server.url(self.database, user=self.user, **{**exact, **query})

    def start(self, url=None, state="running", **options):
        """The server with this destination; waits until it is in a state."""
        self.lab.start_eds({"shop": quick(url or self.url(), **options)}, wait=state == "running" or "answer")
        return self.lab.wait_state("shop", state)

    def send(self, *events):
        """Publish, and wait until everything is stored or set aside."""
        self.craft.send(*events)
        self.lab.wait_delivered("shop")

    def run(self, *statements):
        return self.server.run(*statements, database=self.database)

    def rows(self, table):
        return self.server.rows(self.database, table)

    def columns(self, table):
        """{column: type} of a table."""
        return {row[0]: row[1] for row in self.run(f"SHOW COLUMNS FROM `{table}`")}

    def refused(self):
        """What is set aside: [(table, reason)]."""
        done = self.lab.edsctl("quarantine", "list", "--json")
        return [(e["subject"].split(".")[1], e["reason"]) for e in json.loads(done.stdout)["items"]]

    def differences(self):
        return self.server.differences(self.lab.oracle, self.database)
