"""HQ's side of the NATS control channel: sends notifications, collects heartbeats and answers."""
import gzip
import json
import threading

from tests.support.heartbeat import HeartbeatCheck
from tests.support.natswire import NatsError
from tests.support.proc import wait_until


class HqControl:
    """Keeps an unrestricted connection, through restarts of the nats-server."""

    def __init__(self, nats):
        self._nats = nats
        self.heartbeats = HeartbeatCheck()
        self.answers = []               # every other message to eds.client.>
        self._client = None
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._keep_connected, daemon=True)
        self._thread.start()

    def _keep_connected(self):
        while not self._stop.is_set():
            try:
                client = self._nats.connect(name="hq")
                client.subscribe("eds.client.>", self._take)
                client.ping()
            except (NatsError, OSError):
                self._stop.wait(0.1)    # the server is down; tests do that
                continue
            self._client = client
            self._ready.set()
            client.wait_closed()
            self._ready.clear()
            client.close()

    def _take(self, message):
        if message.subject.endswith(".heartbeat"):
            self.heartbeats.feed(message)
        else:
            self.answers.append(message)

    def client(self, timeout=10):
        if not self._ready.wait(timeout):
            raise NatsError("the HQ stand-in has no connection to the nats-server")
        return self._client

    def notify(self, session_id, action, data=None, encoding=None, reply=False, timeout=20):
        """Send {"action", "data"} to a session; with `reply`, returns the decoded JSON reply."""
        body = {"action": action} if data is None else {"action": action, "data": data}
        payload, headers = json.dumps(body).encode(), None
        if encoding == "gzip/json":
            payload, headers = gzip.compress(payload), {"content-encoding": encoding}
        subject = f"eds.notify.{session_id}.{action}"
        if reply:
            return json.loads(self.client().request(subject, payload, headers, timeout).payload)
        self.client().publish(subject, payload, headers)
        return None

    def wait_answer(self, kind, timeout=20):
        """The first message whose subject ends with `kind`, such as "restart-response"; it is taken out."""
        def look():
            for message in list(self.answers):
                if message.subject.endswith("." + kind):
                    self.answers.remove(message)
                    return message
            return None
        return wait_until(look, f"the answer {kind} on the control channel", timeout)

    def close(self):
        self._stop.set()
        if self._client:
            self._client.close()
        self._thread.join(5)
