"""What the paths to SQL databases have in common: table, events, rounds.  This module has no rows of its own.

Rows of 30 columns, of which a database holds 50,000 before the clock starts; of the changes 80 % are updates of
those, 18 % new rows, 2 % deletes.  A path's database gives a class with what Server describes.
"""
import json
import os
import random
import struct
import tempfile

from tests.bench.bed import Bed
from tests.support.events import EventStream

ROWS = ()
VERSION = 1             # of the events' file
KEYS, CHANGES = 50_000, 100_000
COLUMNS = {f"{kind}{number:02}": kind for kind, count in (("b", 4), ("d", 3), ("i", 6), ("j", 3), ("t", 9), ("z", 4))
           for number in range(1, count + 1)}
TYPES = {"b": {"type": "boolean"}, "d": {"type": "number"}, "i": {"type": "integer"},
         "j": {"type": "object"}, "t": {"type": "string"}, "z": {"type": "string", "format": "date-time"}}
SCHEMA = {"table": "bench", "modelVersion": "bench0000000001", "primaryKeys": ["id"], "required": ["id"],
          "properties": {"id": {"type": "string"},
                         **{name: {**TYPES[kind], "nullable": True} for name, kind in COLUMNS.items()}}}
SCHEMAS = {"bench": SCHEMA}
WORDS = ("front", "left", "brake", "pads", "Ölwechsel", "rotate", "& balance", "O'Neil", "5W-30", "東京", "said \"no\"")
LEAST_OF_CEILING = 0.75


class Server:
    """What a path needs of its database; see path_postgres.py."""

    url = None          # for EDS

    @staticmethod
    def missing():
        """Why there can be none here; "" when there can."""

    def reset(self):
        """The table as `rows()` has it, and nothing else; the database at rest."""

    def bare(self, how):
        """(program, arguments after COUNT) for how = "set" or "rows"."""

    def close(self):
        pass


class ChangeStream(EventStream):
    """Whole rows in the order of the columns, as change.c reads them."""

    def __init__(self, seed=7):
        super().__init__(SCHEMAS, seed=seed, unique_seconds=False)
        self.keys = [f"{n:08d}-{self.values.hex(20)}" for n in range(KEYS)]

    def value(self, kind):
        r = self.rng
        if kind == "b":
            return r.random() < 0.5
        if kind == "d":
            return float(f"{r.randint(0, 99999)}.{r.randint(1, 99):02}")
        if kind == "i":
            return r.randint(0, 10 ** r.randint(1, 12))
        if kind == "j":
            return {"a": r.randint(0, 9999), "b": [1, 2, r.choice(WORDS)], "c": {"text": r.choice(WORDS)}}
        if kind == "t":
            return " ".join(r.choices(WORDS, k=r.randint(1, 6)))
        return (f"20{r.randint(10, 29)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}T{r.randint(0, 23):02}:"
                f"{r.randint(0, 59):02}:{r.randint(0, 59):02}.{r.randint(0, 999):03}Z")

    def row(self, key):
        return {"id": key, **{name: self.value(kind) for name, kind in COLUMNS.items()}}

    def next(self):
        dice = self.rng.random()
        if dice < 0.8:
            key = self.rng.choice(self.keys)
            before = self.row(key)
            diff = self.rng.sample(list(COLUMNS), self.rng.randint(1, 5))
            after = {**before, **{name: self.value(COLUMNS[name]) for name in diff}}
            return self._event("UPDATE", "bench", key, before=before, after=after, diff=diff)
        key = f"new-{self.values.hex(24)}"
        if dice < 0.98:
            return self._event("INSERT", "bench", key, after=self.row(key))
        key = self.rng.choice(self.keys)
        return self._event("DELETE", "bench", key, before={"id": key})


def rows():
    """The 50,000 rows that are there before."""
    stream = ChangeStream()
    stream.rng = stream.values.rng = random.Random(1)
    for key in stream.keys:
        yield stream.row(key)


def events_file(folder):
    """Path of the changes, made when it is not there; form as in events.h."""
    path = os.path.join(folder, f"changes-{VERSION}.bin")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        stream = ChangeStream()
        with open(path + ".new", "wb") as f:
            for event in (stream.next() for _ in range(CHANGES)):
                payload = json.dumps(json.loads(event.payload), ensure_ascii=False, separators=(",", ":")).encode()
                parts = event.subject.encode(), event.id.encode(), event.key.encode(), payload
                f.write(struct.pack("<4I", *map(len, parts)) + b"".join(parts))
        os.rename(path + ".new", path)
    return path


def measure(bench, kind, name, least_of_rows, wanted):
    """The rows NAME and NAME-latency: the path next to the best bare program and next to the Go server's way."""
    why = kind.missing()
    if why:
        for row in wanted:
            bench.table.skip(row, why)
        return
    server = kind()
    try:
        _measure_at(bench, server, name, least_of_rows, wanted)
    finally:
        server.close()


def _measure_at(bench, server, name, least_of_rows, wanted):
    path = events_file(os.path.join(os.path.dirname(bench.bed.events_path)))
    with Bed(path, bench.bed.storage, folder=tempfile.mkdtemp(prefix="eds-bench-"),
             hq_options={"schemas": SCHEMAS}) as bed:
        own = type(bench)(bed, bench.table, bench.rounds)
        if name in wanted:
            _rates(own, server, name, least_of_rows)
        if name + "-latency" in wanted:
            _latency(own, server, name)


def _rates(bench, server, name, least_of_rows):
    bed, runs = bench.bed, {"eds": [], "set": [], "rows": []}
    bed.fill(CHANGES)

    def bare(how):
        program, arguments = server.bare(how)
        return bed.bare(program, CHANGES, *arguments)

    turns = [("set", lambda: bare("set")), ("eds", lambda: bed.eds_run({name: server.url}, CHANGES)),
             ("rows", lambda: bare("rows"))]
    for number in range(bench.rounds):
        for what, take in turns[::-1 if number % 2 else 1]:
            server.reset()
            runs[what].append(take())
    bench.rate_row(name, runs["eds"], runs["set"], LEAST_OF_CEILING)
    bench.rate_row(name + " / rows", runs["eds"], runs["rows"], least_of_rows)
    bench.memory_row(name + " worker", [run.memory["worker"]["VmHWM"] for run in runs["eds"]], 64,
                     "peak, the backlog being 100,000 events")


def _latency(bench, server, name):
    server.reset()
    took, _ = bench.latency_of_eds({name: server.url})
    bench.latency_rows(name, took, note="publish to acknowledgement, which follows the commit", most=((50, 10), (99, 50)))
