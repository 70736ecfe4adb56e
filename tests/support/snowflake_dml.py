"""What changes rows in the Snowflake peer: COPY and MERGE, over a session of snowflake_sql.py."""
import gzip
import os
from dataclasses import dataclass, field

from tests.support.snowflake_expr import Parser, SqlError, Variant, parse_json


@dataclass
class Result:
    columns: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    type_id: int = 0x1000
    transfer: dict = None
    types: list = None          # of the columns; texts unless given


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Changes(Parser):
    """The part of a Statement that reads COPY and MERGE."""

    # ---- COPY

    def copy(self):
        table = self.kind("quoted")
        self.need("FROM")
        stage, path = self.location()
        self.need("FILES")
        self.need("=")
        self.need("(")
        files = [self.kind("string")]
        while self.take(","):
            files.append(self.kind("string"))
        self.need(")")
        options = self.copy_options()
        self.end()
        if len(files) > 1000:
            raise SqlError("001003", "at most 1000 files", "42000")
        form = options.get("FILE_FORMAT", {})
        if form.get("TYPE") != "JSON" or options.get("MATCH_BY_COLUMN_NAME") != "CASE_SENSITIVE" or \
                options.get("ON_ERROR") != "ABORT_STATEMENT" or form.get("NULL_IF") != []:
            raise SqlError("001003", "the peer knows COPY of JSON, by exact names, all or nothing, no text as NULL", "42000")
        columns, rows = self.session.columns(table), []
        for file in files:
            rows.append(self.load_file(table, columns, stage, os.path.join(path, file)))
        rows = [r for r in rows if r]
        if not rows:
            return Result(["status"], [["Copy executed with 0 files processed."]], 0x3600)
        return Result(["file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen"], rows, 0x3600)

    def copy_options(self):
        found = {}
        while self.at < len(self.toks):
            name = self.kind("word")
            self.need("=")
            if not self.take("("):
                found[name] = self.kind("word", "string")
                continue
            inner = {}
            while not self.take(")"):
                key = self.kind("word")
                self.need("=")
                if self.take("("):
                    self.need(")")
                    inner[key] = []
                else:
                    inner[key] = self.kind("word", "string")
            found[name] = inner
        return found

    def load_file(self, table, columns, stage, file):
        full = os.path.join(self.session.stage(stage), file)
        if not os.path.exists(full):
            raise SqlError("091016", f"Remote file '{file}' was not found.", "22000")
        if self.db.execute('SELECT 1 FROM "sys loaded" WHERE tab = ? AND file = ?', (table, file)).fetchone():
            return None
        count = 0
        for line in read_lines(full):
            row = parse_json(line)
            values = {c: Variant(v) for c, v in row.value.items() if c in columns}
            missing = {c: None for c in columns if c not in values}
            stored = self.session.store(table, columns, {**values, **missing})
            insert(self.db, table, stored)
            count += 1
        self.db.execute('INSERT INTO "sys loaded" VALUES (?, ?)', (table, file))
        return [f"{stage.lower()}/{file}", "LOADED", str(count), str(count), "1", "0"]

    # ---- MERGE

    def merge(self):
        target = self.kind("quoted")
        self.need("AS T USING")
        source = self.source()
        self.need("AS S ON")
        on = self.on()
        clauses = []
        while self.take("WHEN"):
            clauses.append(self.clause())
        self.end()
        return Merge(self.session, target, source, on, clauses).run()

    def source(self):
        """A list of environments' `S` rows, as a function without arguments."""
        if not self.take("("):
            table = self.kind("quoted")
            return lambda: self.rows_of(table)
        self.need("SELECT")
        items = []
        while True:
            value = self.expr()
            self.need("AS")
            items.append((self.kind("word"), value))
            if not self.take(","):
                break
        self.need("FROM")
        rows, condition = self.from_clause(), None
        if self.take("WHERE"):
            condition = self.expr()
        self.need(")")

        def read():
            for env in rows():
                if condition is None or condition(env) is True:
                    yield {name: value(env) for name, value in items}
        return read

    def from_clause(self):
        if self.at < len(self.toks) and self.toks[self.at][0] == "stage":
            stage, path = self.location()
            return lambda: ({"$1": parse_json(line)} for file in self.staged(stage, path)
                            for line in read_lines(os.path.join(self.session.stage(stage), file)))
        self.need("TABLE ( FLATTEN ( INPUT =>")
        value = self.expr()
        self.need(") ) AS F")

        def flatten():
            array = value({"?": self.bind})
            if not isinstance(array, Variant) or not isinstance(array.value, list):
                raise SqlError("100071", "FLATTEN of something that is no array", "22000")
            return ({"F": {"VALUE": Variant(v)}} for v in array.value)
        return flatten

    def staged(self, stage, path):
        found = self.files(stage, path)
        if not found:
            raise SqlError("091016", f"Remote file '{path}' was not found.", "22000")
        return found

    def rows_of(self, table):
        columns = self.session.columns(table)
        cursor = self.db.execute(f"SELECT * FROM {quoted('t ' + table)}")
        names = [d[0] for d in cursor.description]
        return [self.session.as_python(columns, dict(zip(names, r))) for r in cursor.fetchall()]

    def on(self):
        """t."a" = expression AND ...: {column: expression}"""
        found = {}
        while True:
            self.need("T .")
            column = self.kind("quoted")
            self.need("=")
            found[column] = self.postfix()
            if not self.take("AND"):
                return found

    def clause(self):
        matched = not self.take("NOT")
        self.need("MATCHED")
        condition = None
        if self.take("AND"):
            condition = self.expr()
        self.need("THEN")
        if matched and self.take("DELETE"):
            return matched, condition, "delete", None
        if matched:
            self.need("UPDATE SET")
            return matched, condition, "update", self.assignments()
        self.need("INSERT (")
        columns, values = self.names(), []
        self.need("VALUES (")
        while not self.take(")"):
            values.append(self.expr())
            if not self.peek(")"):
                self.need(",")
        if len(columns) != len(values):
            self.fail("as many values as columns")
        return matched, condition, "insert", dict(zip(columns, values))

    def assignments(self):
        found = {}
        while True:
            column = self.kind("quoted")
            self.need("=")
            found[column] = self.expr()
            if not self.take(","):
                return found


def read_lines(path):
    """The documents of a file of newline-delimited JSON, gzipped or not."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return [line for line in data.decode().split("\n") if line.strip()]


def insert(db, table, values):
    names = ", ".join(map(quoted, values))
    db.execute(f"INSERT INTO {quoted('t ' + table)} ({names}) VALUES ({', '.join('?' * len(values))})", list(values.values()))


class Merge:
    """All source rows against the table as it was before."""

    def __init__(self, session, target, source, on, clauses):
        self.session, self.db, self.target, self.on, self.clauses = session, session.db, target, on, clauses
        self.source = source
        self.columns = session.columns(target)
        for column in [*on, *(c for _, _, _, sets in clauses if sets for c in sets)]:
            if column not in self.columns:
                raise SqlError("000904", f"SQL compilation error: error line 1\ninvalid identifier '\"{column}\"'", "42000")

    def run(self):
        changes, touched = [], set()
        for row in self.source():
            self.match(row, changes, touched)
        counts = {"insert": 0, "update": 0, "delete": 0}
        for kind, rowid, values in changes:
            self.apply(kind, rowid, values)
            counts[kind] += 1
        return Result(["number of rows inserted", "number of rows updated", "number of rows deleted"],
                      [[str(counts[k]) for k in ("insert", "update", "delete")]], 0x3400)

    def match(self, row, changes, touched):
        key = self.session.store(self.target, {c: (*self.columns[c][:3], True, 0) for c in self.on},
                                 {c: value({"S": row}) for c, value in self.on.items()})
        where = " AND ".join(f"{quoted(c)} = ?" for c in key)
        cursor = self.db.execute(f"SELECT rowid, * FROM {quoted('t ' + self.target)} WHERE {where}", list(key.values()))
        names = [d[0] for d in cursor.description][1:]
        found = cursor.fetchall()
        for rowid, *values in found:
            env = {"S": row, "T": self.session.as_python(self.columns, dict(zip(names, values)))}
            self.choose(True, env, rowid, changes, touched)
        if not found:
            self.choose(False, {"S": row}, None, changes, touched)

    def choose(self, matched, env, rowid, changes, touched):
        for is_matched, condition, kind, sets in self.clauses:
            if is_matched is not matched or (condition is not None and condition(env) is not True):
                continue
            if rowid is not None and rowid in touched:
                raise SqlError("100090", "Duplicate row detected during DML action", "42P18")
            touched.add(rowid)
            values = None
            if sets is not None:
                values = {c: e(env) for c, e in sets.items()}
                if kind == "insert":
                    values = {**{c: None for c in self.columns if c not in values}, **values}
                values = self.session.store(self.target, self.columns, values)
            changes.append((kind, rowid, values))
            return

    def apply(self, kind, rowid, values):
        table = quoted("t " + self.target)
        if kind == "delete":
            self.db.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
        elif kind == "update":
            sets = ", ".join(f"{quoted(c)} = ?" for c in values)
            self.db.execute(f"UPDATE {table} SET {sets} WHERE rowid = ?", [*values.values(), rowid])
        else:
            insert(self.db, self.target, values)
