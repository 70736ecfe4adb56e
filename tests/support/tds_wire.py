"""TDS 7.4 as bytes: packets, the login record, parameters of a call, and the tokens of an answer.

Strict: what the protocol does not allow, or a server would not understand, is a WireError.
"""
import ssl
import struct

SQL_BATCH, RPC, RESPONSE, ATTENTION, BULK, LOGIN7, PRELOGIN = 1, 3, 4, 6, 7, 0x10, 0x12
END_OF_MESSAGE = 1
HEADER = 8
COLLATION = bytes.fromhex("0904d00034")        # SQL_Latin1_General_CP1_CI_AS
NVARCHAR, INTN, FLTN, NTEXT = 0xE7, 0x26, 0x6D, 0x63
ENCRYPT_OFF, ENCRYPT_ON, ENCRYPT_NOT_SUP, ENCRYPT_REQ = range(4)
DONE, DONEPROC, DONEINPROC = 0xFD, 0xFE, 0xFF
DONE_MORE, DONE_ERROR, DONE_COUNT, DONE_ATTENTION = 1, 2, 0x10, 0x20
TDS74 = 0x74000004


class WireError(Exception):
    """The client broke the protocol."""


class Closed(Exception):
    """The client is gone."""


class Stream:
    """Packets over a socket, in the clear or through TLS whose handshake travels in PRELOGIN packets."""

    def __init__(self, sock):
        self.sock = sock
        self.size = 4096
        self._tls = None
        self._in = self._out = None
        self._plain = b""

    @property
    def encrypted(self):
        return self._tls is not None

    def start_tls(self, context):
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self._in, self._out, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush_handshake()
                kind, data = self.read_message()
                if kind != PRELOGIN:
                    raise WireError(f"a packet of type {kind} during the TLS handshake")
                self._in.write(data)
        self._flush_handshake()
        self._tls = tls

    def _flush_handshake(self):
        data = self._out.read()
        if data:
            self._send_raw(self._packets(PRELOGIN, data))

    def stop_tls(self):
        """Encryption of the login only: what follows is in the clear."""
        self._tls = None

    def _recv_raw(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed
        return data

    def _send_raw(self, data):
        self.sock.sendall(data)

    def _more(self):
        if self._tls is None:
            self._plain += self._recv_raw()
            return
        while True:
            try:
                self._plain += self._tls.read(65536)
                return
            except ssl.SSLWantReadError:
                self._in.write(self._recv_raw())

    def _take(self, count):
        while len(self._plain) < count:
            self._more()
        taken, self._plain = self._plain[:count], self._plain[count:]
        return taken

    def read_message(self):
        """(type, payload) of all packets up to the one marked as the last."""
        payload, first = [], None
        while True:
            kind, status, length, _, _, _ = struct.unpack(">BBHHBB", self._take(HEADER))
            if length < HEADER or length > max(self.size, 32768):
                raise WireError(f"a packet of {length} bytes")
            if first not in (None, kind):
                raise WireError(f"a packet of type {kind} inside a message of type {first}")
            first = kind
            payload.append(self._take(length - HEADER))
            if status & END_OF_MESSAGE:
                return kind, b"".join(payload)

    def buffered(self):
        """Something of the client lies here already."""
        return bool(self._plain)

    def _packets(self, kind, data):
        room, out = self.size - HEADER, []
        for n, at in enumerate(range(0, max(len(data), 1), room)):
            chunk = data[at:at + room]
            last = END_OF_MESSAGE if at + room >= len(data) else 0
            out.append(struct.pack(">BBHHBB", kind, last, len(chunk) + HEADER, 0, (n + 1) & 255, 0) + chunk)
        return b"".join(out)

    def send(self, kind, data):
        packets = self._packets(kind, data)
        if self._tls is not None:
            self._tls.write(packets)
            packets = self._out.read()
        self._send_raw(packets)


class Reader:
    """Takes a payload apart; reading past its end is an error."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise WireError("a message ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def text(self, units):
        return utf16(self.take(units * 2))

    @property
    def left(self):
        return len(self.data) - self.at


def utf16(data):
    try:
        return data.decode("utf-16-le")
    except UnicodeDecodeError as e:
        raise WireError(f"text is not UTF-16: {e}") from e


# ---- from the client

def parse_prelogin(data):
    """{option: bytes}"""
    r, options = Reader(data), {}
    while True:
        token = r.number("B")
        if token == 0xFF:
            return options
        offset, length = struct.unpack(">HH", r.take(4))
        if offset + length > len(data):
            raise WireError("a PRELOGIN option lies outside of the packet")
        options[token] = data[offset:offset + length]


LOGIN_FIELDS = ("host", "user", "password", "app", "server", "extension", "library", "language", "database")


def parse_login(data):
    """The texts of LOGIN7, and `version` and `packet_size`."""
    r = Reader(data)
    total, version, packet_size = r.number("I"), r.number("I"), r.number("I")
    if total != len(data):
        raise WireError(f"LOGIN7 says it has {total} bytes and has {len(data)}")
    r.take(24)
    login = {"version": version, "packet_size": packet_size}
    for name in LOGIN_FIELDS:
        offset, units = r.number("H"), r.number("H")
        raw = data[offset:offset + units * 2]
        if len(raw) != units * 2:
            raise WireError(f"LOGIN7's {name} lies outside of the packet")
        if name == "password":
            raw = bytes(((b ^ 0xA5) >> 4 | (b ^ 0xA5) << 4) & 255 for b in raw)
        login[name] = utf16(raw)
    return login


def parse_headers(r):
    """ALL_HEADERS of a request; the transaction that it says it runs in."""
    start, total, transaction = r.at, r.number("I"), None
    if total < 4 or start + total > len(r.data):
        raise WireError("ALL_HEADERS lies outside of the message")
    while r.at < start + total:
        length, kind = r.number("I"), r.number("H")
        body = Reader(r.take(length - 6))
        if kind == 2:
            transaction = body.take(8)
    if transaction is None:
        raise WireError("a request without a transaction descriptor")
    return transaction


def take_plp(r):
    total = r.number("Q")
    if total == 0xFFFFFFFFFFFFFFFF:
        return None
    chunks = []
    while True:
        length = r.number("I")
        if length == 0:
            break
        chunks.append(r.take(length))
    data = b"".join(chunks)
    if total != 0xFFFFFFFFFFFFFFFE and total != len(data):
        raise WireError(f"a long value says it has {total} bytes and has {len(data)}")
    return data


def parse_parameter(r):
    """(name, declared type, value)"""
    name = r.text(r.number("B"))
    r.number("B")
    kind = r.number("B")
    if kind == NVARCHAR:
        most = r.number("H")
        r.take(5)
        if most == 0xFFFF:
            data, declared = take_plp(r), "NVARCHAR(MAX)"
        else:
            if most > 8000:
                raise WireError(f"NVARCHAR of {most} bytes")
            length = r.number("H")
            data, declared = (None if length == 0xFFFF else r.take(length)), f"NVARCHAR({most // 2})"
            if data is not None and length > most:
                raise WireError(f"a parameter of {length} bytes in an NVARCHAR of {most}")
        return name, declared, None if data is None else utf16(data)
    if kind == NTEXT:
        r.take(4 + 5)
        length = r.number("i")
        return name, "NTEXT", None if length == -1 else utf16(r.take(length))
    if kind == INTN:
        size, length = r.number("B"), r.number("B")
        if size not in (1, 2, 4, 8) or length not in (0, size):
            raise WireError(f"an integer of {length} bytes in {size}")
        return name, {1: "TINYINT", 2: "SMALLINT", 4: "INT", 8: "BIGINT"}[size], (
            int.from_bytes(r.take(length), "little", signed=size > 1) if length else None)
    raise WireError(f"a parameter of type {kind:#x}, which this server does not know")


def parse_rpc(data):
    """(transaction, procedure, [(name, type, value)])"""
    r = Reader(data)
    transaction = parse_headers(r)
    length = r.number("H")
    procedure = {10: "sp_executesql"}.get(r.number("H"), "?") if length == 0xFFFF else r.text(length)
    r.number("H")
    parameters = []
    while r.left:
        parameters.append(parse_parameter(r))
    return transaction, procedure, parameters


def parse_batch(data):
    r = Reader(data)
    return parse_headers(r), utf16(r.take(r.left))


# ---- from the server

def b_text(s):
    raw = s.encode("utf-16-le")
    return struct.pack("<B", len(raw) // 2) + raw


def us_text(s):
    raw = s.encode("utf-16-le")
    return struct.pack("<H", len(raw) // 2) + raw


def token(kind, body):
    return struct.pack("<BH", kind, len(body)) + body


def prelogin_answer(encryption):
    version, options, data, at = b"\x0f\x00\x07\xd0\x00\x00", b"", b"", 5 * 4 + 1
    for kind, value in ((0, version), (1, bytes([encryption])), (2, b"\0"), (4, b"\0")):
        options += struct.pack(">BHH", kind, at + len(data), len(value))
        data += value
    return options + b"\xff" + data


def envchange(kind, new, old):
    return token(0xE3, bytes([kind]) + new + old)


def message(number, text, level, state=1, line=1, procedure="", server="PEER"):
    kind = 0xAA if level > 10 else 0xAB
    return token(kind, struct.pack("<iBB", number, state, level) + us_text(text) + b_text(server) + b_text(procedure)
                 + struct.pack("<I", line))


def login_ack():
    return token(0xAD, b"\x01" + struct.pack(">I", TDS74) + b_text("Microsoft SQL Server") + b"\x0f\x00\x07\xd0")


def done(kind=DONE, status=0, count=0):
    return struct.pack("<BHHQ", kind, status, 0, count)


def return_status(value):
    return struct.pack("<Bi", 0x79, value)


def _plp(raw):
    if raw is None:
        return b"\xff" * 8
    return struct.pack("<Q", len(raw)) + (struct.pack("<I", len(raw)) + raw if raw else b"") + b"\0\0\0\0"


def _column(values):
    """(TYPE_INFO, function from a value to its bytes): the type that has room for all of them."""
    kinds = {type(v) for v in values if v is not None}
    if kinds and kinds <= {int, bool}:
        return struct.pack("<BB", INTN, 8), lambda v: b"\0" if v is None else struct.pack("<Bq", 8, v)
    if kinds == {float}:
        return struct.pack("<BB", FLTN, 8), lambda v: b"\0" if v is None else struct.pack("<Bd", 8, v)
    if any(len(str(v)) > 4000 for v in values if v is not None):
        return struct.pack("<BH", NVARCHAR, 0xFFFF) + COLLATION, lambda v: _plp(None if v is None else _utf16(v))
    return struct.pack("<BH", NVARCHAR, 8000) + COLLATION, lambda v: (
        b"\xff\xff" if v is None else struct.pack("<H", len(_utf16(v))) + _utf16(v))


def _utf16(value):
    return str(value).encode("utf-16-le")


def rows(names, values):
    """COLMETADATA, and a ROW for each list of texts, ints, floats or None."""
    columns = [_column([row[i] for row in values]) for i in range(len(names))]
    out = [struct.pack("<BH", 0x81, len(names))]
    out += [struct.pack("<IH", 0, 9) + info + b_text(name) for name, (info, _) in zip(names, columns)]
    out += [b"\xd1" + b"".join(encode(v) for v, (_, encode) in zip(row, columns)) for row in values]
    return b"".join(out)
