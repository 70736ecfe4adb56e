"""Values as a shop's database has them, the awkward ones included; all from a seeded random source.

Numbers are gojson.Num, so that their text is decided here and kept everywhere.
"""
import json
import uuid

from tests.support.gojson import Num

_WORDS = ["Brake pads", "Ölwechsel", "Zoë's Garage", "東京タイヤ", "Кузов", "قطع غيار", "front left", "5W-30",
          "Rotate & balance", "<b>urgent</b>", "plain", "C:\\temp\\new", 'said "no"', "tab\there", "two\nlines",
          "\U0001f697\U0001f4a8", "\U0001d518nicode \U00020000", "e\u0301 combining", "\u2028 separator \u2029",
          "trailing ", " leading", "'; DROP TABLE x; --", "$_H_$quoted$_H_$", "100%", "null", "NULL", "true", "12.50", "[]", "{}",
          "a/b/../c", "\x7f\x01", "no\u00a0break", "\ufeffmark", "%s %n", "O'Brien \\' twice"]
_COLORS = ["Arctic White", "Midnight Blue", "Rosso Corsa", "Grün metallic"]
_NAMES = ["Ana", "Björn", "Chloé", "Đặng", "Emre", "Fatima", "Grace", "李雷", "O'Neil", "Zsófia"]
_CITIES = ["Austin", "São Paulo", "Łódź", "Québec", "Köln", "Ho Chi Minh"]
_KEYS = ["labels", "a", "größe", "k<1>", "", "nested", "10", "9", "quote\"d", "\U0001f511"]
_DECIMALS = ["12.50", "0.1", "1E+3", "-0", "0", "100.0", "99.99", "1e-7", "2.5E2", "-17.250", "46700", "0.30",
             "123456.789", "1.10e1"]
_WHOLE = ["0", "1", "-1", "46700", "2147483648", "-2147483649", "9007199254740993", "-9007199254740993",
          "9223372036854775807", "-9223372036854775808"]


class Values:
    """Draws values for the properties of a table's schema."""

    def __init__(self, rng):
        self.rng = rng

    def uuid(self):
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def hex(self, digits):
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def moment(self):
        """A date-time, with a fraction of 0 to 9 digits."""
        r = self.rng
        text = (f"{r.randint(1999, 2031)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"
                f"T{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}")
        digits = r.choice([0, 3, 3, 5, 6, 9])
        if digits:
            text += "." + "".join(r.choice("0123456789") for _ in range(digits - 1)) + r.choice("123456789")
        return text + "Z"

    def text(self, column):
        r, name = self.rng, column.lower()
        if name.endswith("id"):
            return self.uuid() if r.random() < 0.7 else self.hex(24)
        if r.random() < 0.25:
            return r.choice(_WORDS)
        if "color" in name:
            return r.choice(_COLORS)
        if "email" in name:
            return f"{r.choice(_NAMES).lower()}{r.randint(1, 99)}@example.com"
        if "phone" in name:
            return f"+1512555{r.randint(0, 9999):04}"
        if "name" in name:
            return f"{r.choice(_NAMES)} {r.choice(_NAMES)}"
        if "city" in name:
            return r.choice(_CITIES)
        if "note" in name or "description" in name:
            return " ".join(r.choice(_WORDS) for _ in range(r.randint(0, 12)))
        if r.random() < 0.05:
            return ""
        return r.choice(_WORDS) + f" {r.randint(1, 9999)}"

    def integer(self):
        return Num(self.rng.choice(_WHOLE)) if self.rng.random() < 0.15 else Num(self.rng.randint(0, 500000))

    def number(self):
        """At most 15 significant digits: a double holds it, and gives the same decimal back."""
        r = self.rng
        if r.random() < 0.5:
            return Num(r.choice(_DECIMALS))
        return Num(f"{r.randint(0, 99999)}.{r.randint(0, 99):02}")

    def anything(self, depth=0):
        """Nested JSON, as in `metadata`; numbers here may be longer than any machine type."""
        r = self.rng
        kind = r.randint(0, 8 if depth < 3 else 5)
        if kind == 0:
            return None
        if kind == 1:
            return r.random() < 0.5
        if kind == 2:
            return self.integer()
        if kind == 3:
            return r.choice([self.number(), Num("3.14159265358979323846"), Num("12345678901234567890123")])
        if kind in (4, 5):
            return r.choice(_WORDS)
        if kind == 6:
            return [self.anything(depth + 1) for _ in range(r.randint(0, 3))]
        return self.mapping(depth + 1)

    def mapping(self, depth=0):
        r = self.rng
        keys = r.sample(_KEYS, r.randint(0, 4))
        return {k: self.anything(depth) for k in keys}

    def of(self, column, prop):
        """A value for a column; None (JSON null) now and then where the schema allows it."""
        r, kind = self.rng, prop.get("type")
        if prop.get("nullable") and r.random() < 0.3:
            return None
        if prop.get("enum"):
            return r.choice([e for e in prop["enum"] if e is not None])
        if kind == "integer":
            return self.integer()
        if kind == "number":
            return self.number()
        if kind == "boolean":
            return r.random() < 0.5
        if kind == "object":
            return self.mapping()
        if kind == "array":
            return self._array(column, prop.get("items") or {})
        return self.moment() if prop.get("format") == "date-time" else self.text(column)

    def _array(self, column, items):
        count = self.rng.choice([0, 1, 1, 2, 5])
        if items.get("enum"):
            return self.rng.sample(items["enum"], min(count, len(items["enum"])))
        if items.get("type", "string") == "string":
            return [self.moment() if column.endswith("Dates") else self.text(column) for _ in range(count)]
        return [self.of(column, items) for _ in range(count)]


def write_json(value, rng=None):
    """JSON text; with `rng` in a varying spelling (white space, escapes), else compact and plain."""
    loose = rng is not None and rng.random() < 0.1
    gap = " " if loose else ""

    def text(s):
        spelled = json.dumps(s, ensure_ascii=loose)
        return spelled.replace("/", "\\/") if loose else spelled

    def write(v):
        if isinstance(v, Num):
            return str.__str__(v)
        if isinstance(v, str):
            return text(v)
        if isinstance(v, dict):
            return "{" + gap + f",{gap}".join(f"{text(k)}{gap}:{gap}{write(x)}" for k, x in v.items()) + "}"
        if isinstance(v, (list, tuple)):
            return "[" + f"{gap},".join(map(write, v)) + gap + "]"
        return json.dumps(v)

    return write(value)
