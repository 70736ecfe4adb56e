"""What must stand at a destination after a list of events, and how what stands there differs from it.

Everything is worked out from the published bytes by rules of its own: nothing
here shares code with the programs under test.  The comparators return a list of
differences as text; an empty list means: exactly what was published.
"""
import json
import os
import re
import sqlite3
from decimal import Decimal, InvalidOperation

from tests.support import gojson
from tests.support.gojson import Num

TOO_MANY = 20       # differences that are listed one by one


class Oracle:
    """record() every published event, in order."""

    def __init__(self, schemas, files=True):
        """`files`: also what is to stand at a file destination, which takes every payload to remember."""
        self._with_files = files
        self.schemas = {s["table"]: s for s in schemas.values()}
        self._rows = {}
        self._files = {}
        self.count = 0

    def record(self, *payloads):
        """Take note of payload bytes (or Events)."""
        for payload in payloads:
            payload = getattr(payload, "payload", payload)
            event = gojson.envelope(payload)
            key = gojson.primary_key(event)
            if self._with_files:
                self._files[f"{event['table']}/{event['timestamp'] // 1000}-{key}.json"] = payload
            self._apply(event, key)
            self.count += 1

    def _apply(self, event, key):
        rows = self._rows.setdefault(event["table"], {})
        if event["operation"] == "DELETE":
            rows.pop(key, None)
            return
        image = gojson.parse(event["after"])
        if event["operation"] == "UPDATE":
            gone = set(event.get("diff") or ()) - set(image)
            kept = {c: v for c, v in rows.get(key, {}).items() if c not in gone}
            image = {**kept, **image}
        rows[key] = image

    def replace(self, rows):
        """What is there is this: {table: [row as JSON bytes, ...]}; as after an import."""
        for table, images in rows.items():
            parsed = [gojson.parse(image) for image in images]
            self._rows[table] = {row["id"]: row for row in parsed}

    # ---- file destination

    def expected_files(self, directory):
        """path -> exact bytes; a later event of a row within the same second replaces the earlier."""
        return {os.path.join(directory, path): gojson.stored(p) for path, p in self._files.items()}

    def file_count(self):
        """How many files there will be; cheap, unlike expected_files()."""
        return len(self._files)

    def compare_files(self, directory):
        expected, found = self.expected_files(directory), set()
        differences = []
        for folder, _, names in os.walk(directory):
            found.update(os.path.join(folder, n) for n in names)
        for path in sorted(found - set(expected)):
            differences.append(f"{path}: a file that no event explains")
        for path, content in sorted(expected.items()):
            if path not in found:
                differences.append(f"{path}: missing")
                continue
            with open(path, "rb") as f:
                actual = f.read()
            if actual != content:
                at = next((i for i, (a, b) in enumerate(zip(actual, content)) if a != b),
                          min(len(actual), len(content)))
                differences.append(f"{path}: differs at byte {at}: {actual[at:at + 40]!r} "
                                   f"instead of {content[at:at + 40]!r}")
        return _shorten(differences)

    # ---- SQL destinations

    def expected_rows(self):
        """table -> row id -> {column: value}: numbers as Num, null as None, a missing column absent."""
        return {t: {k: dict(r) for k, r in rows.items()} for t, rows in self._rows.items()}

    def row_count(self):
        return sum(len(rows) for rows in self._rows.values())

    def compare_rows(self, table, actual, problem):
        """`actual`: row id -> {column: value}; problem(property, expected, actual) as compare_value()."""
        expected, properties = self._rows.get(table, {}), self.schemas[table]["properties"]
        differences = [f"{table} {k}: a row that no event explains" for k in sorted(set(actual) - set(expected))]
        for key, row in expected.items():
            if key not in actual:
                differences.append(f"{table} {key}: missing")
                continue
            for column, prop in properties.items():
                if column not in actual[key]:
                    if row.get(column) is not None:
                        differences.append(f"{table} {key}: no column {column}")
                    continue
                wrong = problem(prop, row.get(column), actual[key][column])
                if wrong:
                    differences.append(f"{table} {key} {column}: {wrong}")
        return differences

    def compare_tables(self, present, read, problem):
        """`present`: names of the tables there; read(table): its rows as {column: value}."""
        differences = []
        for table in self.schemas:
            if table in present:
                rows = read(table)
                if len(rows) != len({r["id"] for r in rows}):
                    differences.append(f"{table}: the same row id stands there twice")
                differences += self.compare_rows(table, {r["id"]: r for r in rows}, problem)
            elif self._rows.get(table):
                differences.append(f"{table}: no such table")
        return _shorten(differences)

    def compare_sqlite(self, path):
        if not os.path.exists(path):
            return [f"{path}: no such database"]
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        db.row_factory = sqlite3.Row
        try:
            present = {name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return self.compare_tables(present, lambda table: [dict(r) for r in db.execute(
                'SELECT * FROM "%s"' % table.replace('"', '""'))], compare_value)
        finally:
            db.close()

    @staticmethod
    def sqlite_row_count(path):
        """Rows in all tables of a SQLite destination whose name is not the driver's own business."""
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            tables = [n for n, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                      if not n.startswith(("sqlite_", "_eds", "eds_"))]
            return sum(db.execute('SELECT count(*) FROM "%s"' % t.replace('"', '""')).fetchone()[0] for t in tables)
        finally:
            db.close()


def _shorten(differences):
    if len(differences) > TOO_MANY:
        return differences[:TOO_MANY] + [f"... and {len(differences) - TOO_MANY} more differences"]
    return differences


def _same_number(expected, actual):
    if isinstance(actual, str):
        return actual == expected
    if isinstance(actual, bool) or not isinstance(actual, (int, float)):
        return False
    if isinstance(actual, int):
        return Decimal(actual) == Decimal(expected)
    return actual == float(expected) and Decimal(repr(actual)) == Decimal(expected)


class _Pairs(list):
    """A JSON object as its pairs, so that order and duplicates count."""


def _strict(text):
    return json.loads(text, parse_int=Num, parse_float=Num, object_pairs_hook=_Pairs)


def _same_json(expected, actual):
    """Same values, number text and key order; only the spelling of strings may differ."""
    if isinstance(expected, dict):
        return (isinstance(actual, _Pairs) and [k for k, _ in actual] == list(expected)
                and all(_same_json(expected[k], v) for k, v in actual))
    if isinstance(expected, list):
        return (type(actual) is list and len(actual) == len(expected)
                and all(map(_same_json, expected, actual)))
    return type(actual) is type(expected) and actual == expected


def same_values(expected, text, held=lambda s: s):
    """A JSON text has the values that it should, however they are spelled; `held`: what becomes of a string there."""
    return _same_values(expected, json.loads(text, parse_int=Decimal, parse_float=Decimal), held)


def _same_values(expected, actual, held):
    if isinstance(expected, dict):
        wanted = {held(k): v for k, v in expected.items()}
        return isinstance(actual, dict) and wanted.keys() == actual.keys() and all(
            _same_values(v, actual[k], held) for k, v in wanted.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(
            _same_values(e, a, held) for e, a in zip(expected, actual))
    if isinstance(expected, Num):
        return isinstance(actual, Decimal) and actual == Decimal(expected)
    return type(actual) is type(expected) and actual == (held(expected) if isinstance(expected, str) else expected)


def compare_value(prop, expected, actual):
    """What is wrong with a stored value of a property; "" when nothing is."""
    wrong = f"{actual!r} instead of {expected!r}"
    if expected is None or actual is None:
        return "" if expected is actual else wrong
    kind = prop.get("type")
    try:
        if kind in ("object", "array"):
            if not isinstance(actual, str) or not _same_json(expected, _strict(actual)):
                return wrong
            if re.search(r"\s", re.sub(r'"(?:[^"\\]|\\.)*"', "", actual)):
                return f"JSON text with white space: {actual!r}"
            return ""
        if kind in ("integer", "number") and isinstance(expected, Num):
            if kind == "integer" and not isinstance(actual, int):
                return wrong
            return "" if _same_number(expected, actual) else wrong
    except (ValueError, InvalidOperation):
        return wrong
    if kind == "boolean":
        return "" if actual in (0, 1) and isinstance(actual, int) and bool(actual) is expected else wrong
    return "" if isinstance(actual, str) and actual == expected else wrong
