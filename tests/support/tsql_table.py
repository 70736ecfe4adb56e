"""Tables of the test peer: rows as dictionaries, under the rules of their columns.

Strict where SQL Server is: NOT NULL, primary keys under the collation of their columns, texts that are too long.
Texts beyond a column's code page become question marks, as they do there.
"""
from tests.support.tsql_eval import DEFAULT_COLLATION, TEXTS, convert, folded
from tests.support.tsql_parse import SqlError


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
