"""The database of the test peer: tables, the catalogue's views, and statements applied to them by what they say.

Strict where SQL Server is: unknown tables and columns, permissions, the rules of tables (tsql_table).
"""
import re
import threading

from tests.support.tsql_eval import DEFAULT_COLLATION, TEXTS, WIDE, Compiler, convert
from tests.support.tsql_parse import SqlError
from tests.support.tsql_session import Session
from tests.support.tsql_table import Column, Table


class Engine:
    """All sessions share it; a request holds `lock` from its start to its end."""

    def __init__(self, schema="dbo", collation=DEFAULT_COLLATION, compatibility=160, version="16.0.4115.5"):
        self.default_schema, self.collation = schema, collation
        self.schemas = {"dbo", schema}
        self.compatibility, self.version, self.read_only = compatibility, version, False
        self.denied = set()                 # permissions that the login lacks
        self.tables = {}                    # (schema, name in lower case) -> Table
        self.views = set()
        self.lock = threading.RLock()
        self.functions = {
            ("SUBSTRING", 3): lambda s, v, at, n: None if v is None else v[at - 1:at - 1 + n],
            ("REPLACE", 3): lambda s, v, a, b: None if v is None else v.replace(a, b),
            ("ISNULL", 2): lambda s, v, other: other if v is None else v,
            ("DB_NAME", 0): lambda s: s.database,
            ("SCHEMA_NAME", 0): lambda s: self.default_schema,
            ("SCHEMA_NAME", 1): lambda s, schema: schema,
            ("SCHEMA_ID", 1): lambda s, name: name if name in self.schemas else None,
            ("TYPE_NAME", 1): lambda s, name: name,
            ("SERVERPROPERTY", 1): lambda s, name: {"ProductVersion": self.version}[name],
            ("DATABASEPROPERTYEX", 2): lambda s, _, name: {
                "Collation": self.collation, "Updateability": "READ_ONLY" if self.read_only else "READ_WRITE"}[name],
            ("HAS_PERMS_BY_NAME", 3): lambda s, _, kind, name: int(name not in self.denied),
            ("OBJECT_ID", 2): lambda s, name, kind: self._object_id(name),
            ("QUOTENAME", 1): lambda s, name: "[" + name.replace("]", "]]") + "]",
            ("ERROR_NUMBER", 0): lambda s: s.caught and s.caught.number,
        }

    # ---- what tests look at

    def table(self, name, schema=None):
        return self.tables.get(((schema or self.default_schema).lower(), name.lower()))

    def create(self, sql):
        """Make tables as somebody else would have, by CREATE TABLE text."""
        session = Session(self)
        with self.lock:
            session.run_script(sql)

    def rows(self, name, schema=None):
        """[{column: value}] of a table; AssertionError when there is none."""
        table = self.table(name, schema)
        assert table is not None, f"no table {name} in {sorted(self.tables)}"
        return [{c.name: row.get(c.name.lower()) for c in table.columns} for row in table.rows.values()]

    def _object_id(self, name):
        parts = [p.replace("]]", "]") for p in re.findall(r"\[((?:[^\]]|\]\])+)\]", name)]
        found = self.table(parts[-1], parts[0] if len(parts) > 1 else None)
        return None if found is None else id(found)

    def find(self, name):
        table = self.table(name[1], name[0])
        if table is None:
            raise SqlError(208, f"Invalid object name '{name[1] if name[0] is None else '.'.join(name)}'.")
        return table

    # ---- sources of rows

    def _system(self, name):
        """The views of the catalogue, as far as anybody asked: (columns, rows)."""
        tables = list(self.tables.values())
        if name == "databases":
            return ("name", "compatibility_level"), [("*", self.compatibility)]
        if name == "objects":
            found = [(f"{t.schema}.{t.name}", t.name, t.schema, "U ") for t in tables]
            return ("object_id", "name", "schema_id", "type"), found + [
                (f"{s}.{n}", n, s, "V ") for s, n in sorted(self.views)]
        if name == "columns":
            return ("object_id", "column_id", "name", "system_type_id", "max_length", "precision", "scale", "is_nullable",
                    "collation_name"), [self._column_row(t, i, c) for t in tables for i, c in enumerate(t.columns, 1)]
        if name == "indexes":
            return ("object_id", "index_id", "is_primary_key"), [(f"{t.schema}.{t.name}", 1, 1) for t in tables if t.key]
        if name == "index_columns":
            return ("object_id", "index_id", "column_id", "key_ordinal"), [
                (f"{t.schema}.{t.name}", 1, i, t.key.index(c.name.lower()) + 1)
                for t in tables for i, c in enumerate(t.columns, 1) if c.name.lower() in t.key]
        raise SqlError(208, f"Invalid object name 'sys.{name}'.")

    @staticmethod
    def _column_row(table, number, column):
        name, arguments = column.kind
        length = {"BIGINT": 8, "FLOAT": 8, "BIT": 1, "INT": 4, "REAL": 4}.get(name, 9)
        if name in TEXTS:
            length = -1 if arguments[0] is None else arguments[0] * (2 if name in WIDE else 1)
        precision, scale = arguments if name == "DECIMAL" else (0, 0)
        return (f"{table.schema}.{table.name}", number, column.name, name.lower(), length, precision, scale,
                int(column.nullable), column.collation)

    def _scope_of(self, source):
        if source.kind == "openjson":
            return {name.lower(): (kind, self.collation) for name, kind, _ in source.columns}
        if source.name[0] == "sys":
            names = self._system(source.name[1].lower())[0]
            return {n: (("NVARCHAR", (4000,)) if n in ("name", "collation_name", "type", "schema_id", "object_id",
                                                       "system_type_id") else ("BIGINT", ()), self.collation)
                    for n in names}
        return self.find(source.name).scope()

    def _rows_of(self, session, source, compiler, env):
        if source.kind == "openjson":
            return session.open_json(compiler.value(source.document)(env), source.columns)
        if source.name[0] == "sys":
            names, found = self._system(source.name[1].lower())
            return [dict(zip(names, (session.database if v == "*" else v for v in row))) for row in found]
        return list(self.find(source.name).rows.values())

    def _equalities(self, condition, compiler, alias):
        """[(left tree, right tree)] of the equalities between the table to be joined and what stands left of it."""
        if condition[0] == "and":
            return self._equalities(condition[1], compiler, alias) + self._equalities(condition[2], compiler, alias)
        if condition[0] == "compare" and condition[1] == "=":
            for mine, other in (condition[2:], condition[:1:-1]):
                if self._aliases(mine, compiler) == {alias} and alias not in self._aliases(other, compiler):
                    return [(mine, other)]
        return []

    def _aliases(self, tree, compiler):
        if not isinstance(tree, tuple):
            return set()
        if tree[0] == "column":
            return {compiler._place(tree[1], tree[2])[0]}
        return set().union(*(self._aliases(t, compiler) for part in tree[1:]
                             for t in (part if isinstance(part, list) else [part])), set())

    def joined(self, session, sources, where, outer_scope=None, outer_env=None):
        """[{alias: row}] of a FROM with its WHERE, by hash joins where there is an equality."""
        scope = dict(outer_scope or {})
        found = [dict(outer_env or {})]
        for source, how, condition in sources:
            scope[source.alias] = self._scope_of(source)
            compiler = Compiler(session, scope)
            rows = self._rows_of(session, source, compiler, outer_env or {})
            found = self._join(compiler, found, source.alias, rows, how, condition)
        test = Compiler(session, scope).truth(where) if where is not None else None
        return scope, [env for env in found if test is None or test(env)]

    def _join(self, compiler, left, alias, rows, how, condition):
        test = compiler.truth(condition) if condition is not None else None
        pairs = self._equalities(condition, compiler, alias) if condition is not None else []
        index, probe = self._index(compiler, alias, rows, pairs)
        out = []
        for env in left:
            matched = False
            for row in index.get(probe(env), ()) if pairs else rows:
                candidate = {**env, alias: row}
                if test is None or test(candidate):
                    matched = True
                    out.append(candidate)
            if how == "left" and not matched:
                out.append({**env, alias: dict.fromkeys(compiler.scope[alias])})
        return out

    @staticmethod
    def _index(compiler, alias, rows, pairs):
        mine = [(compiler.value(m), compiler.comparable(m, o)) for m, o in pairs]
        other = [(compiler.value(o), compiler.comparable(m, o)) for m, o in pairs]

        def key(parts, env):
            values = [value(env) for value, _ in parts]
            return None if None in values else tuple(f(v) for (_, f), v in zip(parts, values))
        index = {}
        for row in rows if pairs else ():
            at = key(mine, {alias: row})
            if at is not None:
                index.setdefault(at, []).append(row)
        return index, lambda env: key(other, env)

    def prepare_exists(self, session, select, scope):
        """EXISTS (SELECT 1 FROM one table WHERE ...) by an index on what is equal to the outer row."""
        if len(select.sources) != 1 or select.sources[0][0].kind != "table":
            raise SqlError(102, "EXISTS over more than one table", 15)
        source = select.sources[0][0]
        inner = Compiler(session, {**scope, source.alias: self._scope_of(source)})
        rows = self._rows_of(session, source, inner, {})

        def exists(env):
            return bool(self._join(inner, [env], source.alias, rows, "inner", select.where))
        pairs = self._equalities(select.where, inner, source.alias)
        if not pairs:
            return exists
        index, probe = self._index(inner, source.alias, rows, pairs)
        test = inner.truth(select.where)
        return lambda env: any(test({**env, source.alias: row}) for row in index.get(probe(env), ()))

    # ---- statements

    def select(self, session, s, outer_scope=None, outer_env=None):
        """(names, rows)"""
        if not s.columns:
            raise SqlError(102, "SELECT * without INTO", 15)
        scope, found = self.joined(session, s.sources, s.where, outer_scope, outer_env)
        compiler = Compiler(session, scope)
        names = [name for _, name in s.columns]
        if any(tree[0] == "count" for tree, _ in s.columns):
            return names, [[len(found)]]
        if any(tree[0] == "convert" and tree[2] == ("count",) for tree, _ in s.columns):
            return names, [[convert(len(found), s.columns[0][0][1])]]
        if s.order:
            order = [compiler.value(o) for o in s.order]
            found.sort(key=lambda env: [o(env) for o in order])
        values = [compiler.value(tree) for tree, _ in s.columns]
        return names, [[v(env) for v in values] for env in found[:s.top]]

    def _changed(self, session, table):
        if self.read_only:
            raise SqlError(3906, f'Failed to update database "{session.database}" because the database is read-only.')
        session.save(table)

    def insert(self, session, s):
        table = self.find(s.table)
        columns = [table.column(name) for name in s.columns or [c.name for c in table.columns]]
        rows = self.select(session, s.select)[1] if s.select else [[session.value(v) for v in row] for row in s.rows]
        self._changed(session, table)
        for values in rows:
            if len(values) != len(columns):
                raise SqlError(213, "Column name or number of supplied values does not match table definition.")
            row = {c.name: c.default for c in table.columns}
            row.update((c.name, value) for c, value in zip(columns, values))
            table.put({name.lower(): table.store(name, value) for name, value in row.items()})

    def load(self, session, s, rows):
        """All rows or none; what a load does not have gets its default."""
        table = self.find(s.table)
        names = [table.column(name).name for name, _ in s.columns]
        self._changed(session, table)
        before = table.clone()
        try:
            for values in rows:
                row = {c.name: c.default for c in table.columns}
                row.update(zip(names, values))
                table.put({name.lower(): table.store(name, value) for name, value in row.items()})
        except SqlError:
            table.rows = before.rows
            raise

    def update(self, session, s):
        table = self._target(s)
        scope, found = self.joined(session, s.sources, s.where)
        compiler = Compiler(session, scope)
        assignments = [(table.column(name).name, compiler.value(tree)) for name, tree in s.assignments]
        self._changed(session, table)
        seen = set()
        for env in found:
            old = env[s.alias]
            if id(old) in seen:
                continue            # the server takes any one of them
            seen.add(id(old))
            new = dict(old)
            new.update((name.lower(), table.store(name, value(env))) for name, value in assignments)
            del table.rows[table.identity(old)]
            table.put(new)

    def delete(self, session, s):
        table = self._target(s)
        _, found = self.joined(session, s.sources, s.where)
        self._changed(session, table)
        for env in found:
            table.rows.pop(table.identity(env[s.alias]), None)

    def _target(self, s):
        for source, _, _ in s.sources:
            if source.alias == s.alias and source.kind == "table":
                return self.find(source.name)
        raise SqlError(208, f"Invalid object name '{s.alias}'.")

    def create_table(self, session, s):
        schema = s.table[0] or self.default_schema
        if "CREATE TABLE" in self.denied:
            raise SqlError(262, f"CREATE TABLE permission denied in database '{session.database}'.", 14)
        if self.table(s.table[1], schema) is not None or (schema, s.table[1]) in self.views:
            raise SqlError(2714, f"There is already an object named '{s.table[1]}' in the database.")
        if schema not in self.schemas:
            raise SqlError(2760, f'The specified schema name "{schema}" either does not exist or you do not have '
                                 "permission to use it.")
        table = Table(schema, s.table[1], [Column(n, k, nullable, self.collation, session.value(default))
                                           for n, k, nullable, default in s.columns], s.key)
        table.refers = {((t[0] or self.default_schema).lower(), t[1].lower()) for t in s.refers}
        names = [c.name.lower() for c in table.columns]
        if len(set(names)) != len(names):
            raise SqlError(2705, "Column names in each table must be unique.")
        if len(names) > 1024:
            raise SqlError(1702, f"CREATE TABLE failed because column '{s.columns[1024][0]}' in table '{table.name}' "
                                 "exceeds the maximum of 1024 columns.")
        for key in table.key:
            column = table.column(key)
            if column.kind[0] in TEXTS and column.kind[1][0] is None:
                raise SqlError(1919, f"Column '{column.name}' in table '{table.name}' is of a type that is invalid for "
                                     "use as a key column in an index.")
            column.nullable = False
        if self.read_only:
            raise SqlError(3906, f'Failed to update database "{session.database}" because the database is read-only.')
        self.tables[schema.lower(), table.name.lower()] = table

    def add_column(self, session, s):
        table = self.find(s.table)
        name, kind, _, _ = s.column
        if any(c.name.lower() == name.lower() for c in table.columns):
            raise SqlError(2705, f"Column names in each table must be unique. Column name '{name}' in table "
                                 f"'{table.name}' is specified more than once.")
        self._changed(session, table)
        table.columns = table.columns + [Column(name, kind, True, self.collation)]
        table.rows = {k: {**row, name.lower(): None} for k, row in table.rows.items()}

    def add_key(self, session, s):
        table = self.find(s.table)
        if table.key:
            raise SqlError(1779, f"Table '{table.name}' already has a primary key defined on it.")
        self._changed(session, table)
        rows, table.rows, table.key = table.rows, {}, [k.lower() for k in s.key]
        for key in table.key:
            if table.column(key).nullable:
                raise SqlError(8111, f"Cannot define PRIMARY KEY constraint on nullable column in table '{table.name}'.")
        for row in rows.values():
            table.put(row)

    def copy_table(self, session, s):
        """SELECT TOP (n) * INTO: columns as they are, without the key."""
        source = s.sources[0][0]
        if s.columns or len(s.sources) != 1 or source.kind != "table" or s.where is not None:
            raise SqlError(102, "SELECT INTO of anything but a table as it is", 15)
        table, schema = self.find(source.name), s.into[0] or self.default_schema
        if self.table(s.into[1], schema) is not None:
            raise SqlError(2714, f"There is already an object named '{s.into[1]}' in the database.")
        copy = Table(schema, s.into[1], [Column(c.name, c.kind, c.nullable, c.collation) for c in table.columns], [])
        for row in list(table.rows.values())[:s.top]:
            copy.put(row)
        self.tables[schema.lower(), copy.name.lower()] = copy

    def drop_table(self, session, s):
        if s.lenient and self.table(s.table[1], s.table[0]) is None:
            return
        table = self.find(s.table)
        me = (table.schema.lower(), table.name.lower())
        if any(me in other.refers for at, other in self.tables.items() if at != me):
            raise SqlError(3726, f"Could not drop object '{table.schema}.{table.name}' because it is referenced by a FOREIGN "
                                 "KEY constraint.")
        del self.tables[table.schema.lower(), table.name.lower()]

    def rename(self, session, old, new):
        parts = [p.replace("]]", "]") for p in re.findall(r"\[((?:[^\]]|\]\])+)\]", old)]
        if len(parts) != 2:
            raise SqlError(15225, f"No item by the name of '{old}' could be found.")
        table = self.find(tuple(parts))
        if self.table(new, table.schema) is not None:
            raise SqlError(15335, f"Error: The new name '{new}' is already in use as a object name.")
        del self.tables[table.schema.lower(), table.name.lower()]
        renamed = table.clone()
        renamed.name = new
        self.tables[table.schema.lower(), new.lower()] = renamed
