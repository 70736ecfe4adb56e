"""TDS's bulk load: the columns of a table as COLMETADATA, and the rows that a client sends as a message of its own.

The message is what a server's answer would be, COLMETADATA and ROW tokens; FreeTDS leaves the DONE token at its
end away.  Strict: other columns or types than INSERT BULK has announced are a WireError.
"""
import struct
from decimal import Decimal

from tests.support import tds_wire as wire
from tests.support.tsql_eval import TEXTS, WIDE, code_page

COLMETADATA, ROW, DONE = 0x81, 0xD1, 0xFD
INTEGERS = {"TINYINT": 1, "SMALLINT": 2, "INT": 4, "BIGINT": 8}
FLOATS = {"REAL": 4, "FLOAT": 8}
TEXT_TOKENS = {"NVARCHAR": 0xE7, "NCHAR": 0xEF, "VARCHAR": 0xA7, "CHAR": 0xAF}
BIT, DECIMAL = 0x68, 0x6A
LONG = 0xFFFF           # the size of a MAX type, and the length of a NULL


def type_info(kind):
    """How a type of the database is announced, in both directions."""
    name, arguments = kind
    if name in INTEGERS:
        return struct.pack("<BB", wire.INTN, INTEGERS[name])
    if name in FLOATS:
        return struct.pack("<BB", wire.FLTN, FLOATS[name])
    if name == "BIT":
        return struct.pack("<BB", BIT, 1)
    if name == "DECIMAL":
        precision, scale = arguments
        return struct.pack("<BBBB", DECIMAL, 1 + 4 * (1 + sum(precision > most for most in (9, 19, 28))), precision, scale)
    if name in TEXTS:
        units = arguments[0] if arguments else 1
        size = LONG if units is None else units * (2 if name in WIDE else 1)
        return struct.pack("<BH", TEXT_TOKENS[name], size) + wire.COLLATION
    raise wire.WireError(f"{name} in a bulk load, which this server does not know")


def columns(found):
    """COLMETADATA of a table's columns, without rows."""
    out = [struct.pack("<BH", COLMETADATA, len(found))]
    for column in found:
        flags = 8 | (1 if column.nullable else 0)
        out.append(struct.pack("<IH", 0, flags) + type_info(column.kind) + wire.b_text(column.name))
    return b"".join(out)


def _take_text(r, kind):
    name, arguments = kind
    if arguments and arguments[0] is None:
        raw = wire.take_plp(r)
    else:
        length = r.number("H")
        raw = None if length == LONG else r.take(length)
        most = (arguments[0] if arguments else 1) * (2 if name in WIDE else 1)
        if raw is not None and len(raw) > most:
            raise wire.WireError(f"a text of {len(raw)} bytes in a column of {most}")
    if raw is None:
        return None
    return wire.utf16(raw) if name in WIDE else raw.decode(code_page("SQL_Latin1_General_CP1_CI_AS"))


def _take_number(r, kind):
    """None when its length is zero."""
    name, arguments = kind
    size = r.number("B")
    if size == 0:
        return None
    raw = r.take(size)
    if name == "DECIMAL":
        digits = int.from_bytes(raw[1:], "little") * (1 if raw[0] else -1)
        return str(Decimal(digits).scaleb(-arguments[1]))
    if name in FLOATS:
        if size != FLOATS[name]:
            raise wire.WireError(f"{name} of {size} bytes")
        return struct.unpack("<d" if size == 8 else "<f", raw)[0]
    if size != INTEGERS.get(name, 1):
        raise wire.WireError(f"{name} of {size} bytes")
    return int.from_bytes(raw, "little", signed=name != "TINYINT" and name != "BIT")


def _without_choices(info, name):
    """A type without what its sender may choose: the collation, and the room that a DECIMAL is given."""
    if name in TEXTS:
        return info[:-len(wire.COLLATION)]
    return info[:1] + info[2:] if name == "DECIMAL" else info


def _take_metadata(r, announced):
    if r.number("B") != COLMETADATA or r.number("H") != len(announced):
        raise wire.WireError("a bulk load does not begin with the columns that INSERT BULK has")
    for name, kind in announced:
        r.take(4 + 2)
        wanted = type_info(kind)
        given = r.take(len(wanted))
        if _without_choices(given, kind[0]) != _without_choices(wanted, kind[0]):
            raise wire.WireError(f"column {name} comes as {given.hex()} instead of {wanted.hex()}")
        if r.text(r.number("B")) != name:
            raise wire.WireError(f"a bulk load has another column in place of {name}")


def parse_rows(data, announced):
    """The values of each row; `announced`: [(name, type)] of INSERT BULK."""
    r, rows = wire.Reader(data), []
    _take_metadata(r, announced)
    while r.left:
        token = r.number("B")
        if token == DONE:
            r.take(12)
            break
        if token != ROW:
            raise wire.WireError(f"token {token:#x} among the rows of a bulk load")
        rows.append([_take_text(r, kind) if kind[0] in TEXTS else _take_number(r, kind) for _, kind in announced])
    if r.left:
        raise wire.WireError(f"{r.left} bytes behind the end of a bulk load")
    return rows
