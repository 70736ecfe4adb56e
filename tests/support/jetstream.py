"""The few JetStream requests that tests make, over a natswire.Client."""
import json

from tests.support.natsd import STREAM
from tests.support.natswire import ApiError

CONSUMER_NOT_FOUND = 10014
STREAM_NOT_FOUND = 10059


class JetStream:
    def __init__(self, client):
        self.client = client

    def call(self, what, body=None):
        """One $JS.API request; raises ApiError with the server's err_code."""
        payload = b"" if body is None else json.dumps(body).encode()
        answer = json.loads(self.client.request("$JS.API." + what, payload).payload)
        if "error" in answer:
            raise ApiError(answer["error"])
        return answer

    def create_stream(self, name=STREAM, subjects=("dbchange.>",), storage="file", **limits):
        """`limits` are further stream settings, such as max_msgs."""
        return self.call(f"STREAM.CREATE.{name}", {"name": name, "subjects": list(subjects),
                                                   "storage": storage, "retention": "limits", **limits})

    def delete_stream(self, name=STREAM):
        return self.call(f"STREAM.DELETE.{name}")

    def stream_info(self, name=STREAM):
        return self.call(f"STREAM.INFO.{name}")

    def messages(self, name=STREAM):
        """How many messages the stream holds."""
        return self.stream_info(name)["state"]["messages"]

    def last_seq(self, name=STREAM):
        return self.stream_info(name)["state"]["last_seq"]

    def purge(self, name=STREAM, **which):
        """Empty the stream; `seq=N` keeps N and later, `filter="subject"` limits it."""
        return self.call(f"STREAM.PURGE.{name}", which or None)["purged"]

    def consumers(self, name=STREAM):
        return self.call(f"CONSUMER.NAMES.{name}", {"offset": 0})["consumers"] or []

    def consumer_info(self, consumer, name=STREAM):
        """None when there is no such consumer, or none yet: a server that is just making it answers without it."""
        try:
            info = self.call(f"CONSUMER.INFO.{name}.{consumer}")
            return info if "config" in info else None
        except ApiError as e:
            if e.code in (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND):
                return None
            raise

    def create_consumer(self, consumer, name=STREAM, **config):
        body = {"stream_name": name, "config": {"durable_name": consumer, "ack_policy": "explicit", **config}}
        return self.call(f"CONSUMER.DURABLE.CREATE.{name}.{consumer}", body)

    def delete_consumer(self, consumer, name=STREAM):
        return self.call(f"CONSUMER.DELETE.{name}.{consumer}")["success"]

    def settled(self, consumer, name=STREAM):
        """True when everything for this consumer has been delivered and acknowledged."""
        info = self.consumer_info(consumer, name)
        return info is not None and info["num_pending"] == 0 and info["num_ack_pending"] == 0

    def pull(self, consumer, batch, name=STREAM, expires=2.0):
        """Take up to `batch` messages and acknowledge each."""
        taken = []
        with self.client.inbox() as (inbox, messages):
            self.client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{name}.{consumer}",
                                json.dumps({"batch": batch, "expires": int(expires * 1e9)}).encode(), reply=inbox)
            while len(taken) < batch:
                message = messages.next(expires + 1)
                if message is None or message.status:
                    break
                self.client.publish(message.reply, b"+ACK")
                taken.append(message)
            self.client.ping()
        return taken
