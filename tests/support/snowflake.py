"""A peer that speaks the protocol of Snowflake's drivers, strictly, and executes what the EDS driver says.

    with Snowflake(folder) as peer:
        url = peer.url()
        ...
        assert peer.database.rows("order") == {...}
        assert peer.violations == []

Faults: peer.fail("query-request", "cut-after") and so on, see fail().
"""
import base64
import gzip
import hashlib
import json
import os
import re
import secrets
import socket
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tests.support.snowflake_expr import SqlError, split
from tests.support.snowflake_sql import Database, Result, SqlSession
from tests.support.snowflake_store import Store

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
USER, PASSWORD, ACCOUNT, WAREHOUSE, ROLE = "eds_user", "s3cret/pass%word", "myorg-myaccount", "WH", "LOADER"
SESSION_GONE = "390111"


@dataclass
class Session:
    id: int
    token: str
    master: str
    sql: SqlSession
    warehouse: str
    parameters: dict
    sequence: int = 0
    expired: bool = False       # the token, not the session
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Job:
    """A statement, by its request id; asked again, it is not executed again."""
    request_id: str
    text: str
    session: Session
    query_id: str
    done: threading.Event = field(default_factory=threading.Event)
    answer: dict = None
    aborted: bool = False


@dataclass
class Fault:
    path: str
    action: object
    times: int
    skip: int = 0
    matching: str = None        # only requests whose body holds that text


class Cut(Exception):
    """The connection ends without a word."""


class Refusal(Exception):
    def __init__(self, code, message, state=None):
        super().__init__(message)
        self.code, self.message, self.state = code, message, state


class Snowflake:
    def __init__(self, folder, kind="S3", encrypt=0, execute=True, warehouse=WAREHOUSE, public_key=None, delay=0.0):
        """`execute` False: statements are only counted; `delay`: seconds before each answer of a statement."""
        os.makedirs(folder, exist_ok=True)
        self.folder, self.execute, self.delay = folder, execute, delay
        self.database, self.store = Database(folder), Store(kind, encrypt)
        self.public_key, self.warehouses, self.roles = public_key, {warehouse}, {ROLE}
        self.hold = 45.0            # seconds that the answer to a statement is held back
        self.slow = 0.0             # seconds that each statement with MERGE or COPY takes
        self.chunk_rows = None      # rows of a result in the answer itself; the others come in chunks
        self.login_code = None      # refuse each login with this code
        self.sessions, self.jobs, self.queries = {}, {}, {}
        self.requests, self.statements, self.violations, self.faults = [], [], [], []
        self.logins = self.closed = self.renewals = self.heartbeats = self.aborts = 0
        self._guids, self._ids = set(), {}
        self._lock = threading.RLock()
        self._server = _serve(self)
        self.port = self._server.server_port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self.store.close()
        for session in list(self.sessions.values()):
            session.sql.close()

    def url(self, user=USER, password=PASSWORD, path="/SHOP/PUBLIC", account=ACCOUNT, keypair=False, port=None, **params):
        params = {"account": account, "protocol": "http", "warehouse": next(iter(self.warehouses), WAREHOUSE), **params}
        secret = "" if keypair else ":" + urllib.parse.quote(password, safe="")
        query = urllib.parse.urlencode({k: v for k, v in params.items() if v is not None})
        return (f"snowflake{'-keypair' if keypair else ''}://{urllib.parse.quote(user, safe='')}{secret}"
                f"@127.0.0.1:{port or self.port}{path}?{query}")

    # ---- what tests do to it

    def fail(self, path, action, times=1, skip=0, matching=None):
        """The next `times` requests whose path holds `path`, after `skip` others: an HTTP status, a code of six digits,
        "cut-before" or "cut-after" execution, "garbage" instead of JSON, "redirect" once, or ("retry-after", seconds)."""
        with self._lock:
            self.faults.append(Fault(path, action, times, skip, matching))

    def expire_tokens(self):
        for s in self.sessions.values():
            s.expired = True

    def end_sessions(self):
        """As Snowflake does after hours of silence: transactions and temporary objects go."""
        with self._lock:
            for s in self.sessions.values():
                s.sql.close()
            self.sessions.clear()

    def merges(self):
        """Statements that were executed and changed rows."""
        return [s for s in self.statements if "MERGE INTO" in s["sql"]]

    # ---- requests

    def handle(self, method, target, headers, body):
        """(status, headers, JSON value or bytes)"""
        path, _, query = target.partition("?")
        params = dict(urllib.parse.parse_qsl(query))
        with self._lock:
            self.requests.append((method, path))
            self._check_request(method, path, params, headers)
            fault = self._fault(path, body)
        action = fault.action if fault else None
        if action in ("cut-before", "cut-after", "redirect"):
            # libcurl asks again by itself when a connection that it kept ends without a word
            self._guids.discard(params.get("request_guid", ""))
        if action == "cut-before":
            raise Cut
        if action == "redirect":
            return 307, {"Location": f"http://127.0.0.1:{self.port}{target}"}, b""
        if isinstance(action, tuple):
            return 429, {"Retry-After": str(action[1])}, b""
        if isinstance(action, int):
            return action, {}, b"<html>busy</html>"
        if isinstance(action, str) and action.isdigit():
            return 200, {}, _refused(Refusal(action, "on command"))
        answer = self._dispatch(method, path, params, headers, body)
        if action == "cut-after":
            raise Cut
        if action == "garbage":
            return 200, {}, json.dumps(answer).encode()[:-20]
        return 200, {}, answer

    def _fault(self, path, body):
        for fault in self.faults:
            if fault.path in path and (fault.matching is None or fault.matching.encode() in body):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times == 0:
                    self.faults.remove(fault)
                return fault
        return None

    def _complain(self, what):
        self.violations.append(what)

    def _check_request(self, method, path, params, headers):
        guid, request_id = params.get("request_guid", ""), params.get("requestId", "")
        if not UUID4.match(guid) or guid in self._guids:
            self._complain(f"{path}: request_guid {guid!r} is no new UUID")
        self._guids.add(guid)
        if not UUID4.match(request_id):
            self._complain(f"{path}: requestId {request_id!r} is no UUID")
        if path == "/queries/v1/query-request":
            seen = self._ids.get(request_id, 0)
            self._ids[request_id] = seen + 1
            if (seen > 0) != ("retryCount" in params) and seen == 0:
                self._complain(f"{path}: retryCount {params.get('retryCount')!r} on attempt {seen + 1}")
        for name in ("User-Agent", "CLIENT_APP_ID", "CLIENT_APP_VERSION"):
            if not headers.get(name):
                self._complain(f"{path}: no header {name}")
        if method == "POST" and headers.get("Content-Type") != "application/json":
            self._complain(f"{path}: Content-Type {headers.get('Content-Type')}")

    def _dispatch(self, method, path, params, headers, body):
        try:
            if (method, path) == ("POST", "/session/v1/login-request"):
                return self._login(params, headers, body)
            if (method, path) == ("POST", "/session/token-request"):
                return self._renew(headers, body)
            session = self._session(headers)
            if (method, path) == ("POST", "/session") and params.get("delete") == "true":
                return self._close_session(session)
            if session.expired:
                raise Refusal("390112", "Your session has expired")
            if (method, path) == ("POST", "/session/heartbeat"):
                self.heartbeats += 1
                return {"success": True, "data": None, "code": None, "message": None}
            if (method, path) == ("POST", "/queries/v1/abort-request"):
                return self._abort(json.loads(body)["requestId"])
            if (method, path) == ("POST", "/queries/v1/query-request"):
                return self._query(session, params["requestId"], headers, json.loads(body))
            found = re.match(r"/queries/([^/]+)/result$", path)
            if method == "GET" and found and found.group(1) in self.queries:
                return self._result(self.queries[found.group(1)])
            raise Refusal("390999", f"no such path {path}")
        except Refusal as r:
            return _refused(r)

    # ---- sessions

    def _login(self, params, headers, body):
        self.logins += 1
        data = json.loads(body)["data"]
        if "Authorization" in headers:
            self._complain("a login with a token")
        for name in ("CLIENT_APP_ID", "CLIENT_APP_VERSION"):
            if headers.get(name) != data.get(name):
                self._complain(f"login: {name} differs between header and body")
        if not isinstance(data.get("SESSION_PARAMETERS"), dict):
            raise Refusal("390999", "SESSION_PARAMETERS are missing")
        if self.login_code:
            raise Refusal(self.login_code, "on command")
        if data.get("ACCOUNT_NAME", "").lower() != ACCOUNT:
            raise Refusal("390100", "Incorrect username or password was specified.")
        if data.get("AUTHENTICATOR") == "SNOWFLAKE_JWT":
            self._check_jwt(data)
        elif (data.get("LOGIN_NAME"), data.get("PASSWORD")) != (USER, PASSWORD):
            raise Refusal("390100", "Incorrect username or password was specified.")
        self._check_place(params, data["SESSION_PARAMETERS"])
        return self._new_session(params, data["SESSION_PARAMETERS"])

    def _check_place(self, params, parameters):
        if params.get("roleName", ROLE) not in self.roles:
            raise Refusal("390189", f"Role '{params['roleName']}' specified in the connect string does not exist or not authorized.")
        if parameters.get("CLIENT_VALIDATE_DEFAULT_PARAMETERS") is not True:
            self._complain("login: CLIENT_VALIDATE_DEFAULT_PARAMETERS")
        if params.get("warehouse", WAREHOUSE) not in self.warehouses and "warehouse" in params:
            raise Refusal("390201", "The requested warehouse does not exist or not authorized")

    def _check_jwt(self, data):
        try:
            header, claims, signature = (base64.urlsafe_b64decode(p + "=" * (-len(p) % 4)) for p in data["TOKEN"].split("."))
            header, claims = json.loads(header), json.loads(claims)
        except (KeyError, ValueError) as e:
            raise Refusal("394306", "JWT token has an invalid format") from e
        if self.public_key is None or header != {"alg": "RS256", "typ": "JWT"}:
            raise Refusal("390144", "JWT token is invalid.")
        key = serialization.load_pem_public_key(self.public_key.encode())
        try:
            key.verify(signature, data["TOKEN"].rpartition(".")[0].encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as e:
            raise Refusal("390144", "JWT token is invalid.") from e
        spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        subject = f"{ACCOUNT}.{USER}".upper()
        issuer = f"{subject}.SHA256:{base64.b64encode(hashlib.sha256(spki).digest()).decode()}"
        if (claims.get("sub"), claims.get("iss")) != (subject, issuer):
            raise Refusal("394304", "JWT fingerprint mismatch")
        now = time.time()
        if not claims["iat"] - 5 <= now:
            raise Refusal("394302", "JWT is not yet valid")
        if not now <= claims["exp"] <= claims["iat"] + 3600:
            raise Refusal("394301", "JWT token has expired")

    def _new_session(self, params, parameters):
        with self._lock:
            session = Session(2**53 + len(self.sessions) + 1, secrets.token_urlsafe(48), secrets.token_urlsafe(48),
                              SqlSession(self.database), params.get("warehouse") or next(iter(self.warehouses), None), parameters)
            self.sessions[session.token] = session
        known = params.get("databaseName", self.database.name) == self.database.name
        info = {"databaseName": self.database.name if known else None,
                "schemaName": self.database.schema if known and params.get("schemaName", self.database.schema) == self.database.schema else None,
                "warehouseName": session.warehouse, "roleName": params.get("roleName", ROLE)}
        return {"data": {"token": session.token, "validityInSeconds": 3599, "masterToken": session.master,
                         "masterValidityInSeconds": 14399, "sessionId": session.id,
                         "parameters": [{"name": "AUTOCOMMIT", "value": True},
                                        {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600}],
                         "sessionInfo": info, "displayUserName": USER.upper(), "serverVersion": "9.1"},
                "message": None, "code": None, "success": True}

    def _token(self, headers):
        found = re.match(r'Snowflake Token="(.+)"$', headers.get("Authorization", ""))
        return found.group(1) if found else None

    def _session(self, headers):
        session = self.sessions.get(self._token(headers))
        if session is None:
            raise Refusal(SESSION_GONE, "Session no longer exists. New login required to access the service.")
        return session

    def _renew(self, headers, body):
        wanted = json.loads(body)
        with self._lock:
            session = self.sessions.get(wanted.get("oldSessionToken"))
            if wanted.get("requestType") != "RENEW" or session is None or self._token(headers) != session.master:
                raise Refusal("390115", "Master token is invalid.")
            del self.sessions[session.token]
            session.token, session.master, session.expired = secrets.token_urlsafe(48), secrets.token_urlsafe(48), False
            self.sessions[session.token] = session
            self.renewals += 1
        return {"data": {"sessionToken": session.token, "validityInSecondsST": 3600, "masterToken": session.master,
                         "validityInSecondsMT": 14400, "sessionId": session.id}, "message": None, "code": None, "success": True}

    def _close_session(self, session):
        with self._lock:
            self.sessions.pop(session.token, None)
        with session.lock:
            session.sql.close()
        self.closed += 1
        return {"data": None, "success": True, "code": None, "message": None}

    # ---- statements

    def _query(self, session, request_id, headers, body):
        text = json.dumps([body["sqlText"], body.get("bindings")])
        with self._lock:
            job = self.jobs.get(request_id)
            if job is None:
                job = Job(request_id, text, session, str(uuid.uuid4()))
                self.jobs[request_id] = self.queries[job.query_id] = job
                if body.get("sequenceId", 0) <= session.sequence:
                    self._complain(f"sequenceId {body.get('sequenceId')} after {session.sequence}")
                session.sequence = body["sequenceId"]
                threading.Thread(target=self._run, args=(job, headers.get("Accept"), body), daemon=True).start()
            elif job.text != text:
                self._complain("a requestId for another statement")
        return self._result(job)

    def _result(self, job):
        if job.done.wait(self.hold):
            return job.answer
        return {"data": {"queryId": job.query_id, "getResultUrl": f"/queries/{job.query_id}/result"},
                "message": "Query execution in progress.", "code": "333333", "success": True}

    def _abort(self, request_id):
        self.aborts += 1
        job = self.jobs.get(request_id)
        if job is None or job.done.is_set():
            raise Refusal("000605", "Identified SQL statement is not currently executing.")
        job.aborted = True
        return {"data": None, "success": True, "code": None, "message": None}

    def _run(self, job, accept, body):
        if self.delay:
            time.sleep(self.delay)
        try:
            with job.session.lock:
                job.answer = self._execute(job, accept, body)
        except Refusal as r:
            job.answer = _refused(r, job.query_id)
        except SqlError as e:
            job.answer = _refused(Refusal(e.code, e.message, e.state), job.query_id)
        except Exception as e:      # the peer's own mistake: shown by the test
            self._complain(f"the peer failed: {e!r} at {body['sqlText'][:300]}")
            job.answer = _refused(Refusal("000603", "internal error"), job.query_id)
        job.done.set()

    def _execute(self, job, accept, body):
        sql, bindings = body["sqlText"], body.get("bindings") or {}
        parameters = body.get("parameters") or {}
        parts = split(sql)
        count = parameters.get("MULTI_STATEMENT_COUNT", 1)
        self._check_statement(job, sql, parts, count, bindings, accept)
        self.statements.append({"sql": sql, "tag": parameters.get("QUERY_TAG"), "count": len(parts), "bound": bool(bindings),
                                "session": job.session.id, "at": time.monotonic()})
        if not self.execute and ("MERGE INTO" in sql or sql.startswith(("BEGIN", "UPDATE", "DELETE"))):
            return _answered(job, Result(["number of rows inserted"], [["1"]], 0x3400))
        if self.slow and re.search("MERGE INTO|COPY INTO", sql):
            self._dawdle(job)
        result, ids = Result(), []
        for part in parts:
            result = job.session.sql.execute(part, bindings.get("1", {}).get("value"))
            ids.append(str(uuid.uuid4()))
        if len(parts) > 1:
            answer = _answered(job, Result(["multiple statement execution"], [["Multiple statements executed successfully."]], 0xA000))
            answer["data"].update(resultIds=",".join(ids), resultTypes=",".join(["4096"] * len(ids)))
            return answer
        if result.transfer:
            stage = job.session.sql.stage(result.transfer["stage"])
            return {"data": {**self.store.grant(stage, result.transfer["path"], result.transfer), "queryId": job.query_id},
                    "message": None, "code": None, "success": True}
        return self._with_rows(job, result)

    def _check_statement(self, job, sql, parts, count, bindings, accept):
        if count not in (0, len(parts)):
            raise Refusal("000008", f"Actual statement count {len(parts)} did not match the desired statement count {count}.", "0A000")
        if count == 0:
            self._complain("MULTI_STATEMENT_COUNT 0: the number of statements has to be exact")
        if bindings and len(parts) > 1:
            raise Refusal("000009", "bindings are not supported in multi-statement requests", "0A000")
        words = [re.match(r"\s*(\w*)", p).group(1).upper() for p in parts]
        if "PUT" in words and (len(parts) > 1 or accept != "application/json"):
            raise Refusal("001003", "PUT alone, with Accept: application/json", "42000")
        if "PUT" not in words and accept != "application/snowflake":
            self._complain(f"Accept: {accept} with {words}")
        if {"MERGE", "COPY", "SELECT"} & set(words) and not job.session.warehouse:
            raise Refusal("000606", "No active warehouse selected in the current session.", "57P03")

    def _dawdle(self, job):
        """A statement that takes its time, unless it is aborted."""
        end = time.monotonic() + self.slow
        while time.monotonic() < end:
            if job.aborted:
                raise Refusal("000604", "SQL execution canceled", "57014")
            time.sleep(0.01)

    def _with_rows(self, job, result):
        arrow = job.session.parameters.get("GO_QUERY_RESULT_FORMAT") != "JSON" and result.type_id == 0x1000 and result.columns \
            and result.columns != ["status"]
        answer = _answered(job, result)
        data = answer["data"]
        if arrow:
            del data["rowset"]
            data.update(queryResultFormat="arrow", rowsetBase64="QVJST1cx")
        elif self.chunk_rows is not None and len(result.rows) > self.chunk_rows:
            key, rest = secrets.token_hex(16), result.rows[self.chunk_rows:]
            data.update(rowset=result.rows[:self.chunk_rows], qrmk=key)
            half = (len(rest) + 1) // 2
            data["chunks"] = [{"url": self.store.add_chunk(part, key), "rowCount": len(part), "uncompressedSize": 1,
                               "compressedSize": 1} for part in (rest[:half], rest[half:]) if part]
        return answer


def _answered(job, result):
    types = result.types or ["text"] * len(result.columns)
    rowtype = [{"name": c, "type": t, "nullable": True, "length": 16777216, "byteLength": 16777216, "precision": None,
                "scale": None} for c, t in zip(result.columns, types)]
    return {"data": {"parameters": [], "rowtype": rowtype, "rowset": result.rows, "total": len(result.rows),
                     "returned": len(result.rows), "queryId": job.query_id, "sqlState": None, "statementTypeId": result.type_id,
                     "queryResultFormat": "json"}, "message": None, "code": None, "success": True}


def _refused(r, query_id=None):
    return {"data": {"errorCode": r.code, "sqlState": r.state, "queryId": query_id} if query_id else {"nextAction": None},
            "code": r.code, "message": r.message, "success": False}


def _serve(peer):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            try:
                status, headers, answer = peer.handle(self.command, self.path, self.headers, body)
            except Cut:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET = _any

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request, client_address):
            pass        # the other side has gone

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
