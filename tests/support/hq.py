"""A stand-in for HQ that is strict about contract/hq-api.md.

It answers as HQ would and writes down everything a request got wrong in
`violations`; it never refuses a request for that, so that one test can look at
all of them.  As a program it serves until it is stopped:

    python3 -m tests.support.hq --nats FOLDER
"""
import argparse
import base64
import json
import re
import secrets
import signal
import threading
import time
import uuid
from dataclasses import dataclass

from tests.support import hq_rules as rules
from tests.support import nkeys
from tests.support.events import COMPANY, load_schemas
from tests.support.gojson import quote
from tests.support.hq_control import HqControl
from tests.support.hq_export import Exports
from tests.support.hq_http import HttpFace

API = "/v3/eds/internal"


@dataclass
class Session:
    id: str
    server_id: str
    creds: str
    start: dict             # the body of the request
    ended: bool = False
    errored: bool = None


class Hq:
    """Controls for tests: set_down, garbage, delay, override, busy, nameless; records: requests, violations,
    sessions, uploads; exports (an Exports); NATS side: control (an HqControl)."""

    def __init__(self, nats, schemas=None, companies=(COMPANY,), port=0, creds_expire_in=None):
        self.nats, self.companies = nats, list(companies)
        self.creds_expire_in = creds_expire_in
        self.requests, self.violations = [], []
        self.sessions, self.uploads = {}, {}
        self.garbage = False            # answer 200 with something that is not JSON
        self.delay = 0.0                # seconds before every answer
        self.busy = 0                   # how many session starts still get 409
        self.nameless = 0               # how many still get a credential that names no session
        self._overrides = []
        self._codes, self._tokens = {}, {}
        self._signed = {}
        self._versions = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self.exports = Exports(self)
        self.set_schemas(schemas or load_schemas())
        self._face = HttpFace(self, port)
        self.url = f"http://127.0.0.1:{self._face.port}"
        self.control = HqControl(nats)
        self._face.up()

    # ---- controls

    def new_code(self, server_id=None, letter="L"):
        """A one-time enrollment code for a server id."""
        code = letter + secrets.token_hex(4).upper()
        self._codes[code] = server_id or secrets.token_hex(4)
        return code

    def token(self, server_id):
        """The API key of a server (a new one unless it has one)."""
        with self._lock:
            for token, owner in self._tokens.items():
                if owner == server_id:
                    return token
            claims = {"aud": "api", "cid": self.companies[0], "iss": self.url, "iat": int(time.time())}
            parts = [nkeys.b64url(json.dumps(p, separators=(",", ":")).encode())
                     for p in ({"alg": "HS256", "typ": "JWT"}, claims)]
            token = ".".join(parts + [nkeys.b64url(secrets.token_bytes(32))])
            self._tokens[token] = server_id
            return token

    def tokens(self):
        """Every token that was given out."""
        with self._lock:
            return list(self._tokens)

    def set_schemas(self, schemas):
        """The latest schemas, by object name; versions published before stay known."""
        with self._lock:
            self.schemas = schemas
            for name, schema in schemas.items():
                self._versions[name, schema["modelVersion"]] = schema
                self._versions[schema["table"], schema["modelVersion"]] = schema

    def set_down(self, down):
        """Down: open connections are cut and new ones refused."""
        self._face.down() if down else self._face.up()

    def override(self, path, status, body=None, times=None):
        """Requests whose "METHOD path" matches the regular expression get this answer, `times` times."""
        self._overrides.append([re.compile(path), status, body, times])

    def clear_overrides(self):
        self._overrides.clear()

    def requests_to(self, pattern):
        """The requests so far whose "METHOD path" matches."""
        return [r for r in list(self.requests) if re.search(pattern, f"{r.method} {r.path}")]

    def live_sessions(self):
        return [s for s in self.sessions.values() if not s.ended]

    def all_violations(self):
        """Those of the HTTP side and those of the heartbeats."""
        return self.violations + self.control.heartbeats.violations

    def close(self):
        self._stop.set()
        self._face.close()
        self.control.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- answering

    def complain(self, text):
        self.violations.append(text)

    def answer(self, request):
        """(status, body, headers) for a request; called in the request's own thread."""
        with self._lock:
            self.requests.append(request)
        if self.delay and self._stop.wait(self.delay):
            return None
        with self._lock:
            special = self._special(request)
            if special:
                return special
            for method, pattern, handler in self._ROUTES:
                found = re.fullmatch(pattern, request.path)
                if found and method == request.method:
                    return self._call(handler, request, found.groups())
        self.complain(f"{request.method} {request.path}: HQ has no such address")
        return self._failure(404, "not found")

    def _special(self, request):
        for entry in self._overrides:
            pattern, status, body, times = entry
            if pattern.search(f"{request.method} {request.path}") and times != 0:
                entry[3] = None if times is None else times - 1
                if body is None:
                    return self._failure(status, f"status {status} on purpose")
                return status, body if isinstance(body, bytes) else body.encode(), {}
        return (200, b"<html>this is not JSON</html>", {}) if self.garbage else None

    def _call(self, handler, request, arguments):
        found = []
        try:
            return handler(self, request, found, *arguments)
        except (ValueError, KeyError, TypeError) as e:
            found.append(f"the request cannot be understood: {e!r}")
            return self._failure(400, "bad request")
        finally:
            for text in found:
                self.complain(f"{request.method} {request.path}: {text}")

    @staticmethod
    def _json(status, text):
        return status, text.encode(), {"Content-Type": "application/json", "X-Request-Id": uuid.uuid4().hex}

    def _failure(self, status, message):
        return self._json(status, '{"success":false,"message":%s}' % quote(message))

    def _success(self, data):
        return self._json(200, '{"success":true,"message":"","data":%s}' % json.dumps(data))

    def _owner(self, request, found):
        """The server id whose token came with the request, or None."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        found += rules.standard(request.headers, token)
        if token not in self._tokens:
            found.append("the bearer token is not one that was given out")
        return self._tokens.get(token)

    def _enroll(self, request, found, code):
        found += rules.enroll(request.headers)
        server_id = self._codes.pop(code, None)
        if server_id is None:
            return self._failure(404, "no such code")
        return self._success({"token": self.token(server_id), "serverId": server_id})

    def _session_start(self, request, found):
        server_id = self._owner(request, found)
        if server_id is None:
            return self._failure(401, "unauthorized")
        found += rules.body_form(request.headers, request.body)
        found += rules.session_start(request.body, server_id)
        if self.busy:
            self.busy -= 1
            return self._failure(409, "another server is active")
        sid = str(uuid.uuid4())
        creds = self.nats.eds_creds(server_id, self.companies, sid, self.creds_expire_in, named=not self.nameless)
        self.nameless = max(0, self.nameless - 1)
        self.sessions[sid] = Session(sid, server_id, creds, json.loads(request.body))
        return self._success({"sessionId": sid, "credential": base64.b64encode(creds.encode()).decode()})

    def _session_of(self, request, found, sid):
        server_id = self._owner(request, found)
        found += rules.body_form(request.headers, request.body)
        session = self.sessions.get(sid)
        if session is None or session.server_id != server_id:
            found.append("the session is not one of this server")
            return None
        return session

    def _session_end(self, request, found, sid):
        session = self._session_of(request, found, sid)
        if session is None:
            return self._failure(404, "no such session")
        found += rules.session_end(request.body)
        if session.ended:
            found.append("the session has already been ended")
        session.ended, session.errored = True, json.loads(request.body)["errored"]
        return self._success({"url": self._sign(sid, "log"),
                              "errorUrl": self._sign(sid, "stderr") if session.errored else ""})

    def _log_url(self, request, found, sid):
        if self._session_of(request, found, sid) is None:
            return self._failure(404, "no such session")
        found += rules.log_request(request.body)
        return self._success({"url": self._sign(sid, "log")})

    def _sign(self, sid, what):
        path = f"/logs/eds/{sid}/{what}-{len(self._signed)}.log.gz"
        self._signed[path] = "X-Goog-Signature=" + secrets.token_hex(16)
        return f"{self.url}{path}?{self._signed[path]}"

    def _upload(self, request, found):
        found += rules.upload(request.headers, request.body)
        if request.query != self._signed.get(request.path):
            found.append("the upload's URL is not one that was signed")
            return self._failure(403, "signature does not match")
        if request.path in self.uploads:
            found.append("the same upload came twice")
        self.uploads[request.path] = request.body
        return 200, b"", {}

    def _export_create(self, request, found):
        if self._owner(request, found) is None:
            return self._failure(401, "unauthorized")
        found += rules.body_form(request.headers, request.body)
        return self._success(self.exports.create(request, found, json.loads(request.body)))

    def _export_poll(self, request, found, job):
        if self._owner(request, found) is None:
            return self._failure(401, "unauthorized")
        state = self.exports.poll(job)
        return self._success(state) if state else self._failure(404, "no such job")

    def _export_file(self, request, found, job, name):
        return self.exports.download(request, found, job, name)

    def _latest(self, request, found):
        found += rules.bare(request.headers)
        return self._json(200, json.dumps(self.schemas))

    def _version(self, request, found, name, version):
        found += rules.bare(request.headers)
        schema = self._versions.get((name, version))
        return self._json(200, json.dumps(schema)) if schema else self._failure(404, "no such schema")

    _ROUTES = [
        ("GET", API + r"/enroll/([^/]+)", _enroll),
        ("POST", API, _session_start),
        ("POST", API + r"/([0-9a-f-]{36})", _session_end),
        ("POST", API + r"/([0-9a-f-]{36})/log", _log_url),
        ("PUT", r"/logs/eds/.*", _upload),
        ("POST", r"/v3/export/bulk", _export_create),
        ("GET", r"/v3/export/bulk/([^/]+)", _export_poll),
        ("GET", r"/exports/([^/]+)/([^/]+)", _export_file),
        ("GET", r"/v3/schema", _latest),
        ("GET", r"/v3/schema/([^/]+)/([^/]+)", _version),
    ]


def main():
    parser = argparse.ArgumentParser(description="a stand-in for HQ with a nats-server beside it")
    parser.add_argument("--port", type=int, default=0, help="port of the API (default: a free one)")
    parser.add_argument("--nats", metavar="FOLDER", help="keep the nats-server's files there")
    args = parser.parse_args()
    from tests.support.jetstream import JetStream
    from tests.support.natsd import NatsServer
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with NatsServer(args.nats) as nats, Hq(nats, port=args.port) as hq:
        with nats.connect() as client:
            JetStream(client).create_stream()
        print(f"HQ API   {hq.url}\nNATS     {nats.url}\nenroll   build/eds enroll {hq.new_code()} --api-url {hq.url}",
              flush=True)
        seen = 0
        try:
            while True:
                signal.sigtimedwait([], 1)
                for text in hq.all_violations()[seen:]:
                    print("violation:", text, flush=True)
                seen = len(hq.all_violations())
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
