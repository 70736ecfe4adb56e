"""PostgreSQL: the driver next to the best bare program and to the Go server's way, over the same server."""
import io
import json

from tests.bench import path_sql_common as common
from tests.support import postgresd

ROWS = ("postgres", "postgres-latency")
LEAST_OF_ROWS = 3.0
SQL_TYPES = {"b": "BOOLEAN", "d": "DOUBLE PRECISION", "i": "BIGINT", "j": "JSONB", "t": "TEXT",
             "z": "TIMESTAMP WITH TIME ZONE"}
# As installed, but for the log: nothing is made faster by being made less safe.
SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB"}


class Server(common.Server):
    missing = staticmethod(postgresd.missing)

    def __init__(self):
        self._server = postgresd.Postgres(settings=SETTINGS).start()
        self.url = self._server.url(self._server.create("bench"))
        columns = ", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in common.COLUMNS.items())
        self._run(f"CREATE TABLE template (id TEXT NOT NULL, {columns}, PRIMARY KEY (id))")
        self._load()

    def _run(self, *statements):
        return self._server.run(*statements, database="bench")

    def _load(self):
        def cell(value):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            return text.replace("\\", "\\\\")

        link = self._server.connect("bench")
        text = io.StringIO("".join("\t".join(map(cell, row.values())) + "\n" for row in common.rows()))
        with link.cursor() as cursor:
            cursor.copy_expert("COPY template FROM STDIN", text)
        link.close()

    def reset(self):
        self._run("DROP TABLE IF EXISTS bench", "CREATE TABLE bench (LIKE template INCLUDING ALL)",
                  "ALTER TABLE bench OWNER TO bench", "INSERT INTO bench SELECT * FROM template", "VACUUM ANALYZE bench",
                  "CHECKPOINT")

    def bare(self, how):
        return "bare_postgres", (f"host=127.0.0.1 port={self._server.port} user=laboratory dbname=bench sslmode=disable", how)

    def close(self):
        self._server.close()


def measure(bench, wanted):
    common.measure(bench, Server, "postgres", LEAST_OF_ROWS, wanted)
