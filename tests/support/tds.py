"""A SQL Server for the tests: TDS 7.4 on a loopback port, over the small engine of tsql_engine.

    with TdsServer() as server:
        url = server.url()                      # sqlserver://sa:...@127.0.0.1:PORT/eds
        server.fault("INSERT INTO", error=1205)
        ...
        assert server.engine.rows("order") == [...]

It keeps what it was sent (`requests`, `logins`), and whatever broke the protocol or was no Transact-SQL that it
knows (`complaints`).  Faults strike at a login or at any text that is run, at the outermost or inside sp_executesql.
"""
import re
import socket
import ssl
import threading
from dataclasses import dataclass, field

from tests.support import tds_bulk, tds_wire as wire
from tests.support.oracle import compare_value
from tests.support.tsql_engine import Engine
from tests.support.tsql_parse import SqlError, parse_parameters
from tests.support.tsql_session import Session

USER, PASSWORD, DATABASE = "sa", "Geheim!42/#?", "eds"
MESSAGES = {
    229: (14, "The UPDATE permission was denied on the object 'order', database 'eds', schema 'dbo'."),
    515: (16, "Cannot insert the value NULL into column 'note', table 'eds.dbo.order'; column does not allow nulls."),
    1105: (17, "Could not allocate space for object 'dbo.order' in database 'eds' because the 'PRIMARY' filegroup is "
               "full."),
    1205: (13, "Transaction (Process ID 51) was deadlocked on lock resources with another process and has been chosen "
               "as the deadlock victim. Rerun the transaction."),
    1222: (16, "Lock request time out period exceeded."),
    2627: (14, "Violation of PRIMARY KEY constraint 'PK__order'. Cannot insert duplicate key in object 'dbo.order'. The "
               "duplicate key value is (secret-row-value)."),
    2628: (16, "String or binary data would be truncated in table 'eds.dbo.order', column 'note'. Truncated value: "
               "'secret-row-value'."),
    3906: (16, 'Failed to update database "eds" because the database is read-only.'),
    4060: (11, 'Cannot open database "eds" requested by the login. The login failed.'),
    9002: (17, "The transaction log for database 'eds' is full due to 'LOG_BACKUP'."),
    10928: (20, "Resource ID: 1. The request limit for the database is 90 and has been reached."),
    18488: (14, "Login failed for user 'sa'. Reason: The password of the account must be changed."),
    18456: (14, "Login failed for user 'sa'."),
    40501: (20, "The service is currently busy. Retry the request after 10 seconds. Incident ID: 1. Code: 1."),
    40613: (20, "Database 'eds' on server 'peer' is not currently available. Please retry the connection later."),
    40615: (14, "Cannot open server 'peer' requested by the login. Client with IP address '127.0.0.1' is not allowed to "
                "access the server."),
    49918: (16, "Cannot process request. Not enough resources to process request. Please retry you request later."),
}


class Cut(Exception):
    """The connection ends here."""


class Hang(Exception):
    """No answer until the client gives up."""


@dataclass
class Request:
    text: str
    parameters: dict = field(default_factory=dict)      # of a call: name -> (type, value)
    encrypted: bool = False


@dataclass
class Fault:
    pattern: re.Pattern
    action: object
    times: int
    skip: int


class TdsServer:
    """`tls`: None (the server offers none), "offered" or "required"; `name`: what its certificate says."""

    def __init__(self, engine=None, tls=None, folder=None, name="localhost", user=USER, password=PASSWORD,
                 database=DATABASE):
        self.engine = engine or Engine()
        self.user, self.password, self.database = user, password, database
        self.tls, self.ca_path, self._context = tls, None, None
        if tls:
            from tests.support.natsd import make_certificates
            self.ca_path, certificate, key = make_certificates(folder, name)
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate, key)
            self._context.maximum_version = ssl.TLSVersion.TLSv1_2      # what TDS 7.4 ends at
        self.requests, self.logins, self.complaints = [], [], []
        self.before_text = lambda text: None        # called with every text before it is run
        self._faults, self._lock, self._open = [], threading.Lock(), set()
        self._listener = self._thread = None
        self.port = 0
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- controls

    def start(self):
        """Listen, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._thread.start()

    def stop(self):
        """Refuse connections and cut those that are open."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.cut_all()

    def cut_all(self):
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass            # it is gone already

    def url(self, host="127.0.0.1", user=None, password=None, database=None, scheme="sqlserver", **options):
        from urllib.parse import quote, urlencode
        login = f"{quote(user or self.user, safe='')}:{quote(password or self.password, safe='')}"
        query = "?" + urlencode(options) if options else ""
        return f"{scheme}://{login}@{host}:{self.port}/{quote(database or self.database, safe='')}{query}"

    def fault(self, pattern, error=None, action=None, times=1, skip=0):
        """When a text matches (`LOGIN` for logins): an error number, or "cut", "cut after" or "hang"."""
        with self._lock:
            self._faults.append(Fault(re.compile(pattern), error if action is None else action, times, skip))

    def clear_faults(self):
        with self._lock:
            self._faults.clear()

    def faults_left(self):
        with self._lock:
            return sum(f.times for f in self._faults)

    def differences(self, oracle):
        """What stands here and should not, or the other way round."""
        with self.engine.lock:
            names = [t for t in oracle.schemas if self.engine.table(t) is not None]
            return oracle.compare_tables(names, self.engine.rows, compare_value)

    def texts(self):
        """Every text that was sent, inner ones of sp_executesql behind the outer."""
        found = []
        for request in list(self.requests):
            found.append(request.text)
            found += [p[1] for n, p in request.parameters.items() if re.fullmatch(r"@s\d+", n)]
        return found

    def _strike(self, text, *actions):
        """The action of a fault that is due, None without any."""
        with self._lock:
            for f in self._faults:
                named = f.action if isinstance(f.action, str) else "error"
                if f.times > 0 and named in actions and f.pattern.search(text):
                    if f.skip > 0:
                        f.skip -= 1
                        continue
                    f.times -= 1
                    return f.action
        return None

    # ---- connections

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        connection = Connection(self, sock)
        try:
            connection.run()
        except wire.WireError as e:
            self.complaints.append(f"protocol: {e}")
        except (wire.Closed, Cut, OSError):
            pass                    # the client went, or a fault wanted it so
        finally:
            connection.end()
            with self._lock:
                self._open.discard(sock)
            sock.close()


class Connection:
    def __init__(self, server, sock):
        self.server, self.stream = server, wire.Stream(sock)
        self.session = Session(server.engine, server.database)
        self.session.on_script = self._on_script
        self._holds = False
        self.loaded = None          # rows of the bulk load at hand

    def end(self):
        """What is not committed never was."""
        if self._holds or self.session.transaction is not None:
            self.session.rollback()
            self._release()

    # ---- login

    def run(self):
        self._prelogin()
        if not self._login():
            return
        while True:
            kind, data = self.stream.read_message()
            if kind == wire.ATTENTION:
                self.stream.send(wire.RESPONSE, wire.done(status=wire.DONE_ATTENTION))
            elif kind == wire.SQL_BATCH:
                transaction, text = wire.parse_batch(data)
                self._request(transaction, Request(text, {}, self.stream.encrypted), wire.DONE, self._run_batch)
            elif kind == wire.RPC:
                transaction, procedure, parameters = wire.parse_rpc(data)
                self._request(transaction, self._call_of(procedure, parameters), wire.DONEPROC, self._run_call)
            elif kind == wire.BULK:
                if self.session.bulk is None:
                    raise wire.WireError("rows of a bulk load without INSERT BULK")
                rows = tds_bulk.parse_rows(data, self.session.bulk.columns)
                self._request(self._descriptor(), Request(f"BULK LOAD {self.session.bulk.table[1]}", {"rows": rows},
                                                          self.stream.encrypted), wire.DONE, self._run_load)
            else:
                raise wire.WireError(f"a message of type {kind}")

    def _prelogin(self):
        kind, data = self.stream.read_message()
        if kind != wire.PRELOGIN:
            raise wire.WireError(f"the first message is of type {kind}")
        wanted = wire.parse_prelogin(data).get(1, b"\x02")[0]
        answer = self._encryption(wanted)
        self.stream.send(wire.RESPONSE, wire.prelogin_answer(answer))
        if answer in (wire.ENCRYPT_ON, wire.ENCRYPT_REQ, wire.ENCRYPT_OFF) and wanted != wire.ENCRYPT_NOT_SUP:
            try:
                self.stream.start_tls(self.server._context)
            except ssl.SSLError as e:
                raise wire.Closed from e        # the client did not like the certificate
        self._login_only = answer == wire.ENCRYPT_OFF

    def _encryption(self, wanted):
        if self.server.tls is None:
            return wire.ENCRYPT_NOT_SUP
        if self.server.tls == "required":
            return wire.ENCRYPT_ON if wanted == wire.ENCRYPT_ON else wire.ENCRYPT_REQ
        return {wire.ENCRYPT_NOT_SUP: wire.ENCRYPT_NOT_SUP, wire.ENCRYPT_OFF: wire.ENCRYPT_OFF}.get(wanted, wire.ENCRYPT_ON)

    def _login(self):
        kind, data = self.stream.read_message()
        if kind != wire.LOGIN7:
            raise wire.WireError(f"a message of type {kind} instead of the login")
        login = wire.parse_login(data)
        if login["version"] != wire.TDS74:
            raise wire.WireError(f"TDS version {login['version']:#x}")
        self.server.logins.append({**login, "encrypted": self.stream.encrypted})
        if self._login_only:
            self.stream.stop_tls()
        failure = self.server._strike("LOGIN", "error", "cut", "hang")
        if failure == "cut":
            raise Cut
        if failure == "hang":
            self.stream.read_message()
        if failure is None and (login["user"], login["password"]) != (self.server.user, self.server.password):
            failure = 18456
        if failure is None and login["database"] not in ("", self.server.database):
            failure = 4060
        if failure is not None:
            self.stream.send(wire.RESPONSE, self._error(failure) + wire.done(status=wire.DONE_ERROR))
            return False
        self._welcome(login)
        return True

    def _welcome(self, login):
        size = min(max(login["packet_size"], 512), 32767)
        change = wire.envchange
        answer = (change(1, wire.b_text(self.server.database), wire.b_text("master"))
                  + wire.message(5701, f"Changed database context to '{self.server.database}'.", 0)
                  + change(7, bytes([5]) + wire.COLLATION, b"\0")
                  + change(2, wire.b_text("us_english"), wire.b_text(""))
                  + wire.message(5703, "Changed language setting to us_english.", 0) + wire.login_ack()
                  + change(4, wire.b_text(str(size)), wire.b_text("4096")) + wire.done())
        self.stream.send(wire.RESPONSE, answer)
        self.stream.size = size

    # ---- requests

    def _call_of(self, procedure, parameters):
        if procedure.lower() not in ("sp_executesql", "sys.sp_executesql"):
            raise wire.WireError(f"a call of {procedure}")
        if not parameters or not isinstance(parameters[0][2], str):
            raise wire.WireError("sp_executesql without a statement")
        request = Request(parameters[0][2], {}, self.stream.encrypted)
        request.declared = parameters[1][2] if len(parameters) > 1 else ""
        request.parameters = {name: (kind, value) for name, kind, value in parameters[2:]}
        return request

    def _run_batch(self, request):
        self.session.run_script(request.text)

    def _run_call(self, request):
        types = parse_parameters(request.declared)
        self.session.call(request.text, types, {n: v for n, (_, v) in request.parameters.items()})

    def _run_load(self, request):
        self._on_script(request.text)
        self.session.load(request.parameters["rows"])
        self.loaded = len(request.parameters["rows"])

    def _on_script(self, text):
        self.server.before_text(text)
        action = self.server._strike(text, "error", "cut", "hang")
        if action == "cut":
            raise Cut
        if action == "hang":
            raise Hang
        if action is not None:
            level, words = MESSAGES.get(action, (16, f"Error {action}."))
            raise SqlError(action, words, level)

    def _hold(self):
        if not self._holds:
            self.session.engine.lock.acquire()
            self._holds = True

    def _release(self):
        if self._holds:
            self._holds = False
            self.session.engine.lock.release()

    def _descriptor(self):
        return (1 if self.session.transaction is not None else 0).to_bytes(8, "little")

    def _request(self, transaction, request, done, run):
        if transaction != self._descriptor():
            raise wire.WireError(f"the request names transaction {transaction.hex()}")
        self.server.requests.append(request)
        self.session.results, self.session.messages = [], []
        self._hold()
        before, failure = self.session.transaction is not None, None
        try:
            run(request)
        except SqlError as e:
            failure = e
            self._after_error(e)
        except Hang:
            self._wait_for_attention()
            return
        finally:
            if self.session.transaction is None:
                self._release()
        if self.server._strike(request.text, "cut after"):
            raise Cut
        self._answer(before, failure, done)

    def _after_error(self, e):
        if e.number in (102, 137, 195, 207, 208, 209, 4104, 468, 447, 13607) or e.number == 50000:
            self.server.complaints.append(f"{e.number}: {e.text}")
        if self.session.options["XACT_ABORT"] or e.number == 1205:
            self.session.rollback()

    def _wait_for_attention(self):
        """The statement never ends; an attention ends it, and XACT_ABORT the transaction with it."""
        self._release()
        kind, _ = self.stream.read_message()
        if kind != wire.ATTENTION:
            raise wire.WireError(f"a message of type {kind} while a statement runs")
        self.session.rollback()
        self.stream.send(wire.RESPONSE, wire.done(status=wire.DONE_ATTENTION))

    @staticmethod
    def _error(number, words=None, level=None):
        usual = MESSAGES.get(number, (16, f"Error {number}."))
        return wire.message(number, words or usual[1], usual[0] if level is None else level)

    def _answer(self, before, failure, done):
        out = b"".join(wire.message(0, text, 0) for text in self.session.messages)
        inner = wire.DONE if done == wire.DONE else wire.DONEINPROC
        for names, found in self.session.results:
            shape = tds_bulk.columns(names) if found is None else wire.rows(names, found)
            out += shape + wire.done(inner, wire.DONE_MORE | wire.DONE_COUNT, len(found or ()))
        now = self.session.transaction is not None
        if now and not before:
            out += wire.envchange(8, b"\x08" + self._descriptor(), b"\0")
        elif before and not now:
            out += wire.envchange(10 if failure else 9, b"\0", b"\x08" + (1).to_bytes(8, "little"))
        if failure is not None:
            out += self._error(failure.number, failure.text, failure.level)
        if done == wire.DONEPROC:
            out += wire.return_status(failure.number if failure else 0)
        counted, self.loaded = self.loaded, None
        if counted is not None and failure is None:
            out += wire.done(done, wire.DONE_COUNT, counted)
        else:
            out += wire.done(done, wire.DONE_ERROR if failure else 0)
        self.stream.send(wire.RESPONSE, out)
        if failure is not None and failure.level >= 20:
            raise Cut


def main():
    """A server for another process: prints its URL, and ends with standard input."""
    import sys
    with TdsServer() as server:
        print(server.url(), flush=True)
        sys.stdin.read()
        print("\n".join(server.complaints), file=sys.stderr, end="")


if __name__ == "__main__":
    main()
