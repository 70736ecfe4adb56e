"""Stand-ins for the services that give AWS credentials: STS, the container's endpoint, and an instance's metadata.

Each gives out keys that its S3Peer accepts until their time is over, and is as strict as the real one.
"""
import datetime
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROLE = "arn:aws:iam::123456789012:role/eds"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        status, text = self.server.peer.answer(self.command, self.path, self.headers, body)
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = _serve


class AwsPeer:
    """given: how many times credentials were given out; `down`: no service answers properly."""

    def __init__(self, s3, life=3600.0):
        self.s3, self.life, self.down, self.given, self.asked = s3, life, False, 0, []
        self.container_token, self.web_token = "container-t0ken", "web-t0ken"
        self._session, self._lock = "imds-t0ken", threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads, self._server.peer = True, self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _new_keys(self):
        """Further keys; those before are refused as soon as their time is over."""
        with self._lock:
            self.given += 1
            key, secret, token = f"ASIA{self.given}", f"temporary/{self.given}+", f"token/{self.given}=="
            self.s3.keys[key] = (secret, token)
        threading.Timer(self.life, self._expire, (key, secret)).start() if self.life < 60 else None
        end = datetime.datetime.fromtimestamp(time.time() + self.life, datetime.timezone.utc)
        return key, secret, token, end.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _expire(self, key, secret):
        self.s3.keys[key] = (secret, "over")        # whatever token comes with it has expired

    def secrets(self):
        """What must not be seen anywhere."""
        return [self.container_token, self.web_token, self._session,
                *(s for secret, token in self.s3.keys.values() for s in (secret, token) if s and s != "over")]

    def answer(self, method, target, headers, body):
        path, _, _ = target.partition("?")
        self.asked.append(f"{method} {path}")
        if self.down:
            return 503, "out of order"
        if path == "/container":
            return self._container(headers)
        if path.startswith("/latest/"):
            return self._instance(method, path, headers)
        return self._sts(method, headers, urllib.parse.parse_qs(body, strict_parsing=True))

    def _json(self, **more):
        key, secret, token, end = self._new_keys()
        return 200, json.dumps({"AccessKeyId": key, "SecretAccessKey": secret, "Token": token, "Expiration": end, **more})

    def _container(self, headers):
        if headers.get("Authorization") != self.container_token:
            return 401, "no token, or a wrong one"
        return self._json()

    def _instance(self, method, path, headers):
        if path == "/latest/api/token":
            seconds = headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
            if method != "PUT" or not seconds.isdigit() or not 1 <= int(seconds) <= 21600 or "X-Forwarded-For" in headers:
                return 400, ""
            return 200, self._session
        if headers.get("X-aws-ec2-metadata-token") != self._session:
            return 401, "IMDSv2 wants a token"
        roles = "/latest/meta-data/iam/security-credentials/"
        if method == "GET" and path == roles:
            return 200, "eds-role"
        return self._json(Code="Success", Type="AWS-HMAC") if method == "GET" and path == roles + "eds-role" else (404, "")

    def _sts(self, method, headers, form):
        asked = {n: v[0] for n, v in form.items()}
        action = asked.get("Action")
        allowed = {"AssumeRoleWithWebIdentity": asked.get("WebIdentityToken") == self.web_token,
                   "AssumeRole": "/sts/aws4_request" in headers.get("Authorization", "")}.get(action)
        if method != "POST" or asked.get("Version") != "2011-06-15" or asked.get("RoleArn") != ROLE or not allowed:
            return 403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        key, secret, token, end = self._new_keys()
        return 200, (f"<{action}Response><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId>"
                     f"<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
                     f"<Expiration>{end}</Expiration></Credentials></{action}Result></{action}Response>")
