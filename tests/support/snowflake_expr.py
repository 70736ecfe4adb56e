"""Expressions of Snowflake's SQL, as far as the driver writes them: tokens, a parser, and values.

compile_expr() makes a function of an environment: a dict with aliases (`t`, `s`, `f`), `$1` and `?`.
"""
import json
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

from tests.support.gojson import Num


class SqlError(Exception):
    """What Snowflake would answer: a code of six digits, a message, an SQLSTATE."""

    def __init__(self, code, message, state="22000"):
        super().__init__(message)
        self.code, self.message, self.state = code, message, state


TOKEN = re.compile(r"""\s*(?:
    (?P<stage>@"(?:[^"]|"")+"[A-Za-z0-9_./=-]*) | (?P<string>'(?:[^'\\]|''|\\.)*') | (?P<quoted>"(?:[^"]|"")+") | (?P<number>\d+(?:\.\d+)?) |
    (?P<word>[A-Za-z_][A-Za-z0-9_$]*|\$\d+) | (?P<op>::|=>|<>|>=|<=|[=<>,()\[\].?;*-]) )""", re.X | re.S)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}


def unquote(text):
    """The value of a string literal: '' and backslash escapes undone."""
    return re.sub(r"''|\\(.)", lambda m: "'" if m.group(1) is None else ESCAPES.get(m.group(1), m.group(1)),
                  text[1:-1], flags=re.S)


def tokens(sql):
    """[(kind, text)]; a word is upper-cased, as Snowflake does with names that are not quoted."""
    found, at, end = [], 0, len(sql.rstrip())
    while at < end:
        m = TOKEN.match(sql, at)
        if m is None or m.end() == at:
            raise SqlError("001003", f"SQL compilation error: syntax error at position {at}", "42000")
        kind, text = m.lastgroup, m.group(m.lastgroup)
        if kind == "string":
            text = unquote(text)
        elif kind == "quoted":
            text = text[1:-1].replace('""', '"')
        elif kind == "word":
            text = text.upper()
        found.append((kind, text))
        at = m.end()
    return found


def split(sql):
    """The statements of a text, without the semicolons."""
    parts, start = [], 0
    for m in re.finditer(r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|;""", sql, re.S):
        if m.group() == ";":
            parts.append(sql[start:m.start()])
            start = m.end()
    parts.append(sql[start:])
    return [p for p in parts if p.strip()]


# ---- values

class Variant:
    """A value of type VARIANT; JSON's null in it is not NULL."""

    def __init__(self, value):
        self.value = value

    def text(self):
        return write(self.value)


def write(v):
    """JSON text as Snowflake would show it, but for the order of members."""
    if isinstance(v, Num):
        return str.__str__(v)
    if isinstance(v, dict):
        return "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + write(x) for k, x in v.items()) + "}"
    if isinstance(v, list):
        return "[" + ",".join(map(write, v)) + "]"
    return json.dumps(v, ensure_ascii=False)


def _no_duplicates(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SqlError("100069", "Error parsing JSON: duplicate object attribute")
    return found


def parse_json(text):
    if text is None:
        return None
    try:
        return Variant(json.loads(text, parse_int=Num, parse_float=Num, object_pairs_hook=_no_duplicates))
    except ValueError as e:
        raise SqlError("100069", "Error parsing JSON") from e


MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:?\d\d)?$")


def moment(text, keep_offset):
    """RFC 3339 in UTC, fraction without trailing zeros.  NTZ forgets an offset: what the clock shows stays."""
    m = MOMENT.match(text)
    try:
        when = datetime(*(int(m.group(i) or 0) for i in range(1, 7)))
    except (AttributeError, ValueError) as e:
        raise SqlError("100035", f"Timestamp '{text}' is not recognized", "22007") from e
    zone = m.group(8)
    if keep_offset and zone and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        when -= timedelta(minutes=minutes if zone[0] == "+" else -minutes)
    fraction = (m.group(7) or "").rstrip("0")
    return when.strftime("%Y-%m-%dT%H:%M:%S") + ("." + fraction if fraction else "") + "Z"


def _number(text, digits):
    try:
        value = Decimal(text.strip())
    except InvalidOperation as e:
        raise SqlError("100038", f"Numeric value '{text}' is not recognized", "22018") from e
    scale = int(digits[1]) if len(digits) > 1 else 0
    rounded = value.quantize(Decimal(1).scaleb(-scale)) if value == value.to_integral_value() or scale else \
        value.to_integral_value(rounding="ROUND_HALF_UP")
    if abs(rounded) >= Decimal(10) ** (int(digits[0] if digits else 38) - scale):
        raise SqlError("100039", f"Numeric value '{text}' is out of range", "22003")
    return int(rounded) if scale == 0 else rounded


def _boolean(text):
    low = text.strip().lower()
    if low in ("true", "t", "yes", "y", "on", "1"):
        return True
    if low in ("false", "f", "no", "n", "off", "0"):
        return False
    raise SqlError("100037", f"Boolean value '{text}' is not recognized", "22018")


TEXT_TYPES = ("VARCHAR", "STRING", "TEXT")


def cast(v, kind, digits=()):
    """A value as that type."""
    if isinstance(v, Variant):
        if v.value is None:
            return None
        if kind == "VARIANT":
            return v
        if kind in ("ARRAY", "OBJECT"):
            wanted = list if kind == "ARRAY" else dict
            if not isinstance(v.value, wanted):
                raise SqlError("100071", f"Failed to cast variant value {v.text()} to {kind}", "22000")
            return v
        v = v.value if isinstance(v.value, str) and not isinstance(v.value, Num) else v.text()
    if v is None:
        return None
    if kind in TEXT_TYPES:
        return v if isinstance(v, str) else ("true" if v is True else "false" if v is False else str(v))
    if kind in ("NUMBER", "INTEGER"):
        return _number(str(v), digits)
    if kind == "FLOAT":
        try:
            return float(v)
        except ValueError as e:
            raise SqlError("100038", f"Numeric value '{v}' is not recognized", "22018") from e
    if kind == "BOOLEAN":
        return v if isinstance(v, bool) else _boolean(str(v))
    if kind in ("TIMESTAMP_NTZ", "TIMESTAMP_TZ", "TIMESTAMP_LTZ"):
        return moment(v, kind != "TIMESTAMP_NTZ")
    if kind == "VARIANT":
        return Variant(v)
    return v


def element(v, key):
    """v[key] of a VARIANT; NULL when there is none."""
    if not isinstance(v, Variant) or v.value is None:
        return None
    if isinstance(v.value, dict) and key in v.value:
        return Variant(v.value[key])
    return None


# ---- expressions

class Parser:
    """Over a list of tokens; the statements' own parser inherits it."""

    def __init__(self, toks):
        self.toks, self.at = toks, 0

    def fail(self, what):
        near = self.toks[self.at][1] if self.at < len(self.toks) else "<end>"
        raise SqlError("001003", f"SQL compilation error: expected {what}, found {near!r}", "42000")

    def peek(self, *texts):
        """Is the next token that word or operator?"""
        return self.at < len(self.toks) and self.toks[self.at][0] in ("word", "op") and self.toks[self.at][1] in texts

    def take(self, *texts):
        if self.peek(*texts):
            self.at += 1
            return True
        return False

    def words(self, text):
        """All of those words in a row, or none."""
        wanted = text.split()
        if all(self.at + i < len(self.toks) and self.toks[self.at + i] == ("word", w) for i, w in enumerate(wanted)):
            self.at += len(wanted)
            return True
        return False

    def need(self, text):
        for one in text.split():
            if not self.take(one):
                self.fail(one)

    def kind(self, *kinds):
        """The text of the next token, which must be of that kind."""
        if self.at >= len(self.toks) or self.toks[self.at][0] not in kinds:
            self.fail(" or ".join(kinds))
        self.at += 1
        return self.toks[self.at - 1][1]

    def end(self):
        if self.at < len(self.toks):
            self.fail("the end")

    # ---- the grammar

    def expr(self):
        left = self.conjunction()
        while self.take("OR"):
            left = _join(left, self.conjunction(), True)
        return left

    def conjunction(self):
        left = self.comparison()
        while self.take("AND"):
            left = _join(left, self.comparison(), False)
        return left

    def comparison(self):
        left = self.postfix()
        if self.take("IS"):
            negative = self.take("NOT")
            self.need("NULL")
            return (lambda env: left(env) is not None) if negative else (lambda env: left(env) is None)
        for op in ("=", "<>", ">=", "<=", ">", "<"):
            if self.take(op):
                return _compare(op, left, self.postfix())
        return left

    def postfix(self):
        value = self.primary()
        while True:
            if self.take("::"):
                value = _cast(value, *self.type())
            elif self.take("["):
                value = _element(value, self.expr())
                self.need("]")
            else:
                return value

    def type(self):
        name, digits = self.kind("word"), []
        if self.take("("):
            digits.append(self.kind("number"))
            while self.take(","):
                digits.append(self.kind("number"))
            self.need(")")
        return name, tuple(digits)

    def primary(self):
        if self.at >= len(self.toks):
            self.fail("an expression")
        kind, text = self.toks[self.at]
        self.at += 1
        if kind == "string":
            return lambda env: text
        if kind == "number":
            number = int(text) if text.isdigit() else float(text)
            return lambda env: number
        if (kind, text) == ("op", "?"):
            return lambda env: env["?"]
        if (kind, text) == ("op", "("):
            inner = self.expr()
            self.need(")")
            return inner
        if kind == "op":
            self.at -= 1
            self.fail("an expression")
        return self.name(kind, text)

    def name(self, kind, text):
        if kind == "word":
            if text in ("NULL", "TRUE", "FALSE"):
                value = {"NULL": None, "TRUE": True, "FALSE": False}[text]
                return lambda env: value
            if text.startswith("$"):
                return lambda env: env[text]
            if self.take("("):
                return self.call(text)
        if self.take("."):
            column = self.kind("word", "quoted")
            return _column(text, column)
        return lambda env: _lookup(env[""], text)

    def call(self, name):
        args = []
        while not self.take(")"):
            args.append(self.expr())
            if not self.peek(")"):
                self.need(",")
        if name == "PARSE_JSON" and len(args) == 1:
            return lambda env: parse_json(args[0](env))
        if name == "IFF" and len(args) == 3:
            return lambda env: args[1](env) if args[0](env) is True else args[2](env)
        if name in ("CURRENT_DATABASE", "CURRENT_SCHEMA") and not args:
            return lambda env: env[name]
        raise SqlError("002140", f"SQL compilation error: unknown function {name}", "42601")


def _lookup(row, column):
    if column not in row:
        raise SqlError("000904", f"SQL compilation error: invalid identifier '{column}'", "42000")
    return row[column]


def _column(alias, column):
    def get(env):
        if alias not in env:
            raise SqlError("000904", f"SQL compilation error: invalid identifier '{alias}.{column}'", "42000")
        return _lookup(env[alias], column)
    return get


def _cast(value, kind, digits):
    return lambda env: cast(value(env), kind, digits)


def _element(value, key):
    return lambda env: element(value(env), key(env))


def _join(a, b, decisive):
    """AND (False decides) or OR (True does), of three-valued logic."""
    def join(env):
        left = a(env)
        if left is decisive:
            return left
        right = b(env)
        return right if right is decisive else None if left is None or right is None else not decisive
    return join


def comparable(v):
    if isinstance(v, Variant):
        raise SqlError("002001", "the peer compares no VARIANT", "42000")
    if isinstance(v, str) and MOMENT.match(v) and v.endswith("Z"):
        day, _, fraction = v[:-1].partition(".")
        return day + "." + fraction.ljust(9, "0")
    return v


OPERATORS = {"=": lambda a, b: a == b, "<>": lambda a, b: a != b, ">=": lambda a, b: a >= b,
             "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b}


def _compare(op, a, b):
    function = OPERATORS[op]

    def compare(env):
        left, right = comparable(a(env)), comparable(b(env))
        return None if left is None or right is None else function(left, right)
    return compare
