"""The database of the test peer: tables as dictionaries, and statements applied to them by what they say.

Strict where SQL Server is: unknown tables and columns, NOT NULL, primary keys under the collation of their
columns, texts that are too long, DML without the ANSI options.  Texts beyond a column's code page
become question marks, as they do there.
"""
import json
import re
import threading

from tests.support import gojson
from tests.support.tsql_eval import DEFAULT_COLLATION, TEXTS, WIDE, Compiler, convert, folded, type_name, units
from tests.support.tsql_parse import SqlError, parse, parse_parameters

ANSI = ("QUOTED_IDENTIFIER", "ANSI_NULLS", "ANSI_PADDING", "ANSI_WARNINGS", "ARITHABORT", "CONCAT_NULL_YIELDS_NULL")
OPTION_BITS = {"IMPLICIT_TRANSACTIONS": 2, "CURSOR_CLOSE_ON_COMMIT": 4, "ANSI_WARNINGS": 8, "ANSI_PADDING": 16,
               "ANSI_NULLS": 32, "ARITHABORT": 64, "QUOTED_IDENTIFIER": 256, "NOCOUNT": 512, "ANSI_NULL_DFLT_ON": 1024,
               "CONCAT_NULL_YIELDS_NULL": 4096, "NUMERIC_ROUNDABORT": 8192, "XACT_ABORT": 16384}


class Column:
    def __init__(self, name, kind, nullable, collation=None, default=None):
        self.name, self.kind, self.nullable, self.default = name, kind, nullable, default
        self.collation = (collation or DEFAULT_COLLATION) if kind[0] in TEXTS else None


class Table:
    def __init__(self, schema, name, columns, key):
        self.schema, self.name, self.columns = schema, name, columns
        self.key = [k.lower() for k in key]
        self.rows = {}              # key values -> {lower name: value}
        self.refers = set()         # the tables that foreign keys of this one refer to, as (schema, name)
        self.checks = []            # called with every row to be stored; what they raise refuses it
        self._serial = 0

    def column(self, name):
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        raise SqlError(207, f"Invalid column name '{name}'.")

    def scope(self):
        return {c.name.lower(): (c.kind, c.collation) for c in self.columns}

    def clone(self):
        copy = Table(self.schema, self.name, list(self.columns), self.key)
        copy.rows, copy._serial = dict(self.rows), self._serial
        copy.checks, copy.refers = self.checks, self.refers
        return copy

    def identity(self, row):
        if not self.key:
            self._serial += 1
            return self._serial
        return tuple(folded(row[k], self.column(k).collation) if isinstance(row[k], str) else row[k] for k in self.key)

    def store(self, name, value):
        """The value as the column holds it; what it cannot hold is an error."""
        column = self.column(name)
        if value is None:
            if not column.nullable:
                raise SqlError(515, f"Cannot insert the value NULL into column '{column.name}', table "
                                    f"'eds.{self.schema}.{self.name}'; column does not allow nulls. INSERT fails.")
            return None
        try:
            return convert(value, column.kind, column.collation or DEFAULT_COLLATION, cut=False)
        except SqlError as e:
            if e.number == 2628:
                e.text = (f"String or binary data would be truncated in table 'eds.{self.schema}.{self.name}', column "
                          f"'{column.name}'. Truncated value: '{value[:column.kind[1][0]]}'.")
            raise

    def put(self, row):
        for check in self.checks:
            check(row)
        identity = self.identity(row)
        if identity in self.rows:
            shown = ", ".join(str(row[k]) for k in self.key)
            raise SqlError(2627, f"Violation of PRIMARY KEY constraint 'PK__{self.name}'. Cannot insert duplicate key in "
                                 f"object '{self.schema}.{self.name}'. The duplicate key value is ({shown}).", 14)
        self.rows[identity] = row


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


class Session:
    """One connection's options, variables and transaction."""

    def __init__(self, engine, database="eds"):
        self.engine, self.database = engine, database
        self.options = {name: False for name in OPTION_BITS}
        self.settings, self.results, self.messages = {}, [], []
        self.transaction = None             # what to put back: (tables, {table: clone})
        self.caught = None
        self._variables = [{}]
        self._documents = {}
        self.on_script = None               # told of every text before it runs, for faults

    # ---- transactions

    def begin(self):
        if self.transaction is not None:
            raise SqlError(102, "a transaction within a transaction is not known here", 15)
        self.transaction = (dict(self.engine.tables), {})

    def commit(self):
        if self.transaction is None:
            raise SqlError(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        self.transaction = None

    def rollback(self):
        if self.transaction is None:
            return
        tables, saved = self.transaction
        self.engine.tables = {name: saved.get(id(t), t) for name, t in tables.items()}
        self.transaction = None

    def save(self, table):
        if self.transaction is not None:
            self.transaction[1].setdefault(id(table), table.clone())

    # ---- variables

    def variable_type(self, name):
        if name in ("@@TRANCOUNT", "@@OPTIONS", "@@ERROR", "@@ROWCOUNT"):
            return ("INT", ())
        if name.lower() not in self._variables[-1]:
            raise SqlError(137, f'Must declare the scalar variable "{name}".', 15)
        return self._variables[-1][name.lower()][0]

    def variable(self, name):
        if name == "@@TRANCOUNT":
            return int(self.transaction is not None)
        if name == "@@OPTIONS":
            return sum(bit for option, bit in OPTION_BITS.items() if self.options[option])
        return self._variables[-1][name.lower()][1]

    def value(self, tree):
        return Compiler(self, {}).value(tree)({})

    # ---- OPENJSON

    def open_json(self, text, columns):
        if self.engine.compatibility < 130:
            raise SqlError(208, "Invalid object name 'OPENJSON'.")
        if text is None:
            return []
        document = self._documents.get(text)
        if document is None:
            try:
                document = json.loads(text, parse_int=gojson.Num, parse_float=gojson.Num, parse_constant=self._no_json)
            except ValueError as e:
                raise SqlError(13609, "JSON text is not properly formatted.") from e
            self._documents = {text: document}
        if not isinstance(document, list):
            document = [document]
        paths = [(name.lower(), kind, self._path(path)) for name, kind, path in columns]
        return [{name: self._json_value(element, at, kind) for name, kind, at in paths} for element in document]

    @staticmethod
    def _no_json(text):
        raise ValueError(text)

    @staticmethod
    def _path(path):
        found = re.fullmatch(r"\$\[(\d+)\]", path)
        if not found:
            raise SqlError(13607, f"JSON path is not properly formatted: {path}")
        return int(found.group(1))

    @staticmethod
    def _json_value(element, at, kind):
        value = element[at] if isinstance(element, list) and at < len(element) else None
        if value is None or isinstance(value, (list, dict)):
            return None
        if isinstance(value, bool):
            value = "true" if value else "false"
        value = str.__str__(value)
        name, arguments = kind
        if name in TEXTS and arguments[0] is not None and units(value) > arguments[0]:
            raise SqlError(50000, f"OPENJSON would cut a text to {type_name(kind)}: the driver must not let that happen")
        return convert(value, kind)

    # ---- scripts

    def call(self, sql, types, values):
        """sp_executesql"""
        if set(types) != set(values):
            raise SqlError(8178, "The parameterized query expects parameters which were not supplied.")
        self._variables.append({n.lower(): (t, convert(values[n], t)) for n, t in types.items()})
        before = self.transaction is not None
        try:
            self.run_script(sql)
        finally:
            self._variables.pop()
        if (self.transaction is not None) != before:
            raise SqlError(266, "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT "
                                "statements.")

    def run_script(self, sql):
        if self.on_script:
            self.on_script(sql)
        self.run(parse(sql))

    def run(self, statements):
        for s in statements:
            getattr(self, "_" + s.kind)(s)

    def _try(self, s):
        try:
            self.run(s.body)
        except SqlError as e:
            outer, self.caught = self.caught, e
            try:
                self.run(s.handler)
            finally:
                self.caught = outer

    def _throw(self, s):
        raise self.caught

    def _if(self, s):
        if Compiler(self, {}).truth(s.condition)({}):
            self.run([s.then])

    def _begin(self, s):
        self.begin()

    def _commit(self, s):
        self.commit()

    def _rollback(self, s):
        self.rollback()

    def _switch(self, s):
        self.options.update(dict.fromkeys(s.names, s.on))

    def _setting(self, s):
        self.settings[s.name] = s.value

    def _declare(self, s):
        self._variables[-1][s.name.lower()] = (s.type, convert(self.value(s.value), s.type))

    def _assign(self, s):
        kind = self.variable_type(s.name)
        self._variables[-1][s.name.lower()] = (kind, convert(self.value(s.value), kind))

    def _print(self, s):
        self.messages.append(str(self.value(s.value)))

    def _exec(self, s):
        values = [self.value(a) for a in s.arguments]
        if s.procedure == "sp_executesql":
            types = parse_parameters(values[1]) if len(values) > 1 else {}
            self.call(values[0], types, dict(zip(types, values[2:])))
        elif s.procedure == "sp_rename":
            self.engine.rename(self, values[0], values[1])
        else:
            raise SqlError(2812, f"Could not find stored procedure '{s.procedure}'.")

    def _select(self, s):
        if s.into:
            self.engine.copy_table(self, s)
            return
        self.results.append(self.engine.select(self, s))

    def _dml(self, what, s):
        wrong = [o for o in ANSI if not self.options[o]]
        if wrong:
            raise SqlError(1934, f"{what} failed because the following SET options have incorrect settings: "
                                 f"'{', '.join(wrong)}'.")

    def _insert(self, s):
        self._dml("INSERT", s)
        self.engine.insert(self, s)

    def _update(self, s):
        self._dml("UPDATE", s)
        self.engine.update(self, s)

    def _delete(self, s):
        self._dml("DELETE", s)
        self.engine.delete(self, s)

    def _create(self, s):
        self.engine.create_table(self, s)

    def _add(self, s):
        self.engine.add_column(self, s)

    def _addkey(self, s):
        self.engine.add_key(self, s)

    def _schema(self, s):
        schemas = self.engine.schemas
        if s.create == (s.name in schemas):
            raise SqlError(2759, f"CREATE SCHEMA or DROP SCHEMA failed: '{s.name}' is there already, or is not.")
        if any(t.schema == s.name for t in self.engine.tables.values()):
            raise SqlError(3729, f"Cannot drop schema '{s.name}' because it is being referenced by an object.")
        (schemas.add if s.create else schemas.remove)(s.name)

    def _drop(self, s):
        self.engine.drop_table(self, s)
