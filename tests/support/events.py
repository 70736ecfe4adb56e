"""A seeded stream of realistic changes to a shop's tables, exactly as HQ publishes them."""
import json
import os
import random
from dataclasses import dataclass
from datetime import datetime, timezone

from tests.support.natsd import ROOT
from tests.support.values import Values, write_json

COMPANY = "6287a4154d1a72cc5ce091bb"
LOCATIONS = ("6287a4044d1a723b10eff1b0", "6287a4044d1a723b10eff1b1")
NEVER_CHANGE = ("id", "companyId", "locationId", "createdDate")


def load_schemas(path="tests/data/schema.json"):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return json.load(f)


@dataclass(frozen=True)
class Event:
    subject: str
    payload: bytes
    id: str
    operation: str
    table: str
    key: str                # the row's id
    timestamp: int          # milliseconds

    @property
    def message(self):
        """What natswire.Client.publish_many takes."""
        return self.subject, self.payload, {"Nats-Msg-Id": self.id}


class EventStream:
    """batch(n) gives the next n events; the same seed and calls give the same bytes.

    `unique_seconds`: no two events of one row share a second, as the names of
    stored files have that resolution.  `tables` limits to some table names.
    """

    def __init__(self, schemas=None, seed=1, company=COMPANY, locations=LOCATIONS, tables=None,
                 unique_seconds=True, start_ms=1720549683697, row_limit=60):
        self.rng = random.Random(seed)
        self.values = Values(self.rng)
        self.company, self.locations = company, locations
        self.schemas = {s["table"]: s for s in (schemas or load_schemas()).values()
                        if tables is None or s["table"] in tables}
        self.tables = sorted(self.schemas)
        self.rows = {t: {} for t in self.tables}        # table -> id -> row as it is now
        self._deleted = {t: [] for t in self.tables}
        self._unique_seconds, self._row_limit = unique_seconds, row_limit
        self._last_second = {}
        self._now_ms, self._mvcc = start_ms, start_ms * 1000000
        self._untouched = list(self.tables)             # each table gets a row before anything repeats

    def batch(self, count):
        return [self.next() for _ in range(count)]

    def next(self):
        if self._untouched:
            return self.insert(self._untouched.pop(0))
        table = self.rng.choice(self.tables)
        rows, dice = self.rows[table], self.rng.random()
        if not rows or (dice < 0.4 and len(rows) < self._row_limit):
            return self.insert(table)
        key = self.rng.choice(list(rows))
        return self.update(table, key) if dice < 0.87 else self.delete(table, key)

    def snapshot(self):
        """(time in nanoseconds, {table: [row as JSON bytes, ...]}): everything as it is now."""
        return self._mvcc, {t: [write_json(r).encode() for r in list(rows.values())] for t, rows in self.rows.items()}
    def every_kind(self):
        """Insert, update and delete of every table, each row inserted anew at the end of its table's turn."""
        events = []
        for table in self.tables:
            first, second = self.insert(table), self.insert(table)
            events += [first, second, self.update(table, first.key), self.update(table, second.key),
                       self.delete(table, first.key), self.insert(table, key=first.key)]
        return events

    # ---- single changes, for tests that want a certain one

    def insert(self, table, key=None, **columns):
        """A new row; `columns` fix some of its values.  Sometimes a deleted id comes back."""
        back = self._deleted[table]
        if key is None:
            key = back.pop() if back and self.rng.random() < 0.2 else self.values.uuid()
        elif key in back:
            back.remove(key)
        row = {}
        for name, prop in self._shuffled(table):
            if name in self.schemas[table]["required"] or self.rng.random() < 0.7:
                row[name] = self.values.of(name, prop)
        row.update(self._fixed(table, key), **columns)
        self.rows[table][key] = row
        return self._event("INSERT", table, key, after=row)

    def update(self, table, key, **columns):
        """A change of one to five columns, or of `columns`; an optional column may vanish from the row."""
        schema, before = self.schemas[table], self.rows[table][key]
        after, diff = dict(before), list(columns)
        after.update(columns)
        candidates = [c for c in self._shuffled(table) if c[0] not in NEVER_CHANGE and not columns]
        for name, prop in candidates[:self.rng.randint(1, 5)]:
            if name in before and name not in schema["required"] and self.rng.random() < 0.1:
                del after[name]
            else:
                after[name] = self.values.of(name, prop)
            if name not in before or name not in after or write_json(after[name]) != write_json(before[name]):
                diff.append(name)
        if not columns and "updatedDate" in schema["properties"]:
            after["updatedDate"] = self._stamp()
            diff = [d for d in diff if d != "updatedDate"] + ["updatedDate"]
        self.rows[table][key] = after
        return self._event("UPDATE", table, key, before=before, after=after, diff=diff)

    def delete(self, table, key):
        before = self.rows[table].pop(key)
        self._deleted[table].append(key)
        return self._event("DELETE", table, key, before=before)

    # ---- inside

    def _shuffled(self, table):
        columns = list(self.schemas[table]["properties"].items())
        self.rng.shuffle(columns)
        return columns

    def _fixed(self, table, key):
        known = {"id": key, "companyId": self.company, "locationId": self.rng.choice(self.locations)}
        return {k: v for k, v in known.items() if k in self.schemas[table]["properties"]}

    def _stamp(self):
        """A date-time that is later than every one before it."""
        when = datetime.fromtimestamp(self._now_ms // 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{when}.{self._now_ms % 1000:03}Z"

    def _tick(self, table, key):
        self._now_ms += self.rng.randint(1, 40)
        last = self._last_second.get((table, key), -1)
        if self._unique_seconds and self._now_ms // 1000 <= last:
            self._now_ms = (last + 1) * 1000 + self.rng.randint(0, 9)
        self._last_second[table, key] = self._now_ms // 1000
        self._mvcc = max(self._mvcc + 1, self._now_ms * 1000000 + self.rng.randint(0, 999999))

    def _event(self, operation, table, key, before=None, after=None, diff=None):
        r = self.rng
        self._tick(table, key)
        location = (after or before).get("locationId")
        event_id = self.values.hex(16)
        event = {"operation": operation, "region": "gcp-us-west1", "id": event_id,
                 "timestamp": self._now_ms, "mvccTimestamp": f"{self._mvcc}.0000000000", "table": table,
                 "key": [key] if r.random() < 0.8 else ["gcp-us-west1", key],
                 "modelVersion": self.schemas[table]["modelVersion"], "companyId": self.company}
        if location is not None or r.random() < 0.5:
            event["locationId"] = location
        if r.random() < 0.6:
            event["userId"] = r.choice(["", None, self.values.hex(24)])
        event["sessionId"] = self.values.hex(8)
        event["version"] = self._now_ms
        for name, value in (("before", before), ("after", after), ("diff", diff)):
            if value is not None:
                event[name] = value
        subject = f"dbchange.{table}.{operation}.{self.company}.{location or 'NONE'}.PUBLIC.{event_id}"
        return Event(subject, write_json(event, r).encode(), event_id, operation, table, key, self._now_ms)
