"""The HTTP machinery of the HQ stand-in: reading requests, sending answers, going down and up on one port."""
import gzip
import http.server
import socket
import socketserver
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Request:
    method: str
    path: str               # without the query
    query: str
    headers: object         # as received; lookups ignore case
    body: bytes
    at: float = field(default_factory=time.monotonic)
    status: int = 0         # what was answered


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _serve(self):
        path, _, query = self.path.partition("?")
        try:
            request = Request(self.command, path, query, self.headers, self._body())
        except (ValueError, OSError) as e:
            self.server.hq.complain(f"{self.command} {path}: unreadable body: {e}")
            self.close_connection = True
            return
        answer = self.server.hq.answer(request)
        if answer is None:      # went down meanwhile
            self.close_connection = True
            return
        status, body, headers = answer
        request.status = status
        length = getattr(body, "announced", None) or len(body)
        if length == len(body) > 1000 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
            length = len(body)
        if length != len(body):
            self.close_connection = True    # in the middle of it
        try:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(length)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True    # the client left; its business

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

    def log_message(self, *_):
        pass


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hq, listener, tls=None):
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self._tls = tls
        self.socket, self.hq = listener, hq
        self.server_name, self.server_port = listener.getsockname()
        self._open, self._lock = set(), threading.Lock()
        self.server_activate()

    def get_request(self):
        request, address = super().get_request()
        if self._tls:       # the handshake is for the connection's own thread, at its first read
            request = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        return request, address

    def process_request(self, request, client_address):
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass            # a client that vanishes in mid-request is nothing to report

    def cut(self):
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass        # already closed by the other side


class HttpFace:
    """Owns the port.  While down, connections are refused but nobody else can take the port.

    `hq` answers: answer(request) gives (status, body, headers), or None to break the connection off.
    """

    def __init__(self, hq, port=0, tls=None):
        self._hq, self._tls = hq, tls
        self._server = None
        self._reserve(port)
        self.port = self._listener.getsockname()[1]

    def _reserve(self, port):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))

    def up(self):
        if self._server is None:
            self._server = _Server(self._hq, self._listener, self._tls)
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self):
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()
            server.cut()
            self._reserve(self.port)

    def close(self):
        self.down()
        self._listener.close()
