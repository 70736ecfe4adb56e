"""One connection to the test peer's database: options, variables, a transaction, and scripts run by what they say.

Strict where SQL Server is: no changes without the ANSI options, no variable that was not declared.
"""
import json
import re

from tests.support import gojson
from tests.support.tsql_eval import TEXTS, Compiler, convert, type_name, units
from tests.support.tsql_parse import SqlError, parse, parse_parameters

ANSI = ("QUOTED_IDENTIFIER", "ANSI_NULLS", "ANSI_PADDING", "ANSI_WARNINGS", "ARITHABORT", "CONCAT_NULL_YIELDS_NULL")
OPTION_BITS = {"IMPLICIT_TRANSACTIONS": 2, "CURSOR_CLOSE_ON_COMMIT": 4, "ANSI_WARNINGS": 8, "ANSI_PADDING": 16,
               "ANSI_NULLS": 32, "ARITHABORT": 64, "QUOTED_IDENTIFIER": 256, "NOCOUNT": 512, "ANSI_NULL_DFLT_ON": 1024,
               "CONCAT_NULL_YIELDS_NULL": 4096, "NUMERIC_ROUNDABORT": 8192, "XACT_ABORT": 16384}


class Session:
    """Results of a script are in `results`: (names, rows), or with FMTONLY (columns, None)."""

    def __init__(self, engine, database="eds"):
        self.engine, self.database = engine, database
        self.options = {name: False for name in (*OPTION_BITS, "FMTONLY")}
        self.bulk = None                    # the INSERT BULK whose rows are to come
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
        if self.options["FMTONLY"] and not s.columns:
            self.results.append((self.engine.find(s.sources[0][0].name).columns, None))
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

    def _bulk(self, s):
        self._dml("INSERT BULK", s)
        table = self.engine.find(s.table)
        for name, kind in s.columns:
            if table.column(name).kind != kind:
                raise SqlError(4816, f"Invalid column type from bcp client for colid 1: {name}.")
        self.bulk = s

    def load(self, rows):
        """The rows of the INSERT BULK before, each a list in the order of its columns."""
        s, self.bulk = self.bulk, None
        self.engine.load(self, s, rows)

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
