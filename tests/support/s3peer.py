"""A strict S3 service for tests: checks every signature, remembers every version, and fails on command.

    with S3Peer() as peer:
        url = peer.url("bucket")
        peer.misbehave(lambda request: Slow() if request.number < 5 else None)

Signatures are checked twice: by the rules of AWS's documentation, and with botocore as a witness
where python3-botocore is installed.
"""
import hashlib
import hmac
import socket
import ssl
import threading
import time
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

try:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    S3SigV4Auth = None

REGION, KEY, SECRET = "us-east-1", "AKIATESTER", "s3cr3t/with+signs"
SKEW = 900


class Reply(Exception):
    """An answer in place of what the request asks for; None as status: no answer, and the link is cut."""

    def __init__(self, status, code="", message="", headers=None, extra="", store=False, wait=0.0):
        super().__init__(code)
        self.status, self.code, self.message, self.extra = status, code, message, extra
        self.headers, self.store, self.wait = headers or {}, store, wait


def slow_down(**more):
    return Reply(503, "SlowDown", "Please reduce your request rate.", **more)


def internal(**more):
    return Reply(500, "InternalError", "We encountered an internal error.", **more)


def denied(code="AccessDenied", message="Access Denied", status=403):
    return Reply(status, code, message)


def cut(store=False):
    """The link breaks off before (or, with `store`, after) the object is stored."""
    return Reply(None, store=store)


def hang(seconds, store=False):
    return Reply(None, store=store, wait=seconds)


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_of(request, signed, scope, secret):
    """The signature that the request must have, by the documentation."""
    query = sorted(pair.partition("=")[::2] for pair in request.query.split("&") if pair)
    canonical = "\n".join([
        request.method, request.raw_path, "&".join("=".join(p) for p in query),
        *(f"{name}:{' '.join(request.headers[name].split())}" for name in signed), "", ";".join(signed),
        hashlib.sha256(request.body).hexdigest()])
    date, region, service, end = scope.split("/")
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, end):
        key = _hmac(key, part)
    return _hmac(key, text).hex()


def signature_by_botocore(request, signed, scope, secret, key_id):
    """The same by AWS's own library."""
    _, region, service, _ = scope.split("/")
    again = AWSRequest(method=request.method, url=f"http://{request.headers['host']}{request.target}", data=request.body,
                       headers={n: request.headers[n] for n in signed})
    again.context.update(timestamp=request.headers["x-amz-date"], payload_signing_enabled=True)
    auth = S3SigV4Auth(Credentials(key_id, secret), service, region)
    return auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)


class Request:
    """One request as it came."""

    def __init__(self, number, method, target, headers, body):
        self.number, self.method, self.target, self.body = number, method, target, body
        self.headers = {n.lower(): v for n, v in headers.items()}
        self.raw_path, _, self.query = target.partition("?")
        bucket, _, key = urllib.parse.unquote(self.raw_path, errors="strict")[1:].partition("/")
        self.bucket, self.key = bucket, key
        self.began = self.ended = time.monotonic()
        self.stored = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        pass        # a client that has gone away


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def _serve(self):
        peer = self.server.peer
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = peer.note(self.command, self.path, self.headers, body)
        try:
            peer.check(request)
            fault = peer.fault(request)
            if fault:
                raise fault
            status, headers, answer = peer.serve(request)
        except Reply as reply:
            if reply.store:
                peer.store(request)
            peer.let_go(request)
            if reply.wait:
                peer.closing.wait(reply.wait)
            if reply.status is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers = reply.status, reply.headers
            answer = (f"<?xml version=\"1.0\"?><Error><Code>{reply.code}</Code><Message>{escape(reply.message)}</Message>"
                      f"{reply.extra}<RequestId>R{request.number}</RequestId></Error>").encode()
        request.ended = time.monotonic()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), "x-amz-request-id": f"R{request.number}",
                            **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)
        self.wfile.flush()

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve

    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + self.server.peer.clock, usegmt=True)


class S3Peer:
    """Public parts: versions {(bucket, key): [Request]}, requests, keys {id: (secret, token)}, region, clock."""

    def __init__(self, buckets=("shop",), region=REGION, tls=None):
        self.buckets, self.region, self.clock = set(buckets), region, 0.0
        self.keys = {KEY: (SECRET, None)}
        self.requests, self.versions, self.overlaps, self.unwitnessed = [], {}, [], 0
        self._fault, self._lock, self._under_way = None, threading.Lock(), set()
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.peer = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    # ---- addresses

    def url(self, place="shop", key=KEY, secret=SECRET, **options):
        """The URL of a destination: with credentials unless `key` is None."""
        given = {"region": self.region, **({"access-key-id": key, "secret-access-key": secret} if key else {}),
                 **{n.replace("_", "-") if not n.endswith(("Tasks", "Size")) else n: v for n, v in options.items()}}
        return f"s3://127.0.0.1:{self.port}/{place}?{urllib.parse.urlencode(given)}"

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    # ---- failing

    def misbehave(self, fault):
        """fault(request) is a Reply, or None for what is right; None ends it."""
        self._fault = fault

    def be_well(self):
        self._fault = None

    def fault(self, request):
        return self._fault and self._fault(request)

    # ---- one request

    def note(self, method, target, headers, body):
        with self._lock:
            request = Request(len(self.requests), method, target, headers, body)
            self.requests.append(request)
            if method == "PUT":
                if (request.bucket, request.key) in self._under_way:
                    self.overlaps.append(request.key)
                self._under_way.add((request.bucket, request.key))
        return request

    def check(self, request):
        """Who it is, and whether all of it is what he signed."""
        given = request.headers.get("authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            raise denied()
        parts = dict(p.strip().split("=", 1) for p in given.split(" ", 1)[1].split(","))
        key_id, _, scope = parts["Credential"].partition("/")
        signed = parts["SignedHeaders"].split(";")
        if key_id not in self.keys:
            raise denied("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        secret, token = self.keys[key_id]
        if scope.split("/")[1] != self.region:
            raise Reply(400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region is wrong",
                        extra=f"<Region>{self.region}</Region>")
        stamp = time.mktime(time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")) - time.timezone
        if abs(stamp - time.time() - self.clock) > SKEW:
            raise Reply(403, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too "
                        "large.")
        if token != request.headers.get("x-amz-security-token"):
            raise denied("ExpiredToken", "The provided token has expired.", 400)
        must = {"host"} | {n for n in request.headers if n.startswith("x-amz-")}
        if not must <= set(signed) or signed != sorted(signed):
            raise denied("AccessDenied", "There were headers present in the request which were not signed")
        if request.headers["x-amz-content-sha256"] != hashlib.sha256(request.body).hexdigest():
            raise Reply(400, "XAmzContentSHA256Mismatch", "The provided hash does not match")
        right = signature_of(request, signed, scope, secret)
        if S3SigV4Auth is None:
            self.unwitnessed += 1
        elif right != signature_by_botocore(request, signed, scope, secret, key_id):
            raise Reply(500, "WitnessDisagrees", "this peer and botocore compute different signatures")
        if parts["Signature"] != right:
            raise denied("SignatureDoesNotMatch", "The request signature we calculated does not match.")

    def store(self, request):
        if request.method == "PUT":
            with self._lock:
                request.stored = True
                self.versions.setdefault((request.bucket, request.key), []).append(request)

    def let_go(self, request):
        """The answer is about to go out, or never will: a further request for the object is in order."""
        with self._lock:
            self._under_way.discard((request.bucket, request.key))

    def serve(self, request):
        if request.bucket not in self.buckets:
            raise Reply(404, "NoSuchBucket", "The specified bucket does not exist")
        if len(request.key.encode()) > 1024:
            raise Reply(400, "KeyTooLongError", "Your key is too long")
        name = (request.bucket, request.key)
        if request.method == "PUT":
            self.store(request)
            self.let_go(request)
            return 200, {"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'}, b""
        if request.method == "DELETE":
            with self._lock:
                self.versions.pop(name, None)
            return 204, {}, b""
        if request.key:
            raise Reply(404, "NoSuchKey", "no objects are read in these tests")
        return 200, {"Content-Type": "application/xml"}, b"<ListBucketResult></ListBucketResult>"

    # ---- what is there

    def objects(self, bucket="shop"):
        """{key: bytes of the latest version}"""
        with self._lock:
            return {key: found[-1].body for (b, key), found in self.versions.items() if b == bucket}

    def stored_bodies(self, bucket="shop"):
        """Every version ever stored, in the order in which they were."""
        with self._lock:
            return [(r.key, r.body) for r in self.requests if r.stored and r.bucket == bucket]

    def count(self, method="PUT"):
        with self._lock:
            return sum(r.method == method for r in self.requests)
