"""The stored event JSON, worked out independently of the C code.

stored(payload) is what file, s3 and kafka keep of a received payload: the known
members in fixed order, `before` and `after` as raw text without insignificant
white space (contract/nats.md section 5, contract/encoding.md section 1).
"""
import codecs
import json
import re


def _each_byte(error):
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("each-byte", _each_byte)


class Num(str):
    """A JSON number as the text it was written as."""
    __slots__ = ()

    def __repr__(self):
        return f"Num({str.__repr__(self)})"


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
            "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ESCAPES.update({chr(c): f"\\u{c:04x}" for c in range(32) if chr(c) not in _ESCAPES})
_TO_ESCAPE = re.compile('["\\\\<>&\u2028\u2029\x00-\x1f]')


def quote(text):
    """A JSON string in Go's spelling; lone surrogates become U+FFFD."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return '"' + _TO_ESCAPE.sub(lambda m: _ESCAPES[m.group()], text) + '"'


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[ \t\r\n]+|[^" \t\r\n]+', re.S)
_RAW = re.compile(b"[<>&]|\xe2\x80[\xa8\xa9]")
_RAW_ESCAPES = {b"<": b"\\u003c", b">": b"\\u003e", b"&": b"\\u0026",
                b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029"}


def compact(raw):
    """Raw JSON without white space between tokens and with Go's escapes for HTML; the rest is kept."""
    text = b"".join(t for t in _TOKEN.findall(raw) if t[:1] not in b" \t\r\n")
    return _RAW.sub(lambda m: _RAW_ESCAPES[m.group()], text)


def members(raw):
    """[(key, raw value bytes)] of a JSON object, in order, duplicates included."""
    found, depth, key, expect_key, value = [], 0, None, False, []
    for token in re.findall(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[ \t\r\n]+|[^"{}\[\],: \t\r\n]+', raw, re.S):
        if depth == 1 and token in (b",", b"}"):
            if key is not None:
                found.append((key, b"".join(value).strip(b" \t\r\n")))
            key, expect_key, value = None, True, []
            depth -= token == b"}"
        elif depth == 0:
            if token == b"{":
                depth, expect_key = 1, True
        elif depth == 1 and expect_key:
            if token[:1] == b'"':
                key, expect_key = json.loads(token.decode("utf-8", "each-byte"), strict=False), False
        elif depth == 1 and token == b":":
            value = []
        else:
            depth += (token in (b"{", b"[")) - (token in (b"}", b"]"))
            value.append(token)
    return found


def parse(raw):
    """Python values with numbers as Num and objects as dicts (last duplicate wins)."""
    if isinstance(raw, bytes):
        raw = raw.decode("utf-8", "each-byte")
    return json.loads(raw, parse_int=Num, parse_float=Num, strict=False)


_TEXT, _RAWS, _LISTS = "text", "raw", "list"
_LAYOUT = [("operation", _TEXT, False), ("id", _TEXT, False), ("table", _TEXT, False), ("key", _LISTS, False),
           ("modelVersion", _TEXT, False), ("companyId", _TEXT, True), ("locationId", _TEXT, True),
           ("userId", _TEXT, True), ("before", _RAWS, True), ("after", _RAWS, True), ("diff", _LISTS, True),
           ("timestamp", int, False), ("mvccTimestamp", _TEXT, False), ("imported", bool, True)]


def envelope(payload):
    """The known members of a payload by their proper names; `before` and `after` stay raw bytes."""
    proper = {name.lower(): (name, kind) for name, kind, _ in _LAYOUT}
    out = {}
    for key, raw in members(payload):
        name, kind = proper.get(key.lower(), (None, None))
        if name is None:
            continue
        if kind is _RAWS:
            out[name] = raw
            continue
        value = json.loads(raw.decode("utf-8", "each-byte"), strict=False)
        if value is not None:
            out[name] = value
        elif kind is _LISTS:
            out[name] = None
    return out


def primary_key(event):
    """The row id of an envelope; "" when there is none."""
    if event.get("key"):
        return event["key"][-1]
    row = event.get("after", event.get("before"))
    row = parse(row) if row else None
    row_id = row.get("id") if isinstance(row, dict) else None
    return row_id if isinstance(row_id, str) and not isinstance(row_id, Num) else ""


def stored(payload):
    """The bytes that a destination keeps for a received payload."""
    event, out = envelope(payload), []
    zero = {_TEXT: "", int: 0, bool: False}
    for name, kind, optional in _LAYOUT:
        value = event.get(name, zero.get(kind))
        if optional and (name not in event or value is False or (kind is _LISTS and not value)):
            continue
        if kind is _RAWS:
            text = compact(value)
        elif kind is _LISTS:
            text = ("null" if value is None else "[" + ",".join(map(quote, value)) + "]").encode()
        elif kind is _TEXT:
            text = quote(value).encode()
        else:
            text = json.dumps(value).encode()
        out.append(b'"%s":%s' % (name.encode(), text))
    return b"{" + b",".join(out) + b"}"
