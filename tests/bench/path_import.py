"""An import of many rows of the width of an order, next to a bare program that has the same rows ready in memory.

EDS asks the stand-in for HQ for an export, downloads, unpacks, parses and stores it; the bare program only
stores.  BENCH_IMPORT_ROWS says how many rows (2,000,000).  Memory is that of supervisor and worker together,
at its highest.
"""
import gzip
import os
import random
import shutil
import statistics
import struct
import subprocess
import tempfile
import threading
import time

from tests.bench import machine
from tests.bench.bed import Bed
from tests.support import gojson, postgresd
from tests.support.events import COMPANY, LOCATIONS, load_schemas
from tests.support.lab import build_dir
from tests.support.values import Values, write_json

ROWS = ("import-file", "import-sqlite", "import-postgres")
COUNT = int(os.environ.get("BENCH_IMPORT_ROWS", 2_000_000))
PER_FILE = 50_000
TEMPLATES = 500
MARK = "########"
LEAST = 0.7
MOST_MIB = 96
TIME_NS = 1720549683697000000
TYPES = {"integer": "BIGINT", "number": "DOUBLE PRECISION", "boolean": "BOOLEAN", "object": "JSONB"}


def column_type(prop):
    if prop.get("type") == "string":
        return "TIMESTAMP WITH TIME ZONE" if prop.get("format") == "date-time" else "TEXT"
    if prop.get("type") == "array":
        return "VARCHAR(64)" if "enum" in (prop.get("items") or {}) else "JSONB"
    return TYPES.get(prop.get("type"), "TEXT")


class Rows:
    """TEMPLATES rows of the table `order`, MARK in the id, in the forms that the programs want."""

    def __init__(self):
        self.schema = next(s for s in load_schemas().values() if s["table"] == "order")
        properties = self.schema["properties"]
        values = Values(random.Random(11))
        self.columns = ["id"] + sorted(c for c in properties if c != "id")
        self.rows = []
        for n in range(TEMPLATES):
            row = {c: values.of(c, p) for c, p in properties.items()
                   if c in self.schema["required"] or values.rng.random() < 0.7}
            row.update(id=f"{MARK}-{values.uuid()[9:]}", companyId=COMPANY, locationId=LOCATIONS[n % 2])
            self.rows.append(row)
        self.json = [write_json(r).encode() for r in self.rows]

    def types(self):
        return {c: column_type(self.schema["properties"][c]) for c in self.columns}

    def create(self, table):
        columns = [f'"{c}" {t}{" NOT NULL" if c in self.schema["required"] or c == "id" else ""}'
                   for c, t in self.types().items()]
        return f'CREATE TABLE {table} ({", ".join(columns)}, PRIMARY KEY ("id"))'

    @staticmethod
    def _cell(kind, value):
        if value is None:
            return b"n"
        if isinstance(value, bool):
            return b"i%d" % value
        text = value if isinstance(value, str) and not isinstance(value, gojson.Num) else write_json(value)
        if isinstance(value, gojson.Num):
            return (b"i" if kind == "BIGINT" else b"d") + str(value).encode()
        return b"t" + text.encode()

    def documents(self):
        for row in self.json:
            yield [b'{"operation":"INSERT","id":"%s","table":"order","after":%s,"imported":true}' % (MARK.encode(), row)]

    def cells(self):
        types = self.types()
        for row in self.rows:
            yield [self._cell(t, row.get(c)) for c, t in types.items()]

    def write(self, path, rows, create=""):
        """A file of templates for bare_import."""
        rows = list(rows)
        with open(path, "wb") as f:
            f.write(struct.pack("=I", len(create.encode())) + create.encode())
            f.write(struct.pack("=I", len(rows)))
            for row in rows:
                f.write(struct.pack("=I", len(row)))
                for cell in row:
                    f.write(struct.pack("=I", len(cell)) + cell)
        return path

    def export(self):
        """Contents of the export's files, packed, one after the other."""
        for start in range(0, COUNT, PER_FILE):
            numbers = range(start, min(start + PER_FILE, COUNT))
            yield gzip.compress(b"".join(self.json[n % TEMPLATES].replace(MARK.encode(), b"%08d" % n) + b"\n"
                                         for n in numbers), 1, mtime=0)


class ImportBed(Bed):
    """A server and an HQ whose export is always the same."""

    def offer(self, files):
        self.hq.exports.snapshot = lambda: (TIME_NS, {"order": [b"{}"]})
        create = self.hq.exports.create

        def create_job(request, found, body):
            data = create(request, found, body)
            job = self.hq.exports.jobs[data["jobId"]]
            (name,) = job.files
            stem = name.rpartition("-")[0]
            job.files = {f"{stem}-{i:x}.ndjson.gz": content for i, content in enumerate(files)}
            job.tables = {"order": list(job.files)}
            return data
        self.hq.exports.create = create_job

    def run_import(self, url):
        """(seconds, MiB) of an import into that destination."""
        self.new_data_dir()
        self.start_eds({"target": url}, wait="answer")
        highest = [0]
        try:
            self.wait_state("target", "running")
            assert self.edsctl("import", "target", "--only", "order").returncode == 0
            stop = threading.Event()

            def watch():
                while not stop.wait(0.05):
                    try:
                        pids = self.processes().values()
                        highest[0] = max(highest[0], sum(machine.memory_kib(p)["VmRSS"] for p in pids))
                    except (OSError, KeyError):
                        pass        # a worker that ended while we looked
            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                last = self.wait_until(lambda: self.destination("target").get("last_import"), "the import", 3600)
            finally:
                stop.set()
                watcher.join()
            assert last["state"] == "done" and last["rows"] == COUNT, last
            return (last["ended"] - last["started"]) / 1000, highest[0] / 1024
        finally:
            self.end()


def bare(kind, target, templates):
    done = subprocess.run([os.path.join(build_dir(), "tests/bench/bare_import"), kind, target, str(COUNT), templates],
                          capture_output=True, text=True, check=True)
    return float(done.stdout)


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
    for end in ("", "-wal", "-shm"):
        if os.path.isfile(path + end):
            os.unlink(path + end)


class FilePath:
    def __init__(self, rows, folder):
        self.bare_target, self.target = os.path.join(folder, "bare-files"), os.path.join(folder, "files")
        self.url = "file://" + self.target
        self.templates = rows.write(os.path.join(folder, "documents"), rows.documents())

    def bare(self):
        return bare("file", self.bare_target, self.templates)

    def reset(self):
        remove(self.bare_target)
        remove(self.target)

    def close(self):
        pass


class SqlitePath(FilePath):
    def __init__(self, rows, folder):
        self.bare_target, self.target = os.path.join(folder, "bare.db"), os.path.join(folder, "eds.db")
        self.url = "sqlite://" + self.target
        self.templates = rows.write(os.path.join(folder, "cells"), rows.cells(), rows.create("bench"))

    def bare(self):
        return bare("sqlite", self.bare_target, self.templates)


class PostgresPath:
    """COPY by psql from a file that is ready."""

    def __init__(self, rows, folder):
        self._server = postgresd.Postgres(settings={"shared_buffers": "256MB", "max_wal_size": "4GB"}).start()
        self.url = self._server.url(self._server.create("bench"))
        self._create = rows.create("bare")
        self._copy = os.path.join(folder, "copy")
        lines = []
        for row in rows.rows:
            cells = [row.get(c) for c in rows.columns]
            lines.append("\t".join("\\N" if v is None else self._text(v) for v in cells).encode() + b"\n")
        with open(self._copy, "wb") as f:
            for n in range(COUNT):
                f.write(lines[n % TEMPLATES].replace(MARK.encode(), b"%08d" % n))

    @staticmethod
    def _text(value):
        text = value if isinstance(value, str) and not isinstance(value, gojson.Num) else write_json(value)
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")

    def reset(self):
        self._server.run("DROP TABLE IF EXISTS bare", 'DROP TABLE IF EXISTS "order"', self._create, "CHECKPOINT", database="bench")

    def bare(self):
        link = self._server.connect("bench")
        started = time.monotonic()
        with open(self._copy, "rb") as f, link.cursor() as cursor:
            cursor.copy_expert("COPY bare FROM STDIN", f, 1 << 20)
        link.commit()
        seconds = time.monotonic() - started
        link.close()
        return seconds

    def close(self):
        self._server.close()


def measure_one(bench, bed, name, path):
    pairs = []
    try:
        for _ in range(min(bench.rounds, 2)):
            path.reset()
            ceiling = path.bare()
            path.reset()
            pairs.append((ceiling, *bed.run_import(path.url)))
        path.reset()
    finally:
        path.close()
    ratio = statistics.median(c / s for c, s, _ in pairs)
    bench.table.add(name, "/s", COUNT / statistics.median(s for _, s, _ in pairs),
                    COUNT / statistics.median(c for c, _, _ in pairs), ratio, least=LEAST, note=f"{COUNT:,} rows")
    bench.table.add(name + " memory", "MiB", max(m for *_, m in pairs), most=MOST_MIB, note="supervisor and worker, highest")


def measure(bench, wanted):
    rows = Rows()
    makers = {"import-file": FilePath, "import-sqlite": SqlitePath, "import-postgres": PostgresPath}
    folder = tempfile.mkdtemp(prefix="eds-bench-import-")
    try:
        files = list(rows.export())
        with ImportBed(None, storage="memory") as bed:
            bed.offer(files)
            for name in ROWS:
                if name not in wanted:
                    continue
                if name == "import-postgres" and postgresd.missing():
                    bench.table.skip(name, postgresd.missing())
                    continue
                measure_one(bench, bed, name, makers[name](rows, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
