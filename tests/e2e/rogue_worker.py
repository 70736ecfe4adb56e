#!/usr/bin/python3
"""A worker that is up to no good, for use as `worker_program`.

It stands between eds and a real worker (EDS_REAL_WORKER) and passes everything
on, so that well-meant destinations work.  For a destination whose URL says
`rogue=WAY` it stops doing so, once the real worker is ready, and misbehaves.
With EDS_ROGUE_HELLO it claims to speak protocol version 7 only, with EDS_ROGUE_LAWLESS it
says nothing of rules, as one from before there were any.
"""
import os
import select
import socket
import struct
import subprocess
import sys

import msgpack

HELLO, GOODBYE, CONFIGURE, EVENTS, READY, CREDIT, COMMITTED, REJECTED, LOG = 1, 2, 10, 11, 30, 31, 32, 33, 36
MOST = 1 << 64


def frame(number, body):
    data = msgpack.packb([number, body], use_bin_type=True)
    return struct.pack(">I", len(data)) + data


def raw(data):
    return struct.pack(">I", len(data)) + data


WAYS = {
    "noise": lambda: b"\xff" * 64,
    "empty": lambda: raw(b""),
    "no-msgpack": lambda: raw(b"\xc1\xc1\xc1"),
    "no-array": lambda: raw(msgpack.packb({"a": 1})),
    "trailing": lambda: raw(msgpack.packb([READY, {}]) + b"\x00"),
    "unknown-number": lambda: frame(99, {}),
    "wrong-side": lambda: frame(EVENTS, {"list": []}),
    "missing-field": lambda: frame(COMMITTED, {"seq": 1}),
    "wrong-type": lambda: frame(CREDIT, {"events": "many", "bytes": 1}),
    "negative": lambda: frame(CREDIT, {"events": -1, "bytes": 1}),
    "second-hello": lambda: frame(HELLO, {"protocol_min": 1, "protocol_max": 1, "version": "0", "program": "rogue"}),
    "second-ready": lambda: frame(READY, {"driver": "rogue", "credit_events": 1, "credit_bytes": 1, "wants_schema": False}),
    "endless-credit": lambda: frame(CREDIT, {"events": MOST - 1, "bytes": MOST - 1}),
    "commit-not-sent": lambda: frame(COMMITTED, {"seq": 1 << 40, "events": 1, "bytes": 1, "flush_us": 1, "process_us": 1}),
    "reject-not-sent": lambda: frame(REJECTED, {"seq": 1 << 40, "reason": "because", "attempts": 1, "payload": b"",
                                                "subject": "s"}),
    "bad-utf8": lambda: raw(b"\x92" + msgpack.packb(LOG) + b"\x83\xa5level\x02\xa6prefix\xa0\xa4text\xa2\xff\xfe"),
    "too-deep": lambda: raw(b"\x92" + msgpack.packb(LOG) + b"\x81\xa4text" + b"\x91" * 5000 + b"\xc0"),
    "half-a-frame": lambda: struct.pack(">I", 1000) + b"\x92\x20",
    "large-announcement": lambda: struct.pack(">I", 60 << 20) + b"\x92",
}
ENDS = {"half-a-frame"}         # and then the process ends
DEAF = {"closed", "large-announcement"}     # and then nothing more, for ever


class Frames:
    """Cuts a byte stream into whole frames."""

    def __init__(self):
        self._bytes = b""

    def feed(self, data):
        self._bytes += data
        while len(self._bytes) >= 4:
            size = 4 + struct.unpack(">I", self._bytes[:4])[0]
            if len(self._bytes) < size:
                return
            whole, self._bytes = self._bytes[:size], self._bytes[size:]
            yield whole


def number_and_body(whole):
    return msgpack.unpackb(whole[4:], raw=False, unicode_errors="replace")


def misbehave(way, supervisor):
    if way in WAYS:
        supervisor.sendall(WAYS[way]())
    if way == "closed":
        supervisor.close()
        os.close(3)
    if way in ENDS:
        sys.exit(0)
    if way in DEAF:
        while True:
            select.select([], [], [])


def relay(supervisor, worker):
    frames = {supervisor: Frames(), worker: Frames()}
    way = None
    while True:
        for source in select.select([supervisor, worker], [], [])[0]:
            data = source.recv(1 << 16)
            if not data:
                return
            for whole in frames[source].feed(data):
                number, body = number_and_body(whole)
                if number == CONFIGURE:
                    way = body["url"].partition("rogue=")[2] or None
                if way == "silent" and source is worker:
                    continue        # says nothing after its HELLO
                if number == HELLO and source is worker and "EDS_ROGUE_HELLO" in os.environ:
                    whole = frame(HELLO, {**body, "protocol_min": 7, "protocol_max": 7})
                if number == READY and "EDS_ROGUE_LAWLESS" in os.environ:
                    whole = frame(READY, {k: v for k, v in body.items() if k != "rules"})
                (worker if source is supervisor else supervisor).sendall(whole)
                if number == READY and way:
                    misbehave(way, supervisor)


def main():
    supervisor = socket.socket(fileno=os.dup(3))
    supervisor.setblocking(True)
    ours, theirs = socket.socketpair()

    def give_socket():
        os.dup2(theirs.fileno(), 3)
        os.set_inheritable(3, True)

    os.set_inheritable(3, False)
    child = subprocess.Popen([os.environ["EDS_REAL_WORKER"]], executable=os.environ["EDS_REAL_WORKER"],
                             close_fds=False, preexec_fn=give_socket)
    theirs.close()
    try:
        relay(supervisor, ours)
    except OSError:
        pass            # one of them is gone
    ours.close()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
