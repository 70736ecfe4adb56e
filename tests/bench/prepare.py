"""The events of the benchmark: realistic, complete rows, made once and kept in a file."""
import os
import struct

from tests.support.events import NEVER_CHANGE, EventStream

COUNT = 20000
VERSION = 2             # of this file's idea of an event; a new one makes the events anew


class FullRows(EventStream):
    """Every row has every column of its table, as a change feed of a database has them."""

    def insert(self, table, key=None, **columns):
        full = {name: self.values.of(name, prop) for name, prop in self._shuffled(table) if name not in NEVER_CHANGE[:3]}
        return super().insert(table, key, **{**full, **columns})

    def update(self, table, key, **columns):
        if not columns:
            chosen = [c for c in self._shuffled(table) if c[0] not in NEVER_CHANGE][:self.rng.randint(1, 5)]
            columns = {name: self.values.of(name, prop) for name, prop in chosen}
        return super().update(table, key, **columns)


def plain(stream, count):
    """`count` events spelled as HQ does; the stream also has some with needless white space."""
    while count > 0:
        event = stream.next()
        if not event.payload.startswith(b"{ "):
            count -= 1
            yield event


def events_file(folder):
    """Path of the file, made when it is not there.  Its form is described in events.h."""
    path = os.path.join(folder, f"events-{VERSION}.bin")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        stream = FullRows(row_limit=400)
        with open(path + ".new", "wb") as f:
            for event in plain(stream, COUNT):
                parts = event.subject.encode(), event.id.encode(), event.key.encode(), event.payload
                f.write(struct.pack("<4I", *map(len, parts)) + b"".join(parts))
        os.rename(path + ".new", path)
    return path


def mean_size(path):
    """Bytes of the mean payload."""
    total = count = 0
    with open(path, "rb") as f:
        while head := f.read(16):
            *others, payload = struct.unpack("<4I", head)
            f.seek(sum(others) + payload, os.SEEK_CUR)
            total, count = total + payload, count + 1
    return total / count
