"""A running server with one SQL destination, and events of any shape for it."""
import itertools
import json
import uuid

from helpers import quick
from tests.support import proc
from tests.support.events import COMPANY
from tests.support.gojson import Num

NAME = "sql"
MVCC = 1720732611708587506
TEXT, WHOLE, NUMBER, BOOL = ({"type": t, "nullable": True} for t in ("string", "integer", "number", "boolean"))
TIME = {"type": "string", "format": "date-time", "nullable": True}
OBJECT, ARRAY = {"type": "object", "nullable": True}, {"type": "array", "nullable": True, "items": {"type": "string"}}


def write(value):
    """JSON; a Num keeps its digits, text outside ASCII is escaped."""
    if isinstance(value, Num):
        return str.__str__(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


class Stage:
    """Tables are declared with table(), events sent with insert(), update(), delete(); each waits until it has come."""

    def __init__(self, lab, url, **options):
        self.lab, self._clock, self._last = lab, itertools.count(), None
        lab.start_eds({NAME: quick(url, **{"hang_timeout": "60s", **options})})
        lab.wait_running(NAME)

    def table(self, name, properties, keys=("id",), required=None, version="v1"):
        """Publishes a version of a table at HQ; returns the table's name."""
        schema = {"table": name, "modelVersion": version, "primaryKeys": list(keys),
                  "required": list(keys if required is None else required),
                  "properties": {**{k: {"type": "string"} for k in keys}, **properties}}
        self.lab.hq.set_schemas({**self.lab.hq.schemas, name: schema})
        return name

    def event(self, operation, table, key, version="v1", mvcc=None, **members):
        event_id = uuid.uuid4().hex[:16]
        number = MVCC + next(self._clock) * 1000 if mvcc is None else mvcc
        body = {"operation": operation, "id": event_id, "table": table, "key": key if isinstance(key, list) else [key],
                "modelVersion": version, "companyId": COMPANY, "timestamp": number // 1000000,
                "mvccTimestamp": f"{number}.0000000000", **members}
        subject = f"dbchange.{table}.{operation}.{COMPANY}.NONE.PUBLIC.{event_id}"
        return subject, write(body).encode(), {"Nats-Msg-Id": event_id}

    def send(self, *messages):
        self.publish(*messages)
        self.lab.wait_delivered(NAME, timeout=20)

    def publish(self, *messages):
        self.lab.admin.publish_many(messages)

    def insert(self, table, row, key=None, **more):
        self.send(self.event("INSERT", table, key or row["id"], after=row, **more))

    def update(self, table, after, diff, key=None, **more):
        self.send(self.event("UPDATE", table, key or after["id"], after=after, diff=diff, **more))

    def delete(self, table, key, **more):
        self.send(self.event("DELETE", table, key, **more))

    # ---- what the server says of it

    def quarantined(self):
        """Reasons of what was set aside."""
        done = self.lab.edsctl("--json", "quarantine", "list")
        return [item["reason"] for item in json.loads(done.stdout)["items"]]

    def rejected(self, *messages):
        """Sends them; the reasons for which some were set aside, which are then dropped."""
        before = len(self.quarantined())
        self.send(*messages)
        self.lab.wait_until(lambda: len(self.quarantined()) > before, "an event to be set aside")
        return self.quarantined()[before:]

    def why(self):
        return self.lab.edsctl("why", NAME).stdout

    def wait_why(self, text, timeout=30.0):
        """Until `edsctl why` says so; the whole answer."""
        found = []

        def look():
            found[:] = [self.why()]
            return text in found[0]
        proc.wait_until(look, lambda: f"edsctl why to say {text!r}; it says:\n{found[0] if found else ''}", timeout)
        return found[0]
