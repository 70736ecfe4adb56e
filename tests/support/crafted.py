"""Single events of tables that a test makes up, for destinations with tables."""
import itertools

from tests.support.events import COMPANY, Event
from tests.support.values import write_json

STRING, NULLABLE = {"type": "string"}, {"type": "string", "nullable": True}
DATE = {"type": "string", "format": "date-time", "nullable": True}
INTEGER, NUMBER = {"type": "integer", "nullable": True}, {"type": "number", "nullable": True}
BOOLEAN = {"type": "boolean", "nullable": True}
OBJECT = {"type": "object", "nullable": True}
ARRAY = {"type": "array", "items": {"type": "string"}, "nullable": True}
ENUM = {"type": "array", "items": {"type": "enum", "enum": ["Estimate", "Invoice"]}, "nullable": True}

# A table with a column of every kind.
EVERY = {"id": STRING, "note": NULLABLE, "createdDate": DATE, "totalCents": INTEGER, "percent": NUMBER, "paid": BOOLEAN,
         "labels": OBJECT, "tags": ARRAY, "status": ENUM, "updatedDate": DATE}


def schema(table, columns=None, keys=("id",), required=(), version="v1"):
    return {"table": table, "modelVersion": version, "primaryKeys": list(keys), "properties": dict(columns or EVERY),
            "required": [*keys, *required]}


class Crafted:
    """insert(), update(), delete() make events, each a moment later than the one before; publish them with
    lab.admin or send()."""

    def __init__(self, lab, *schemas):
        self.lab = lab
        self._count = itertools.count(1)
        self.set(*schemas)

    def set(self, *schemas):
        """What HQ has as the latest version of its tables; earlier versions stay known."""
        self._latest = {s["table"]: s for s in schemas}
        self.lab.hq.set_schemas(dict(self._latest))

    def event(self, operation, table, key, before=None, after=None, diff=None, version=None, mvcc=None):
        n = next(self._count)
        event_id, timestamp = f"e{n:07}", 1720549683697 + n
        body = {"operation": operation, "id": event_id, "timestamp": timestamp,
                "mvccTimestamp": mvcc or f"{timestamp}000000.0000000000", "table": table, "key": key,
                "modelVersion": version or self._latest[table]["modelVersion"], "companyId": COMPANY}
        for name, value in (("before", before), ("after", after), ("diff", diff)):
            if value is not None:
                body[name] = value
        return Event(f"dbchange.{table}.{operation}.{COMPANY}.NONE.PUBLIC.{event_id}", write_json(body).encode(), event_id,
                     operation, table, key[-1], timestamp)

    def insert(self, table, row, key=None, **more):
        return self.event("INSERT", table, key or [str(row.get("id"))], after=row, **more)

    def update(self, table, row, diff=(), key=None, **more):
        return self.event("UPDATE", table, key or [str(row.get("id"))], after=row, diff=list(diff), **more)

    def delete(self, table, key, before=None, **more):
        return self.event("DELETE", table, key if isinstance(key, list) else [key], before=before, **more)

    def send(self, *events):
        """Publish, in this order."""
        self.lab.admin.publish_many(e.message for e in events)
