"""A client of SQL Server that shares nothing with the driver but FreeTDS itself, through ctypes.

    with Client(url) as sql:
        sql.run("CREATE TABLE ...")
        sql.rows("SELECT ...")          # [(value, ...)]: texts, ints, floats, None
        sql.load("dbo.t", [("a", None)])    # bulk load of texts; how many rows the library says it has sent
"""
import ctypes
import os
import struct
import tempfile
from urllib.parse import parse_qsl, unquote, urlsplit

SUCCEED, NO_MORE, REG_ROW, INT_CANCEL = 1, 2, -1, 2
SETUSER, SETPWD, SETAPP, SETCHARSET, SETDBNAME, VERSION_74 = 2, 3, 5, 10, 14, 8
SETBCP, BCP_IN, CHAR = 6, 1, 47
INTEGERS = {48: "<B", 50: "<B", 52: "<h", 56: "<i", 127: "<q"}
FLOATS = {59: "<f", 62: "<d"}
LOCAL = ("localhost", "127.0.0.1", "::1")

ON_ERROR = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p,
                            ctypes.c_char_p)
ON_MESSAGE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int, ctypes.c_int, ctypes.c_char_p,
                              ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)


class SqlFailed(Exception):
    """What the server or the library said."""


def _library():
    lib = ctypes.CDLL("libsybdb.so.5")
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
            ("dblogin", pointer, []), ("dbsetlname", number, [pointer, text, number]),
            ("dbsetlversion", number, [pointer, ctypes.c_ubyte]), ("dbloginfree", None, [pointer]),
            ("tdsdbopen", pointer, [pointer, text, number]), ("dbcmd", number, [pointer, text]),
            ("dbsqlexec", number, [pointer]), ("dbresults", number, [pointer]), ("dbnumcols", number, [pointer]),
            ("dbnextrow", number, [pointer]), ("dbdata", ctypes.POINTER(ctypes.c_ubyte), [pointer, number]),
            ("dbdatlen", ctypes.c_int32, [pointer, number]), ("dbcoltype", number, [pointer, number]),
            ("dbcancel", number, [pointer]), ("dbclose", None, [pointer]),
            ("dbsetlbool", number, [pointer, number, number]), ("bcp_init", number, [pointer, text, text, text, number]),
            ("bcp_bind", number, [pointer, text, number, ctypes.c_int32, pointer, number, number, number]),
            ("bcp_collen", number, [pointer, ctypes.c_int32, number]), ("bcp_colptr", number, [pointer, text, number]),
            ("bcp_sendrow", number, [pointer]), ("bcp_batch", ctypes.c_int32, [pointer]),
            ("bcp_done", ctypes.c_int32, [pointer])):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def settings(url):
    """The freetds.conf that a destination's URL means."""
    options = {k.lower(): v for k, v in parse_qsl(urlsplit(url).query)}
    local = urlsplit(url).hostname in LOCAL
    encrypt = {"disable": "off", "false": "request", "true": "require"}[options.get("encrypt", "disable" if local else "true")]
    lines = ["[global]", "tds version = 7.4", "client charset = UTF-8", "text size = 2147483647", f"encryption = {encrypt}"]
    trusted = options.get("trustservercertificate", "true" if local and "certificate" not in options else "false")
    if encrypt != "off" and trusted == "false":
        lines += [f"ca file = {options.get('certificate', 'system')}", "check certificate hostname = yes"]
    return "\n".join(lines) + "\n"


class Client:
    def __init__(self, url):
        self._errors, self._db = [], None
        self._lib = _library()
        self._keep = ON_ERROR(self._on_error), ON_MESSAGE(self._on_message)     # must outlive their use
        self._lib.dbinit()
        self._lib.dberrhandle(self._keep[0])
        self._lib.dbmsghandle(self._keep[1])
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
            conf.write(settings(url))
            conf.flush()
            os.environ["FREETDSCONF"] = conf.name
            try:
                self._open(urlsplit(url))
            finally:
                del os.environ["FREETDSCONF"]
        for batch in ("SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, "
                      "CONCAT_NULL_YIELDS_NULL ON", "SET TEXTSIZE 2147483647"):
            self.run(batch)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._lib.dbclose(self._db)

    def _on_error(self, db, severity, number, os_number, text, os_text):
        self._errors.append((text or b"").decode(errors="replace"))
        return INT_CANCEL

    def _on_message(self, db, number, state, severity, text, server, procedure, line):
        if severity > 10:
            self._errors.append(f"{number}: " + text.decode(errors="replace"))
        return 0

    def _check(self, fine):
        if self._errors or not fine:
            said, self._errors = "; ".join(self._errors) or "no reason given", []
            raise SqlFailed(said)

    def _open(self, u):
        lib, login = self._lib, self._lib.dblogin()
        database = unquote(u.path.lstrip("/")) or dict(parse_qsl(u.query)).get("database", "")
        for which, value in ((SETUSER, unquote(u.username)), (SETPWD, unquote(u.password or "")), (SETAPP, "eds tests"),
                             (SETCHARSET, "UTF-8"), (SETDBNAME, database)):
            if value:
                lib.dbsetlname(login, value.encode(), which)
        lib.dbsetlversion(login, VERSION_74)
        lib.dbsetlbool(login, 1, SETBCP)
        self._db = lib.tdsdbopen(login, f"{u.hostname}:{u.port or 1433}".encode(), 1)
        lib.dbloginfree(login)
        self._check(self._db)

    def run(self, sql):
        return self.rows(sql)

    def rows(self, sql):
        lib, db, found = self._lib, self._db, []
        lib.dbcmd(db, sql.encode())
        sent = lib.dbsqlexec(db) == SUCCEED
        while sent and (rc := lib.dbresults(db)) != NO_MORE:
            if rc != SUCCEED:
                break
            while lib.dbnextrow(db) == REG_ROW:
                found.append(tuple(self._value(i + 1) for i in range(lib.dbnumcols(db))))
        if not sent or self._errors:
            lib.dbcancel(db)
        self._check(sent)
        return found

    def load(self, table, rows):
        lib, db = self._lib, self._db
        self._check(lib.bcp_init(db, table.encode(), None, None, BCP_IN) == SUCCEED)
        for i in range(len(rows[0])):
            self._check(lib.bcp_bind(db, b"", 0, -1, None, 0, CHAR, i + 1) == SUCCEED)
        for row in rows:
            texts = [v if v is None or isinstance(v, bytes) else str(v).encode() for v in row]
            for i, text in enumerate(texts, 1):
                lib.bcp_colptr(db, text or b"", i)
                lib.bcp_collen(db, len(text or b""), i)
            self._check(lib.bcp_sendrow(db) == SUCCEED)
        sent = lib.bcp_done(db)
        self._check(sent >= 0)
        return sent

    def _value(self, column):
        lib, db = self._lib, self._db
        data, length, kind = lib.dbdata(db, column), lib.dbdatlen(db, column), lib.dbcoltype(db, column)
        if not data:
            return None
        raw = bytes(data[:length])
        if kind in INTEGERS:
            return struct.unpack(INTEGERS[kind], raw)[0]
        if kind in FLOATS:
            return struct.unpack(FLOATS[kind], raw)[0]
        return raw.decode()
