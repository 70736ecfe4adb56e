"""The statements that the Snowflake driver writes, executed on SQLite.

SQLite keeps the rows and the transactions; what Snowflake makes of types, of MERGE and of COPY is
worked out here.  Values lie in SQLite as tests/support/oracle.py expects them of a destination: a VARIANT
as JSON text, a timestamp as RFC 3339 in UTC, a boolean as 0 or 1.
"""
import os
import sqlite3
import uuid
from datetime import datetime
from decimal import Decimal

from tests.support.oracle import compare_value
from tests.support.snowflake_dml import Changes, Result, quoted
from tests.support.snowflake_expr import SqlError, Variant, cast, moment, parse_json, split, tokens

KINDS = {"STRING": "TEXT", "VARCHAR": "TEXT", "TEXT": "TEXT", "INTEGER": "NUMBER", "NUMBER": "NUMBER", "FLOAT": "FLOAT",
         "BOOLEAN": "BOOLEAN", "TIMESTAMP_NTZ": "TIMESTAMP_NTZ", "TIMESTAMP_TZ": "TIMESTAMP_TZ", "VARIANT": "VARIANT",
         "OBJECT": "OBJECT", "ARRAY": "ARRAY", "DATE": "DATE", "TIME": "TIME"}
CASTS = {"TEXT": "VARCHAR"}
SCRIPT = """
CREATE TABLE "sys tables" (name TEXT PRIMARY KEY, comment TEXT);
CREATE TABLE "sys columns" (tab TEXT, name TEXT, kind TEXT, scale INTEGER, length INTEGER, nullable INTEGER, key INTEGER,
    PRIMARY KEY (tab, name));
CREATE TABLE "sys loaded" (tab TEXT, file TEXT, PRIMARY KEY (tab, file));
"""


def problem(prop, expected, actual):
    """compare_value(), to which the same moment in another spelling is the same."""
    if prop.get("format") == "date-time" and expected and actual == moment(expected, True):
        return ""
    return compare_value(prop, expected, actual)


WIRE = {"NUMBER": "fixed", "FLOAT": "real"}


def cell(kind, v):
    """A value as it stands in the rows of an answer."""
    if v is None:
        return None
    if kind.startswith("TIMESTAMP"):
        day, _, fraction = v[:-1].partition(".")
        seconds = int(datetime.fromisoformat(day + "+00:00").timestamp())
        return f"{seconds}.{fraction.ljust(9, '0')}"
    return str(v)


class Database:
    """One schema of one database; sessions share it."""

    def __init__(self, folder, name="SHOP", schema="PUBLIC"):
        self.path, self.name, self.schema = os.path.join(folder, "snowflake.db"), name, schema
        self.stages = {}            # name -> folder with its files
        self.stage_folder = os.path.join(folder, "stages")
        os.makedirs(self.stage_folder, exist_ok=True)
        db = self.connect()
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCRIPT)
        db.close()

    def connect(self):
        db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA synchronous = OFF")
        return db

    def rows(self, table):
        """row id -> {column: value}, as the oracle's compare_rows() takes it."""
        db = self.connect()
        try:
            cursor = db.execute(f"SELECT * FROM {quoted('t ' + table)}")
            names = [d[0] for d in cursor.description]
            found = [dict(zip(names, r)) for r in cursor]
            return {r["id"]: r for r in found}
        finally:
            db.close()

    def tables(self):
        """Names of the tables that are there."""
        db = self.connect()
        try:
            return [n for n, in db.execute('SELECT name FROM "sys tables" ORDER BY name')]
        finally:
            db.close()

    def differences(self, oracle):
        """What is wrong with the tables, by the oracle."""
        return oracle.compare_tables(self.tables(), lambda table: self.rows(table).values(), problem)

    def run(self, sql):
        """One or more statements in a session of their own, for tests; the last result's rows."""
        session = SqlSession(self)
        try:
            result = Result()
            for one in split(sql):
                result = session.execute(one)
            return result.rows
        finally:
            session.close()


class SqlSession:
    """A connection with its transaction."""

    def __init__(self, database):
        self.database, self.db, self.temporary = database, database.connect(), []
        self.in_transaction = False

    def close(self):
        if self.in_transaction:
            self.db.execute("ROLLBACK")
        self.db.close()
        for name in self.temporary:
            self.database.stages.pop(name, None)

    # ---- statements

    def execute(self, sql, bind=None):
        statement = Statement(self, tokens(sql), bind, sql)
        return statement.run()

    def begin(self):
        if not self.in_transaction:
            self.db.execute("BEGIN IMMEDIATE")
            self.in_transaction = True

    def commit(self):
        if self.in_transaction:
            self.db.execute("COMMIT")
            self.in_transaction = False

    def rollback(self):
        if self.in_transaction:
            self.db.execute("ROLLBACK")
            self.in_transaction = False

    def columns(self, table):
        """{name: (kind, scale, length, nullable, key)}; refused when there is no such table."""
        found = {r[0]: r[1:] for r in self.db.execute(
            'SELECT name, kind, scale, length, nullable, key FROM "sys columns" WHERE tab = ? ORDER BY rowid', (table,))}
        if not found:
            raise SqlError("002003", f"SQL compilation error:\nTable '{table}' does not exist or not authorized.", "42S02")
        return found

    def has_table(self, table):
        return self.db.execute('SELECT 1 FROM "sys tables" WHERE name = ?', (table,)).fetchone() is not None

    def stage(self, name):
        if name not in self.database.stages:
            raise SqlError("002003", f"SQL compilation error:\nStage '{name}' does not exist or not authorized.", "02000")
        return self.database.stages[name]

    def store(self, table, columns, values):
        """Python values as they lie in SQLite, checked against the columns; `values`: {column: value}."""
        out = {}
        for name, v in values.items():
            kind, scale, length, nullable, _ = columns[name]
            v = cast(v, CASTS.get(kind, kind), (38, scale or 0) if kind == "NUMBER" else ())
            if v is None and not nullable:
                raise SqlError("100072", "NULL result in a non-nullable column", "22000")
            if kind == "TEXT" and v is not None and length and len(v) > length:
                raise SqlError("100078", f"String '{v[:20]}' is too long and would be truncated", "22000")
            if isinstance(v, Variant):
                v = v.text()
            elif isinstance(v, bool):
                v = int(v)
            elif isinstance(v, Decimal):
                v = str(v)
            elif isinstance(v, int) and not -2**63 <= v < 2**63:
                v = str(v)
            out[name] = v
        return out

    def as_python(self, columns, row):
        """A row of SQLite as values of Snowflake's types."""
        out = {}
        for name, v in row.items():
            kind = columns[name][0]
            if v is not None and kind == "BOOLEAN":
                v = bool(v)
            elif v is not None and kind in ("VARIANT", "OBJECT", "ARRAY"):
                v = parse_json(v)
            out[name] = v
        return out


class Statement(Changes):
    def __init__(self, session, toks, bind, sql):
        super().__init__(toks)
        self.session, self.db, self.bind, self.sql = session, session.db, bind, sql

    def run(self):
        for words, method, is_ddl in (
                ("BEGIN", self.do_begin, False), ("COMMIT", self.do_commit, False), ("ROLLBACK", self.do_rollback, False),
                ("MERGE INTO", self.merge, False), ("COPY INTO", self.copy, False),
                ("SHOW PRIMARY KEYS IN SCHEMA", self.show_keys, False),
                ("SHOW TABLES", self.show_tables, False), ("SHOW STAGES", self.show_stages, False),
                ("SELECT", self.select, False),
                ("LIST", self.list, False), ("REMOVE", self.remove, False), ("PUT", self.put, False),
                ("ALTER TABLE", self.alter, True), ("DROP TABLE", self.drop_table, True), ("DROP STAGE", self.drop_stage, True),
                ("CREATE SCHEMA", self.create_schema, True), ("DROP SCHEMA", self.drop_schema, True),
                ("CREATE OR REPLACE", self.create_or_replace, True), ("CREATE", self.create, True)):
            if self.words(words):
                return self._within(method, is_ddl)
        return self.fail("a statement that the peer knows")

    def _within(self, method, is_ddl):
        """DDL commits what is open; a statement without a transaction is one."""
        if method in (self.do_begin, self.do_commit, self.do_rollback):
            self.end_of(method)
            return Result()
        if is_ddl:
            self.session.commit()
        alone = not self.session.in_transaction
        self.session.begin()
        try:
            result = method()
        except BaseException:
            if alone:
                self.session.rollback()
            raise
        if alone:
            self.session.commit()
        return result

    def end_of(self, method):
        self.end()
        method()

    def do_begin(self):
        self.session.begin()

    def do_commit(self):
        self.session.commit()

    def do_rollback(self):
        self.session.rollback()

    # ---- DDL

    def exists_clause(self, negated):
        return self.words("IF NOT EXISTS" if negated else "IF EXISTS")

    def create_or_replace(self):
        self.need("TABLE")
        return self.table(True, False)

    def create(self):
        temporary = self.take("TEMPORARY")
        if self.take("STAGE"):
            return self.create_stage(temporary)
        self.need("TABLE")
        return self.table(False, self.exists_clause(True))

    def column_type(self):
        name, digits = self.type()
        if name not in KINDS:
            raise SqlError("002040", f"SQL compilation error: unsupported data type '{name}'", "42601")
        kind = KINDS[name]
        return kind, (int(digits[1]) if len(digits) > 1 else 0) if kind == "NUMBER" else None, \
            int(digits[0]) if kind == "TEXT" and digits else None

    def table(self, replace, if_missing):
        name, columns, keys, comment = self.kind("quoted"), {}, [], None
        self.need("(")
        while not self.take(")"):
            if self.words("PRIMARY KEY"):
                self.need("(")
                keys = self.names()
            else:
                column = self.kind("quoted")
                columns[column] = [*self.column_type(), not self.words("NOT NULL")]
            if not self.peek(")"):
                self.need(",")
        if self.words("COMMENT"):
            self.need("=")
            comment = self.kind("string")
        self.end()
        if self.session.has_table(name):
            if if_missing:
                return Result()
            if not replace:
                raise SqlError("002002", f"SQL compilation error:\nObject '{name}' already exists.", "42710")
            self.forget_table(name)
        if not columns or set(keys) - set(columns):
            raise SqlError("001003", "SQL compilation error: a table without columns, or a key of others", "42000")
        self.make_table(name, columns, keys, comment)
        return Result()

    def names(self):
        found = [self.kind("quoted")]
        while self.take(","):
            found.append(self.kind("quoted"))
        self.need(")")
        return found

    def make_table(self, name, columns, keys, comment):
        self.db.execute(f"CREATE TABLE {quoted('t ' + name)} ({', '.join(quoted(c) for c in columns)})")
        self.db.execute('INSERT INTO "sys tables" VALUES (?, ?)', (name, comment))
        for column, (kind, scale, length, nullable) in columns.items():
            self.db.execute('INSERT INTO "sys columns" VALUES (?, ?, ?, ?, ?, ?, ?)',
                            (name, column, kind, scale, length, nullable and column not in keys,
                             keys.index(column) + 1 if column in keys else 0))
        if keys:
            self.db.execute(f"CREATE INDEX {quoted('i ' + name + uuid.uuid4().hex)} ON {quoted('t ' + name)} ({quoted(keys[-1])})")

    def forget_table(self, name):
        self.db.execute(f"DROP TABLE {quoted('t ' + name)}")
        for system in ("tables WHERE name", "columns WHERE tab", "loaded WHERE tab"):
            where, column = system.split(" WHERE ")
            self.db.execute(f'DELETE FROM {quoted("sys " + where)} WHERE {column} = ?', (name,))

    def drop_table(self):
        lenient, name = self.exists_clause(False), self.kind("quoted")
        self.end()
        if self.session.has_table(name):
            self.forget_table(name)
        elif not lenient:
            self.session.columns(name)
        return Result()

    def alter(self):
        name = self.kind("quoted")
        have = self.session.columns(name)
        if self.words("ADD COLUMN"):
            column = self.kind("quoted")
            kind, scale, length = self.column_type()
            self.end()
            if column in have:
                raise SqlError("001430", f"SQL compilation error:\ncolumn '{column}' already exists", "42601")
            self.db.execute(f"ALTER TABLE {quoted('t ' + name)} ADD COLUMN {quoted(column)}")
            self.db.execute('INSERT INTO "sys columns" VALUES (?, ?, ?, ?, ?, 1, 0)', (name, column, kind, scale, length))
        elif self.words("SWAP WITH"):
            other = self.kind("quoted")
            self.end()
            self.session.columns(other)
            for a, b in ((name, "swap"), (other, name), ("swap", other)):
                self.rename(a, b)
        elif self.words("RENAME TO"):
            other = self.kind("quoted")
            self.end()
            if self.session.has_table(other):
                raise SqlError("002002", f"SQL compilation error:\nObject '{other}' already exists.", "42710")
            self.rename(name, other)
        else:
            self.fail("ADD COLUMN, SWAP WITH or RENAME TO")
        return Result()

    def rename(self, a, b):
        self.db.execute(f"ALTER TABLE {quoted('t ' + a)} RENAME TO {quoted('t ' + b)}")
        for system, column in (("tables", "name"), ("columns", "tab"), ("loaded", "tab")):
            self.db.execute(f'UPDATE {quoted("sys " + system)} SET {column} = ? WHERE {column} = ?', (b, a))

    # ---- stages

    def options(self):
        """NAME = value or NAME = (NAME = value ...), to the end or a closing parenthesis."""
        found = {}
        while self.at < len(self.toks) and not self.peek(")"):
            name = self.kind("word")
            self.need("=")
            if self.take("("):
                found[name] = self.options()
                self.need(")")
            else:
                found[name] = self.kind("word", "string", "number")
        return found

    def create_stage(self, temporary):
        lenient, name = self.exists_clause(True), self.kind("quoted")
        options = self.options()
        self.end()
        if set(options) - {"ENCRYPTION", "FILE_FORMAT"} or options.get("ENCRYPTION") != {"TYPE": "SNOWFLAKE_SSE"}:
            raise SqlError("001003", "the peer wants stages with ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')", "42000")
        if name in self.session.database.stages:
            if lenient:
                return Result()
            raise SqlError("002002", f"SQL compilation error:\nObject '{name}' already exists.", "42710")
        folder = os.path.join(self.session.database.stage_folder, uuid.uuid4().hex)
        os.mkdir(folder)
        self.session.database.stages[name] = folder
        if temporary:
            self.session.temporary.append(name)
        return Result()

    def drop_stage(self):
        lenient, name = self.exists_clause(False), self.kind("quoted")
        self.end()
        if not lenient:
            self.session.stage(name)
        self.session.database.stages.pop(name, None)
        return Result()

    def location(self):
        """@"stage"/path: (stage, path)"""
        name, _, path = self.kind("stage")[2:].partition('"')
        return name, path.strip("/")

    def files(self, name, path):
        folder = os.path.join(self.session.stage(name), path)
        if os.path.isfile(folder):
            return [path]
        found = []
        for where, _, files in os.walk(folder):
            found += [os.path.relpath(os.path.join(where, f), self.session.stage(name)) for f in files]
        return sorted(found)

    def list(self):
        name, path = self.location()
        self.end()
        rows = [[f"{name.lower()}/{f}", "1", "d41d8cd9", "Thu, 1 Jan 2026 00:00:00 GMT"] for f in self.files(name, path)]
        return Result(["name", "size", "md5", "last_modified"], rows)

    def remove(self):
        name, path = self.location()
        self.end()
        for file in self.files(name, path):
            os.unlink(os.path.join(self.session.stage(name), file))
        return Result(["name", "result"], [])

    def put(self):
        source = self.kind("string")
        name, path = self.location()
        options = self.options()
        self.end()
        if not source.startswith("file://") or options.get("AUTO_COMPRESS") != "FALSE" or options.get("OVERWRITE") != "TRUE":
            raise SqlError("001003", "the peer knows PUT 'file://...' with AUTO_COMPRESS=FALSE OVERWRITE=TRUE", "42000")
        self.session.stage(name)
        return Result(transfer={"source": source, "stage": name, "path": path,
                                "compression": options.get("SOURCE_COMPRESSION", "auto_detect").lower()})

    # ---- reading

    def select(self):
        """SELECT a AS "A", ... FROM information_schema.x WHERE a = b AND ... ORDER BY ..."""
        if self.take("*"):
            return self.select_all()
        wanted = []
        while True:
            column = self.kind("word")
            self.need("AS")
            wanted.append((column, self.kind("quoted")))
            if not self.take(","):
                break
        self.need("FROM INFORMATION_SCHEMA .")
        view = self.kind("word")
        self.need("WHERE")
        condition = self.expr()
        if self.words("ORDER BY"):
            self.kind("word")
            while self.take(","):
                self.kind("word")
        self.end()
        database = self.session.database
        rows = []
        for row in self.view(view):
            env = {"": row, "CURRENT_DATABASE": database.name, "CURRENT_SCHEMA": database.schema}
            if condition(env) is True:
                rows.append([None if row[c] is None else str(row[c]) for c, _ in wanted])
        return Result([shown for _, shown in wanted], rows)

    def select_all(self):
        """SELECT * FROM "table", with the cells as the protocol has them."""
        self.need("FROM")
        table = self.kind("quoted")
        self.end()
        columns = self.session.columns(table)
        cursor = self.db.execute(f"SELECT * FROM {quoted('t ' + table)}")
        names = [d[0] for d in cursor.description]
        rows = [[cell(columns[n][0], v) for n, v in zip(names, row)] for row in cursor.fetchall()]
        return Result(names, rows, types=[WIRE.get(columns[n][0], columns[n][0].lower()) for n in names])

    def view(self, name):
        place = {"TABLE_CATALOG": self.session.database.name, "TABLE_SCHEMA": self.session.database.schema}
        if name == "TABLES":
            for table, comment in self.db.execute('SELECT name, comment FROM "sys tables" ORDER BY name').fetchall():
                yield {**place, "TABLE_NAME": table, "COMMENT": comment}
        elif name == "COLUMNS":
            # a table of the same name in another schema, which must not be taken for ours
            yield {"TABLE_CATALOG": place["TABLE_CATALOG"], "TABLE_SCHEMA": "OTHER", "TABLE_NAME": "order",
                   "COLUMN_NAME": "elsewhere", "DATA_TYPE": "TEXT", "NUMERIC_SCALE": None, "IS_NULLABLE": "YES",
                   "COLUMN_DEFAULT": None}
            for table, column, kind, scale, nullable in self.db.execute(
                    'SELECT tab, name, kind, scale, nullable FROM "sys columns" ORDER BY tab, rowid').fetchall():
                yield {**place, "TABLE_NAME": table, "COLUMN_NAME": column, "DATA_TYPE": kind, "NUMERIC_SCALE": scale,
                       "IS_NULLABLE": "YES" if nullable else "NO", "COLUMN_DEFAULT": None}
        else:
            self.fail("information_schema.columns or .tables")

    def show_keys(self):
        database, schema = self.kind("quoted"), None
        self.need(".")
        schema = self.kind("quoted")
        self.end()
        ours = self.session.database
        if (database, schema) != (ours.name, ours.schema):
            raise SqlError("002043", "SQL compilation error:\nObject does not exist, or operation cannot be performed.", "02000")
        rows = [["2026-01-01", database, schema, t, c, str(k), "pk", "false", None] for t, c, k in self.db.execute(
            'SELECT tab, name, key FROM "sys columns" WHERE key > 0 ORDER BY tab, key').fetchall()]
        return Result(["created_on", "database_name", "schema_name", "table_name", "column_name", "key_sequence",
                       "constraint_name", "rely", "comment"], rows)

    def show_tables(self):
        self.end()
        return Result(["name"], [[n] for n, in self.db.execute('SELECT name FROM "sys tables" ORDER BY name')])

    def show_stages(self):
        self.end()
        return Result(["name"], [[n] for n in sorted(self.session.database.stages)])

    def create_schema(self):
        self.session.database.schema = self.kind("quoted")
        self.end()
        return Result()

    def drop_schema(self):
        """There is one at a time: what is in it goes."""
        name = self.kind("quoted")
        self.end()
        if name != self.session.database.schema:
            raise SqlError("002003", f"SQL compilation error:\nSchema '{name}' does not exist or not authorized.", "02000")
        for table, in self.db.execute('SELECT name FROM "sys tables"').fetchall():
            self.forget_table(table)
        self.session.database.schema = "PUBLIC"
        return Result()
