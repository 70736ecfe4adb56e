"""A small NATS client for tests: its own sockets, so that it shares no code with what it tests.

One reader thread per connection sorts what arrives into subscriptions.  Errors
that the server reports (-ERR) are kept in `errors`; check() raises them.
"""
import json
import queue
import select
import socket
import ssl
import threading
import time
import uuid
from dataclasses import dataclass

from tests.support import nkeys


class NatsError(Exception):
    """The server said no, or is not there."""


class ApiError(NatsError):
    """A JetStream request was refused; `code` is the server's err_code."""

    def __init__(self, error):
        super().__init__(f"{error.get('description')} (code {error.get('code')}, {error.get('err_code')})")
        self.code = error.get("err_code")


@dataclass
class Message:
    subject: str
    reply: str
    header: bytes           # the whole header block, b"" without one
    payload: bytes

    @property
    def headers(self):
        lines = self.header.decode(errors="replace").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if ":" in line)
        return {name: value.strip() for name, _, value in pairs}

    @property
    def status(self):
        """The number of a status message such as 408, else 0."""
        words = self.header.split(b"\r\n", 1)[0].split()
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


class Subscription:
    def __init__(self, client, sid, callback):
        self._client, self._sid = client, sid
        self._queue = queue.SimpleQueue()
        if callback:
            threading.Thread(target=self._call, args=(callback,), daemon=True).start()

    def _call(self, callback):
        while True:
            message = self._queue.get()
            if message is None:
                return
            callback(message)

    def _put(self, message):
        self._queue.put(message)

    def next(self, timeout=5.0):
        """The next message; None when none came in time or the connection is gone."""
        try:
            message = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            self._queue.put(None)       # stays at its end
        return message

    def unsubscribe(self):
        self._client._drop(self._sid)
        self._queue.put(None)


def _header_block(headers):
    if isinstance(headers, bytes):
        return headers
    return ("NATS/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode()


def frame(subject, payload, headers=None, reply=""):
    """The bytes of one publish."""
    reply = " " + reply if reply else ""
    if headers:
        block = _header_block(headers)
        return b"".join((f"HPUB {subject}{reply} {len(block)} {len(block) + len(payload)}\r\n".encode(),
                         block, payload, b"\r\n"))
    return b"".join((f"PUB {subject}{reply} {len(payload)}\r\n".encode(), payload, b"\r\n"))


def _mark_last(items):
    """(item, is it the last) of any iterable."""
    nothing = held = object()
    for item in items:
        if held is not nothing:
            yield held, False
        held = item
    if held is not nothing:
        yield held, True


class Client:
    def __init__(self, url, creds=None, ca_path=None, name="laboratory", timeout=10.0):
        scheme, _, host = url.partition("://")
        host, _, port = host.rstrip("/").rpartition(":")
        self.timeout = timeout
        self.errors = []
        self._tls = scheme == "tls" or ca_path is not None
        self._write_lock = threading.Lock()
        self._lock = threading.Lock()
        self._subscriptions, self._next_sid = {}, 1
        self._pongs = queue.SimpleQueue()
        self._ping_lock = threading.Lock()
        self._closed = threading.Event()
        self._socket = socket.create_connection((host, int(port)), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = b""
        try:
            self.info = json.loads(self._line()[5:])
            if self._tls:
                context = ssl.create_default_context(cafile=ca_path)
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
            self._login(creds, name)
        except BaseException:
            self._socket.close()
            raise
        self._reader = threading.Thread(target=self._read_all, daemon=True)
        self._reader.start()

    # ---- connecting

    def _line(self):
        while b"\r\n" not in self._input:
            more = self._socket.recv(65536)
            if not more:
                raise NatsError("the server closed the connection during login")
            self._input += more
        line, self._input = self._input.split(b"\r\n", 1)
        return line

    def _login(self, creds, name):
        options = {"verbose": False, "pedantic": False, "protocol": 1, "lang": "python", "version": "1",
                   "name": name, "headers": True, "no_responders": True, "echo": True}
        if creds:
            token, key = nkeys.read_creds(creds)
            options["jwt"] = token
            options["sig"] = nkeys.b64url(key.sign(self.info["nonce"].encode()))
        self._socket.sendall(b"CONNECT " + json.dumps(options).encode() + b"\r\nPING\r\n")
        while True:
            line = self._line()
            if line == b"PONG":
                return
            if line.startswith(b"-ERR"):
                raise NatsError("login refused: " + line.decode())

    # ---- reading

    def _receive(self):
        """Some bytes, b"" at the end.  A TLS object must not be read and written at once."""
        if not self._tls:
            return self._socket.recv(1 << 18)
        while not self._closed.is_set():
            if not self._socket.pending() and not select.select([self._socket], [], [], 0.2)[0]:
                continue
            with self._write_lock:
                self._socket.settimeout(0)
                try:
                    return self._socket.recv(1 << 18)
                except (ssl.SSLWantReadError, BlockingIOError):
                    pass
        return b""

    def _read_all(self):
        data = bytearray(self._input)
        try:
            if not self._tls:
                self._socket.settimeout(None)
            while True:
                used = self._take(data)
                del data[:used]
                more = self._receive()
                if not more:
                    break
                data += more
        except (OSError, ValueError, NatsError) as e:
            if not self._closed.is_set():
                self.errors.append(f"connection lost: {e}")
        self._closed.set()
        self._pongs.put(None)
        with self._lock:
            for subscription in self._subscriptions.values():
                subscription._put(None)

    def _take(self, data):
        """Handle every complete protocol item in `data`; returns how many bytes they were."""
        at = 0
        while True:
            end = data.find(b"\r\n", at)
            if end < 0:
                return at
            line = bytes(data[at:end])
            if line.startswith((b"MSG ", b"HMSG ")):
                words = line.decode().split()
                header_size = int(words[-2]) if words[0] == "HMSG" else 0
                size, body = int(words[-1]), end + 2
                if len(data) < body + size + 2:
                    return at
                reply = words[3] if len(words) == (6 if words[0] == "HMSG" else 5) else ""
                with self._lock:
                    subscription = self._subscriptions.get(int(words[2]))
                if subscription:
                    subscription._put(Message(words[1], reply, bytes(data[body:body + header_size]),
                                              bytes(data[body + header_size:body + size])))
                at = body + size + 2
                continue
            if line == b"PING":
                self._send(b"PONG\r\n")
            elif line == b"PONG":
                self._pongs.put(True)
            elif line.startswith(b"-ERR"):
                self.errors.append(line[4:].decode(errors="replace").strip().strip("'"))
            at = end + 2

    # ---- writing

    def _send(self, data):
        if self._closed.is_set():
            raise NatsError("not connected" + ("; " + self.errors[-1] if self.errors else ""))
        try:
            with self._write_lock:
                if self._tls:
                    self._socket.settimeout(self.timeout)
                self._socket.sendall(data)
        except OSError as e:
            raise NatsError(f"cannot write to the NATS server: {e}") from e

    def check(self):
        """Raise what the server has complained about since the last call."""
        errors, self.errors = self.errors, []
        if errors:
            raise NatsError("; ".join(errors))

    def ping(self):
        """Wait until the server has taken everything sent so far."""
        with self._ping_lock:
            self._send(b"PING\r\n")
            try:
                answer = self._pongs.get(timeout=self.timeout)
            except queue.Empty:
                raise NatsError(f"no PONG within {self.timeout:g} s") from None
            if answer is None:
                self._pongs.put(None)
                raise NatsError("connection lost" + ("; " + self.errors[-1] if self.errors else ""))

    def publish(self, subject, payload, headers=None, reply=""):
        self._send(frame(subject, payload, headers, reply))

    def publish_many(self, messages, stored=True, lot=2000):
        """Publish (subject, payload[, headers]) tuples; returns how many.

        With `stored`, every lot ends with a message whose acknowledgement by the
        stream is awaited: a stream drops what comes in faster than it can store.
        """
        chunk, size, count = [], 0, 0
        with self.inbox() as (inbox, answers):
            for item, last in _mark_last(messages):
                count += 1
                ask = stored and (last or count % lot == 0)
                chunk.append(frame(*item, reply=inbox if ask else ""))
                size += len(chunk[-1])
                if ask or last or size >= 1 << 18:
                    self._send(b"".join(chunk))
                    chunk, size = [], 0
                if ask:
                    self._stored(answers)
            self.ping()
        self.check()
        return count

    def _stored(self, answers):
        answer = answers.next(self.timeout)
        self.check()
        if answer is None or answer.status == 503:
            raise NatsError("no stream acknowledged the published message")
        result = json.loads(answer.payload)
        if "error" in result:
            raise ApiError(result["error"])
        return result["seq"]

    def publish_stored(self, subject, payload, headers=None):
        """Publish one message and return its sequence in the stream."""
        with self.inbox() as (inbox, answers):
            self.publish(subject, payload, headers, inbox)
            return self._stored(answers)

    # ---- subscriptions

    def subscribe(self, subject, callback=None):
        with self._lock:
            sid, self._next_sid = self._next_sid, self._next_sid + 1
            subscription = self._subscriptions[sid] = Subscription(self, sid, callback)
        self._send(f"SUB {subject} {sid}\r\n".encode())
        return subscription

    def _drop(self, sid):
        with self._lock:
            self._subscriptions.pop(sid, None)
        if not self._closed.is_set():
            self._send(f"UNSUB {sid}\r\n".encode())

    def inbox(self):
        return _Inbox(self)

    def request(self, subject, payload=b"", headers=None, timeout=None):
        """The answer to one message; NatsError when nobody answers."""
        with self.inbox() as (inbox, answers):
            self.publish(subject, payload, headers, inbox)
            deadline = time.monotonic() + (timeout or self.timeout)
            while True:
                answer = answers.next(max(0.0, min(0.2, deadline - time.monotonic())))
                self.check()
                if answer is not None and answer.status == 503:
                    raise NatsError(f"nobody answers requests on {subject}")
                if answer is not None:
                    return answer
                if self._closed.is_set() or time.monotonic() >= deadline:
                    raise NatsError(f"no answer on {subject}")

    def connected(self):
        return not self._closed.is_set()

    def wait_closed(self, timeout=None):
        """True as soon as the connection is gone."""
        return self._closed.wait(timeout)

    def close(self):
        self._closed.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass        # the server was faster
        self._reader.join(5)
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Inbox:
    """with client.inbox() as (subject, subscription): a private place for answers."""

    def __init__(self, client):
        self._client = client

    def __enter__(self):
        subject = "_INBOX." + uuid.uuid4().hex
        self._subscription = self._client.subscribe(subject)
        return subject, self._subscription

    def __exit__(self, *_):
        self._subscription.unsubscribe()
