"""Event Hubs' REST interface, strict: what the service would refuse is refused, and what it stored is kept.

A test says with `script` what happens to the next requests: a status, (status, headers), "hang", "cut"
(nothing is stored), "cut-after" (it is stored, but nobody hears of it) or "together" (as many requests as
`together` says have to be under way at a time).
"""
import base64
import hashlib
import hmac
import json
import re
import ssl
import threading
import time
import urllib.parse
from collections import deque
from dataclasses import dataclass

from tests.support.hq_http import HttpFace
from tests.support.natsd import make_certificates

BATCH = "application/vnd.microsoft.servicebus.json"
NAMESPACE, HUB, POLICY = "shop.servicebus.windows.net", "eds-hub", "send"
KEY = "a2V5K3dpdGgvc2lnbnMrYW5kL3NsYXNoZXM+/8="
LARGEST = 1046528
LONGEST_TOKEN_S = 2 * 3600


@dataclass(frozen=True)
class Stored:
    partition_key: str
    message_id: str
    object_id: str
    content_type: str       # None in a batch, which cannot carry it
    body: bytes


class EventHubPeer:
    def __init__(self, folder, key=KEY, largest=LARGEST):
        self.ca, cert, private = make_certificates(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, private)
        self.key, self.largest = key, largest
        self.script, self.stored, self.violations, self.statuses = deque(), [], [], []
        self.tokens = set()
        self.let_go = threading.Event()     # what hangs does so until then
        self.together = threading.Barrier(4, timeout=20)
        self._lock, self._under_way, self.most_under_way = threading.Lock(), {}, 0
        self.face = HttpFace(self, tls=context)
        self.face.up()

    def url(self, options="", key=None, hub=HUB):
        return (f"eventhub://{NAMESPACE}/;SharedAccessKeyName={POLICY};SharedAccessKey={key or self.key};EntityPath={hub}"
                f"?transport=https&endpoint=127.0.0.1:{self.face.port}&ca={self.ca}{options}")

    def close(self):
        self.let_go.set()
        self.face.close()

    def complain(self, text):
        """A request that breaks off is what the test ordered, or a worker that was killed."""

    def wrong(self, text):
        self.violations.append(text)
        return 400, text.encode(), {}

    # ---- one request

    def answer(self, request):
        refused = self._refuse(request)
        if refused:
            self.statuses.append(refused[0])
            return refused
        if request.body == b"[]":
            return 400, b"an empty batch", {}
        events = self._events(request)
        if isinstance(events, tuple):
            return events
        with self._lock:
            order = self.script.popleft() if self.script else 201
            keys = {e.partition_key for e in events}
            if keys & set(self._under_way):
                self.violations.append("two requests of one partition key at a time")
            self._under_way.update(dict.fromkeys(keys))
            self.most_under_way = max(self.most_under_way, len(self._under_way))
        try:
            return self._obey(order, events)
        finally:
            with self._lock:
                for key in keys:
                    self._under_way.pop(key, None)

    def _obey(self, order, events):
        if order == "hang":
            self.let_go.wait()
        if order in ("hang", "cut"):
            return None
        if order == "together":
            self.together.wait()
            order = 201
        status, headers = order if isinstance(order, tuple) else (order, {})
        if order == "cut-after" or status == 201:
            with self._lock:
                self.stored += events
        if order == "cut-after":
            return None
        self.statuses.append(status)
        return status, b"", headers

    def _refuse(self, request):
        """What is looked at before the body: who, where, how large."""
        if request.path != f"/{HUB}/messages":
            return 404, b"no such hub", {}
        status = self._check_token(request.headers.get("Authorization", ""))
        if status:
            return status, b"", {}
        if request.method != "POST" or dict(urllib.parse.parse_qsl(request.query)) != {
                "timeout": "60", "api-version": "2014-01"}:
            return self.wrong(f"{request.method} with the query {request.query}")
        if len(request.body) > self.largest:
            return 413, b"", {}
        return None

    def _check_token(self, text):
        found = re.fullmatch(r"SharedAccessSignature sr=([^&]+)&sig=([^&]+)&se=(\d+)&skn=([^&]+)", text)
        if found is None:
            return 401
        resource, signature, expiry, policy = found.groups()
        if urllib.parse.unquote(resource) != f"https://{NAMESPACE}/{HUB}":
            return 401
        mac = hmac.new(self.key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
        left = int(expiry) - time.time()
        if urllib.parse.unquote(signature) != base64.b64encode(mac).decode() or policy != POLICY or left < 0:
            return 401
        if left > LONGEST_TOKEN_S:
            self.violations.append(f"a token for {left:.0f} s")
        self.tokens.add(text)
        return None

    def _events(self, request):
        kind = request.headers.get("Content-Type", "")
        if kind.split(";")[0] == BATCH:
            return self._batch(request.body)
        if kind != "application/json":
            return self.wrong(f"content type {kind}")
        broker = json.loads(request.headers["BrokerProperties"])
        json.loads(request.body)
        return [Stored(broker["PartitionKey"], broker["MessageId"], request.headers["objectId"], kind, request.body)]

    def _batch(self, body):
        try:
            entries = json.loads(body)
            events = [Stored(e["BrokerProperties"]["PartitionKey"], e["BrokerProperties"]["MessageId"],
                             e["UserProperties"]["objectId"], None, e["Body"].encode()) for e in entries]
            for entry in entries:
                if set(entry) != {"Body", "UserProperties", "BrokerProperties"}:
                    return self.wrong(f"members {set(entry)}")
        except (ValueError, KeyError, AttributeError) as e:
            return self.wrong(f"a batch that cannot be read: {e!r}")
        if len({e.partition_key for e in events}) != 1:
            return self.wrong("a batch of several partition keys")
        return events
