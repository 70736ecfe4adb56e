"""MySQL: the driver on MariaDB next to the best bare program and to the Go server's way, over the same server."""
import json

from tests.bench import path_sql_common as common
from tests.support import mariadbd, proc

ROWS = ("mysql", "mysql-latency")
LEAST_OF_ROWS = 2.0
# What the driver makes of the schema.
SQL_TYPES = {"b": "BOOLEAN", "d": "DOUBLE", "i": "BIGINT", "j": "JSON", "t": "LONGTEXT", "z": "DATETIME(6)"}
# As installed, but for the sizes of log and cache: nothing is made faster by being made less safe.
SETTINGS = ("--innodb-buffer-pool-size=256M", "--innodb-log-file-size=1G")
LOT = 500


class Server(common.Server):
    missing = staticmethod(mariadbd.missing)

    def __init__(self):
        self._server = mariadbd.MariaDb(settings=SETTINGS).start()
        self.url = self._server.url(self._server.create("bench", user="bench", password="bench"), user="bench",
                                    password="bench")
        columns = ", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in common.COLUMNS.items())
        self._run(f"CREATE TABLE template (id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, {columns}, "
                  "PRIMARY KEY (id)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4")
        self._load()

    def _run(self, *statements):
        return self._server.run(*statements, database="bench")

    def _load(self):
        def cell(value):
            if isinstance(value, dict):
                return json.dumps(value, ensure_ascii=False)
            return value[:-1] if isinstance(value, str) and value.endswith("Z") and value[10:11] == "T" else value

        names = ["id", *common.COLUMNS]
        insert = f"INSERT INTO template ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"
        link = self._server.connect("bench", autocommit=False)
        with link.cursor() as cursor:
            lot = []
            for row in common.rows():
                lot.append([cell(row[name]) for name in names])
                if len(lot) == LOT:
                    cursor.executemany(insert, lot)
                    lot = []
            if lot:
                cursor.executemany(insert, lot)
        link.commit()
        link.close()

    def reset(self):
        self._run("DROP TABLE IF EXISTS bench", "CREATE TABLE bench LIKE template", "INSERT INTO bench SELECT * FROM template",
                  "SET GLOBAL innodb_max_dirty_pages_pct = 0")
        proc.wait_until(lambda: self._dirty_pages() < 50, "the pages to be written", timeout=60)
        self._run("SET GLOBAL innodb_max_dirty_pages_pct = 90")

    def _dirty_pages(self):
        return int(self._run("SHOW STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")[0][1])

    def bare(self, how):
        return "bare_mysql", (self._server.port, how)

    def close(self):
        self._server.close()


def measure(bench, wanted):
    common.measure(bench, Server, "mysql", LEAST_OF_ROWS, wanted)
