"""Expressions of the test peer: trees of tsql_parse compiled to functions of the rows at hand.

A value is None, a text, an int, a float or bytes; comparisons and conversions follow SQL Server's rules,
code pages and collations included, as far as the grammar goes.
"""
import re
from decimal import Decimal, InvalidOperation

from tests.support.tsql_parse import SqlError

DEFAULT_COLLATION = "SQL_Latin1_General_CP1_CI_AS"
COLLATIONS = {DEFAULT_COLLATION: ("cp1252", True), "Latin1_General_BIN2": ("cp1252", False),
              "Latin1_General_100_CI_AS_SC_UTF8": ("utf-8", True), "Latin1_General_CS_AS": ("cp1252", False)}
INTEGERS = {"BIGINT": 63, "INT": 31, "SMALLINT": 15, "TINYINT": 8}
WIDE = ("NVARCHAR", "NCHAR")
TEXTS = ("NVARCHAR", "NCHAR", "VARCHAR", "CHAR")
TEXT = ("NVARCHAR", (4000,))


def code_page(collation):
    return COLLATIONS[collation][0]


def folded(text, collation):
    """What makes two texts equal: trailing blanks never count, case as the collation has it."""
    text = text.rstrip(" ")
    return text.casefold() if COLLATIONS[collation][1] else text


def units(text):
    return len(text.encode("utf-16-le")) // 2


def type_name(kind):
    name, arguments = kind
    return name + ("(%s)" % ",".join("max" if a is None else str(a) for a in arguments) if arguments else "")


def convert(value, kind, collation=DEFAULT_COLLATION, cut=True):
    """CONVERT; `cut`: a text that is too long is cut as CONVERT does, instead of refused as by an assignment."""
    name, arguments = kind
    if value is None:
        return None
    if name in TEXTS:
        if isinstance(value, bytes):
            raise SqlError(206, f"Operand type clash: varbinary is incompatible with {name.lower()}")
        text = value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
        if name not in WIDE:
            text = text.encode(code_page(collation), "replace").decode(code_page(collation))
        most = arguments[0] if arguments else 30
        length = units(text) if name in WIDE else len(text.encode(code_page(collation)))
        if most is not None and length > most:
            if not cut:
                raise SqlError(2628, "String or binary data would be truncated")
            text = text[:most]
        return text
    if name in INTEGERS:
        return _integer(value, name)
    if name == "BIT":
        return _bit(value)
    if name in ("FLOAT", "REAL"):
        try:
            return float(value)
        except ValueError as e:
            raise SqlError(8114, f"Error converting data type nvarchar to {name.lower()}.") from e
    if name == "DECIMAL":
        try:
            number = Decimal(str(value))
        except InvalidOperation as e:
            raise SqlError(8114, "Error converting data type nvarchar to numeric.") from e
        rounded = number.quantize(Decimal(1).scaleb(-arguments[1]))
        if len(rounded.as_tuple().digits) > arguments[0]:
            raise SqlError(8115, "Arithmetic overflow error converting nvarchar to data type numeric.")
        return rounded
    if name == "VARBINARY":
        raise SqlError(8116, "only texts are converted to varbinary here")
    raise SqlError(529, f"Explicit conversion to {name} is not allowed.")


def _integer(value, name):
    if isinstance(value, str):
        if not re.fullmatch(r"\s*[-+]?\d+\s*", value):
            raise SqlError(8114, f"Error converting data type nvarchar to {name.lower()}."
                           if name == "BIGINT" else
                           f"Conversion failed when converting the nvarchar value '{value}' to data type {name.lower()}.")
        value = int(value)
    value = int(value)
    low = 0 if name == "TINYINT" else -2 ** INTEGERS[name]
    if not low <= value < 2 ** INTEGERS[name]:
        raise SqlError(8115, f"Arithmetic overflow error converting expression to data type {name.lower()}.")
    return value


def _bit(value):
    if isinstance(value, str):
        if value.lower() in ("true", "false"):
            return int(value.lower() == "true")
        if not re.fullmatch(r"[-+]?\d+", value):
            raise SqlError(245, f"Conversion failed when converting the nvarchar value '{value}' to data type bit.")
        value = int(value)
    return int(value != 0)


def like(pattern):
    """A LIKE pattern as a regular expression; only % and _ are known."""
    if "[" in pattern:
        raise SqlError(102, "a LIKE pattern with [", 15)
    return re.compile("".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern), re.S | re.I)


class Compiler:
    """Turns trees into functions of {alias: row}; `scope`: alias -> {lower name: (type, collation)}."""

    def __init__(self, session, scope):
        self.session, self.scope = session, scope

    # ---- what is known before there are rows

    def _place(self, alias, name):
        low = name.lower()
        places = [a for a, columns in self.scope.items() if low in columns and alias in (None, a)]
        if alias is not None and alias not in self.scope:
            raise SqlError(4104, f'The multi-part identifier "{alias}.{name}" could not be bound.')
        if not places:
            raise SqlError(207, f"Invalid column name '{name}'.")
        if len(places) > 1:
            raise SqlError(209, f"Ambiguous column name '{name}'.")
        return places[0], low, self.scope[places[0]][low]

    def type_of(self, tree):
        kind = tree[0]
        if kind == "column":
            return self._place(tree[1], tree[2])[2][0]
        if kind in ("convert", "try_convert"):
            return tree[1]
        if kind == "collate":
            return self.type_of(tree[1])
        if kind == "text":
            return ("NVARCHAR" if tree[2] else "VARCHAR", (4000,))
        if kind == "variable":
            return self.session.variable_type(tree[1])
        if kind == "case":
            types = [self.type_of(t) for _, t in tree[1]] + [self.type_of(tree[2])]
            wide = [t for t in types if t[0] in WIDE]
            return wide[0] if wide else types[0]
        if kind == "call" and tree[1] in ("REPLACE", "ISNULL", "SUBSTRING", "LEFT"):
            return self.type_of(tree[2][0])
        return ("BIGINT", ()) if kind in ("number", "count", "binary") else TEXT

    def collation_of(self, tree):
        """(collation, explicit)"""
        kind = tree[0]
        if kind == "collate":
            if tree[2] not in COLLATIONS:
                raise SqlError(448, f"Invalid collation '{tree[2]}'.")
            return tree[2], True
        if kind in ("convert", "try_convert"):
            return self.collation_of(tree[2])
        if kind == "column":
            return self._place(tree[1], tree[2])[2][1] or DEFAULT_COLLATION, False
        if kind == "call" and tree[1] in ("REPLACE", "ISNULL", "SUBSTRING"):
            return self.collation_of(tree[2][0])
        return DEFAULT_COLLATION, None

    def _common_collation(self, left, right):
        (a, how_a), (b, how_b) = self.collation_of(left), self.collation_of(right)
        if how_a is None or how_b is None:
            return a if how_b is None else b
        if a != b and how_a == how_b:
            raise SqlError(468, f'Cannot resolve the collation conflict between "{a}" and "{b}" in the equal to '
                           "operation.")
        return a if how_a else b

    # ---- values

    def value(self, tree):
        return getattr(self, "_" + tree[0])(*tree[1:])

    def _column(self, alias, name):
        place, low, _ = self._place(alias, name)
        return lambda env: env[place][low]

    def _count(self):
        raise SqlError(102, "COUNT outside of a list of columns", 15)

    def _try_convert(self, kind, tree):
        inner = self._convert(kind, tree)

        def attempt(env):
            try:
                return inner(env)
            except SqlError:
                return None
        return attempt

    def _null(self):
        return lambda env: None

    def _number(self, n):
        return lambda env: n

    def _text(self, text, _):
        return lambda env: text

    def _variable(self, name):
        session = self.session
        session.variable_type(name)
        return lambda env: session.variable(name)

    def _collate(self, tree, _):
        self.collation_of(("collate", tree, _))
        if self.type_of(tree)[0] not in TEXTS:
            raise SqlError(447, "Expression type is invalid for COLLATE clause.")
        return self.value(tree)

    def _convert(self, kind, tree):
        inner, collation = self.value(tree), self.collation_of(tree)[0]
        if kind[0] == "VARBINARY":
            encoding = "utf-16-le" if self.type_of(tree)[0] in WIDE else code_page(collation)
            return lambda env: (lambda v: None if v is None else v.encode(encoding))(inner(env))
        return lambda env: convert(inner(env), kind, collation)

    def _case(self, branches, otherwise):
        compiled = [(self.truth(when), self.value(then)) for when, then in branches]
        last = self.value(otherwise)

        def choose(env):
            for when, then in compiled:
                if when(env):
                    return then(env)
            return last(env)
        return choose

    def _binary(self, sign, left, right):
        a, b = self.value(left), self.value(right)
        operation = {"+": lambda x, y: x + y, "-": lambda x, y: x - y, "&": lambda x, y: x & y}[sign]

        def compute(env):
            x, y = a(env), b(env)
            return None if x is None or y is None else operation(x, y)
        return compute

    def _scalar(self, select):
        session, scope = self.session, self.scope

        def first(env):
            found = session.engine.select(session, select, scope, env)[1]
            if len(found) > 1:
                raise SqlError(512, "Subquery returned more than 1 value.")
            return found[0][0] if found else None
        return first

    def _call(self, function, arguments):
        compiled = [self.value(a) for a in arguments]
        call = self.session.engine.functions.get((function, len(arguments)))
        if call is None:
            raise SqlError(195, f"'{function}' is not a recognized built-in function name.", 15)
        session = self.session
        return lambda env: call(session, *(c(env) for c in compiled))

    # ---- truth: True, False or None

    def truth(self, tree):
        kind = tree[0]
        if kind in ("and", "or"):
            left, right = self.truth(tree[1]), self.truth(tree[2])
            decided = kind == "or"

            def both(env):
                a = left(env)
                if a is decided:
                    return decided
                b = right(env)
                if b is decided:
                    return decided
                return None if a is None or b is None else not decided
            return both
        if kind == "not":
            inner = self.truth(tree[1])
            return lambda env: (lambda v: None if v is None else not v)(inner(env))
        if kind == "null?":
            inner = self.value(tree[1])
            return lambda env: inner(env) is None
        if kind == "in":
            tests = [self.truth(("compare", "=", tree[1], option)) for option in tree[2]]
            return lambda env: (True if any(results := [t(env) for t in tests]) else
                                None if None in results else False)
        if kind == "like":
            value, pattern = self.value(tree[1]), self.value(tree[2])

            def matches(env):
                v, p = value(env), pattern(env)
                return None if v is None or p is None else like(p).fullmatch(v) is not None
            return matches
        if kind == "exists":
            session, scope, select = self.session, self.scope, tree[1]
            prepared = session.engine.prepare_exists(session, select, scope)
            return lambda env: prepared(env)
        return self._compare(*tree[1:])

    def comparable(self, left, right):
        """A function from value to what may be compared, for both sides alike."""
        kinds = {self.type_of(left)[0], self.type_of(right)[0]}
        if kinds <= {"VARBINARY"}:
            return lambda v: v.rstrip(b"\0")
        if "VARBINARY" in kinds:
            raise SqlError(402, "The data types are incompatible in the equal to operator.")
        if kinds <= set(TEXTS):
            collation = self._common_collation(left, right)
            return lambda v: folded(v, collation)
        return lambda v: float(v) if isinstance(v, str) else v

    def _compare(self, sign, left, right):
        a, b, key = self.value(left), self.value(right), self.comparable(left, right)
        test = {"=": lambda x, y: x == y, "<>": lambda x, y: x != y, "<": lambda x, y: x < y, ">": lambda x, y: x > y,
                "<=": lambda x, y: x <= y, ">=": lambda x, y: x >= y}[sign]

        def compare(env):
            x, y = a(env), b(env)
            return None if x is None or y is None else test(key(x), key(y))
        return compare
