"""An import of many rows of the width of an order, next to a bare program that has the same rows ready in memory.

EDS asks the stand-in for HQ for an export, downloads, unpacks, parses and stores it; the bare program only
stores: documents to files, one INSERT per row into SQLite, one COPY into PostgreSQL, one LOAD DATA LOCAL into MariaDB.
BENCH_IMPORT_ROWS says how many rows (2,000,000).  Memory is that of supervisor and worker together,
at its highest.
"""
import gzip
import hashlib
import os
import random
import shutil
import statistics
import struct
import subprocess
import tempfile

from tests.bench import machine
from tests.bench.bed import Bed
from tests.support import gojson, mariadbd, postgresd, proc
from tests.support.events import COMPANY, LOCATIONS, load_schemas
from tests.support.lab import build_dir
from tests.support.values import Values, write_json

ROWS = ("import-file", "import-sqlite", "import-postgres", "import-mariadb")
COUNT = int(os.environ.get("BENCH_IMPORT_ROWS", 2_000_000))
PER_FILE = 50_000
TEMPLATES = 500
MARK = "########"
LEAST = 0.7
MOST_MIB = 96
LOOK_S = 0.3
TIME_NS = 1720549683697000000
TYPES = {"integer": "BIGINT", "number": "DOUBLE PRECISION", "boolean": "BOOLEAN", "object": "JSONB"}
MARIADB_TYPES = {"TEXT": "LONGTEXT", "TIMESTAMP WITH TIME ZONE": "DATETIME(6)", "JSONB": "JSON"}
MARIADB_SETTINGS = ("--innodb-buffer-pool-size=256M", "--innodb-log-file-size=1G", "--local-infile=ON")


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
        """The names and documents that EDS makes of the rows."""
        for row, text in zip(self.rows, self.json):
            head = {"operation": "INSERT", "id": "0123456789abcdef", "table": "order", "key": [row["id"]],
                    "modelVersion": self.schema["modelVersion"], "companyId": row["companyId"], "locationId": row["locationId"]}
            yield [f"{TIME_NS // 10**9}-{row['id']}.json".encode(),
                   write_json(head).encode()[:-1] + b',"after":' + text +
                   b',"timestamp":%d,"mvccTimestamp":"%d.0000000000","imported":true}' % (TIME_NS // 10**6, TIME_NS)]

    def lines(self, text):
        """Whole rows as COPY and LOAD DATA read them; `text` spells a value."""
        types = self.types()
        for row in self.rows:
            cells = ["\\N" if (v := row.get(c)) is None else text(t, v) for c, t in types.items()]
            yield [("\t".join(cells) + "\n").encode()]

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

    def export(self, folder):
        """The export's files, packed; made once and kept, for they take longer than an import."""
        digest = hashlib.sha256(b"\n".join(self.json)).hexdigest()[:12]
        folder = os.path.join(folder, f"import-{PER_FILE}-{digest}")
        os.makedirs(folder, exist_ok=True)
        return [self._file(folder, start, min(start + PER_FILE, COUNT)) for start in range(0, COUNT, PER_FILE)]

    def _file(self, folder, start, end):
        path = os.path.join(folder, f"{start}-{end}.gz")
        if not os.path.exists(path):
            with open(path + ".new", "wb") as f:
                f.write(gzip.compress(b"".join(self.json[n % TEMPLATES].replace(MARK.encode(), b"%08d" % n) + b"\n"
                                               for n in range(start, end)), 1, mtime=0))
            os.rename(path + ".new", path)
        with open(path, "rb") as f:
            return f.read()


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

    def look(self, highest):
        """Notes the memory of supervisor and worker; what is on record of the import, once it is over.

        Rarely, and by what costs little: all this shares the machine with what is measured.
        """
        try:
            highest.append(sum(machine.memory_kib(p)["VmHWM"] for p in self.processes().values()))
        except (OSError, KeyError):
            pass        # a worker that ended while we looked
        return self.status_now()["destinations"][0].get("last_import")

    def run_import(self, url):
        """(seconds, MiB) of an import into that destination."""
        self.new_data_dir()
        self.start_eds({"target": url}, wait="answer")
        highest = [0]
        try:
            self.wait_state("target", "running")
            assert self.edsctl("import", "target", "--only", "order").returncode == 0
            last = proc.wait_until(lambda: self.look(highest), "the import", 3600, every=LOOK_S)
            assert last["state"] == "done" and last["rows"] == COUNT, last
            return (last["ended"] - last["started"]) / 1000, max(highest) / 1024
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


def escaped(value):
    text = value if isinstance(value, str) and not isinstance(value, gojson.Num) else write_json(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


class PostgresPath:
    def __init__(self, rows, folder):
        self._server = postgresd.Postgres(settings={"shared_buffers": "256MB", "max_wal_size": "4GB"}).start()
        self.url = self._server.url(self._server.create("bench"))
        self._create = rows.create("bare")
        self._templates = rows.write(os.path.join(folder, "copy"), rows.lines(lambda kind, value: escaped(value)),
                                     "COPY bare FROM STDIN")

    def reset(self):
        self._server.run("DROP TABLE IF EXISTS bare", 'DROP TABLE IF EXISTS "order"', self._create,
                         "ALTER TABLE bare OWNER TO bench", "CHECKPOINT", database="bench")

    def bare(self):
        return bare("postgres", self.url, self._templates)

    def close(self):
        self._server.close()


class MariaDbPath:
    def __init__(self, rows, folder):
        self._server = mariadbd.MariaDb(settings=MARIADB_SETTINGS).start()
        self.url = self._server.url(self._server.create("bench", user="bench", password="bench"), user="bench", password="bench")
        columns = [f"`{c}` {MARIADB_TYPES.get(t, t)}{' NOT NULL' if c in rows.schema['required'] else ''}"
                   for c, t in rows.types().items() if c != "id"]
        self._create = ("CREATE TABLE bare (`id` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, "
                        f"{', '.join(columns)}, PRIMARY KEY (`id`)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4")
        self._templates = rows.write(os.path.join(folder, "load"), rows.lines(self._text),
                                     "LOAD DATA LOCAL INFILE 'rows' INTO TABLE bare CHARACTER SET utf8mb4")

    @staticmethod
    def _text(kind, value):
        if isinstance(value, bool):
            return str(int(value))
        return escaped(value[:-1] if kind.startswith("TIMESTAMP") else value)

    def reset(self):
        self._server.run("DROP TABLE IF EXISTS bare", "DROP TABLE IF EXISTS `order`", self._create, database="bench")

    def bare(self):
        return bare("mariadb", str(self._server.port), self._templates)

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
    makers = {"import-file": FilePath, "import-sqlite": SqlitePath, "import-postgres": PostgresPath,
              "import-mariadb": MariaDbPath}
    missing = {"import-postgres": postgresd.missing, "import-mariadb": mariadbd.missing}
    folder = tempfile.mkdtemp(prefix="eds-bench-import-")
    try:
        files = rows.export(os.path.join(build_dir(), "bench"))
        with ImportBed(None, storage="memory") as bed:
            bed.offer(files)
            for name in ROWS:
                if name not in wanted:
                    continue
                if name in missing and missing[name]():
                    bench.table.skip(name, missing[name]())
                    continue
                measure_one(bench, bed, name, makers[name](rows, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
