"""A TCP link that can be cut, refused, or left standing without carrying anything."""
import socket
import threading

from tests.support import proc


class Proxy:
    """Forwards a loopback port of its own to another; for use with `with`."""

    def __init__(self, port, scheme="nats"):
        self._target = ("127.0.0.1", port)
        self._lock = threading.Lock()
        self._pairs = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        self._losing = None         # the socket side whose bytes vanish
        self.accepted = self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return      # closed
            try:
                if self._refusing:
                    raise ConnectionRefusedError
                outer = socket.create_connection(self._target, 5)
                outer.settimeout(None)
            except OSError:
                inner.close()
                continue
            with self._lock:
                self._pairs.add((inner, outer))
                self.accepted += 1
            for a, b in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._carry, args=(a, b, (inner, outer)), daemon=True).start()

    def _carry(self, source, sink, pair):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                self._flowing.wait()
                if self._losing is not None and (source is pair[0]) == (self._losing == "sent"):
                    self.lost += len(data)
                    continue
                sink.sendall(data)
        except OSError:
            pass            # the other direction ended it
        self._end(pair)

    def _end(self, pair):
        with self._lock:
            self._pairs.discard(pair)
        for each in pair:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass        # already
            each.close()

    def links(self):
        with self._lock:
            return len(self._pairs)

    def cut(self):
        """End every connection; the next ones work."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._end(pair)

    def refuse(self, refusing=True):
        """Cut, and let no connection through until told otherwise."""
        self._refusing = refusing
        if refusing:
            self.cut()

    def stall(self, stalled=True):
        """Carry nothing, without ending anything."""
        self._flowing.clear() if stalled else self._flowing.set()

    def lose(self, which):
        """From now on bytes vanish on the way: those that the client has "sent", or "received".

        A stream with a hole in it is of no use to either side, so cut() must follow.
        """
        self._losing = which

    def cut_after_loss(self):
        """End what lost bytes; the next connections are whole."""
        self._refusing = True
        self.cut()
        self._losing, self._refusing = None, False

    def wait_link(self, timeout=20.0):
        proc.wait_until(self.links, "a connection through the proxy", timeout)

    def close(self):
        self._flowing.set()
        self._listener.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
