"""Is a heartbeat the one that HQ expects, byte for byte?  (contract/nats.md section 10)"""
import re
import struct

METRICS = ("flushCount", "flushDuration", "processingDuration", "pendingEvents", "totalEvents")
MEMORY = ("total", "available", "used", "usedPercent", "free", "active", "inactive", "wired", "laundry", "buffers",
          "cached", "writeBack", "dirty", "writeBackTmp", "shared", "slab", "sreclaimable", "sunreclaim", "pageTables",
          "swapCached", "commitLimit", "committedAS", "highTotal", "highFree", "lowTotal", "lowFree", "swapTotal",
          "swapFree", "mapped", "vmallocTotal", "vmallocUsed", "vmallocChunk", "hugePagesTotal", "hugePagesFree",
          "hugePagesRsvd", "hugePagesSurp", "hugePageSize", "anonHugePages")
LOAD = ("load1", "load5", "load15")
HEADER = re.compile(rb"NATS/1\.0\r\nNats-Msg-Id: ([0-9a-f]{16})\r\ncontent-encoding: msgpack\r\n\r\n")


class Wrong(ValueError):
    """The payload is not encoded as it must be; the text says where."""


class Reader:
    """Takes msgpack values off a byte string and insists on the one encoding allowed for each."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise Wrong(f"ends at byte {len(self.data)} in the middle of a value")
        self.at += count
        return self.data[self.at - count:self.at]

    def lead(self, wanted, what):
        found = self.take(1)[0]
        if found != wanted:
            raise Wrong(f"{what} starts with 0x{found:02x} instead of 0x{wanted:02x} at byte {self.at - 1}")

    def map(self, size, what):
        if size < 16:
            self.lead(0x80 | size, what)
        else:
            self.lead(0xDE, what)
            if struct.unpack(">H", self.take(2))[0] != size:
                raise Wrong(f"{what} does not have {size} members")

    def text(self, what):
        first = self.take(1)[0]
        if first >> 5 == 5:
            size, least = first & 31, 0
        elif first in (0xD9, 0xDA):
            width = first - 0xD8
            size, least = int.from_bytes(self.take(width), "big"), 32 if width == 1 else 256
        else:
            raise Wrong(f"{what} is not text but starts with 0x{first:02x}")
        if size < least:
            raise Wrong(f"{what} has a longer length than it needs")
        return self.take(size).decode()

    def key(self, wanted):
        found = self.text(f"key {wanted}")
        if found != wanted:
            raise Wrong(f"key {found!r} stands where {wanted!r} belongs")

    def int64(self, what):
        self.lead(0xD3, what)
        return struct.unpack(">q", self.take(8))[0]

    def uint64(self, what):
        self.lead(0xCF, what)
        return struct.unpack(">Q", self.take(8))[0]

    def float64(self, what):
        self.lead(0xCB, what)
        return struct.unpack(">d", self.take(8))[0]

    def time(self, what):
        """(seconds, nanoseconds) of a timestamp extension in its shortest form."""
        first = self.take(1)[0]
        if first == 0xD6 and self.take(1) == b"\xff":
            return struct.unpack(">I", self.take(4))[0], 0
        if first == 0xD7 and self.take(1) == b"\xff":
            both = struct.unpack(">Q", self.take(8))[0]
            seconds, nanoseconds = both & (1 << 34) - 1, both >> 34
            if nanoseconds == 0 and seconds < 1 << 32:
                raise Wrong(f"{what} is longer than it needs")
            return seconds, nanoseconds
        raise Wrong(f"{what} is no timestamp of this century")


def decode(payload):
    """The heartbeat as a dict; Wrong when any byte is not what it must be."""
    r, beat = Reader(payload), {}
    first = payload[:1]
    if first not in (b"\x84", b"\x85"):
        raise Wrong(f"payload starts with {first!r}, not with a map of 4 or 5")
    paused = r.take(1) == b"\x85"
    r.key("sessionId")
    beat["sessionId"] = r.text("sessionId")
    for name in ("offset", "uptime"):
        r.key(name)
        beat[name] = r.int64(name)
    r.key("stats")
    r.map(3, "stats")
    stats = beat["stats"] = {}
    for group, names in (("metrics", METRICS), ("memory", MEMORY), ("load", LOAD)):
        r.key(group)
        r.map(len(names), group)
        values = stats[group] = {}
        for name in names:
            r.key(name)
            whole = group == "memory" and name != "usedPercent"
            values[name] = r.uint64(name) if whole else r.float64(name)
    if paused:
        r.key("paused")
        beat["paused"] = r.time("paused")
    if r.at != len(payload):
        raise Wrong(f"{len(payload) - r.at} bytes follow the heartbeat")
    return beat


def implausible(beat):
    """What in a well-formed heartbeat cannot be true."""
    memory, load, metrics = (beat["stats"][k] for k in ("memory", "load", "metrics"))
    rules = [
        (beat["offset"] >= 0 and beat["uptime"] >= 0, "offset or uptime is negative"),
        (memory["total"] > 1 << 20 or not any(memory.values()), "memory.total is not in bytes"),
        (memory["available"] <= memory["total"], "more memory available than there is"),
        (memory["used"] == memory["total"] - memory["available"], "memory.used is not total - available"),
        (abs(memory["usedPercent"] - 100 * memory["used"] / max(1, memory["total"])) < 1e-6,
         "memory.usedPercent is not used / total * 100"),
        (all(0 <= v < 1e5 for v in load.values()), "a load figure is out of range"),
        (all(v >= 0 and v == int(v) for v in metrics.values()), "a metric is not a count"),
        (metrics["pendingEvents"] == 0, "metrics.pendingEvents is not 0"),
    ]
    return [text for holds, text in rules if not holds]


class HeartbeatCheck:
    """feed() every message on eds.client.*.heartbeat; `violations` collects what is wrong with them."""

    def __init__(self):
        self.beats, self.violations = [], []
        self._ids, self._last = set(), {}

    def feed(self, message):
        sid = message.subject.split(".")[2]
        try:
            self._check(sid, message)
        except (Wrong, UnicodeDecodeError) as e:
            self._complain(sid, str(e))

    def _complain(self, sid, text):
        self.violations.append(f"heartbeat of session {sid}: {text}")

    def _check(self, sid, message):
        found = HEADER.fullmatch(message.header)
        if found is None:
            self._complain(sid, f"header block is {message.header!r}")
        elif found.group(1) in self._ids:
            self._complain(sid, f"Nats-Msg-Id {found.group(1).decode()} came twice")
        else:
            self._ids.add(found.group(1))
        beat = decode(message.payload)
        for text in implausible(beat):
            self._complain(sid, text)
        if beat["sessionId"] != sid:
            self._complain(sid, f"sessionId is {beat['sessionId']!r}")
        last = self._last.get(sid)
        expected = {0} if last is None else {0, last["offset"] + 1}     # 0 again: a new consumer
        if beat["offset"] not in expected:
            self._complain(sid, f"offset {beat['offset']} follows {last and last['offset']}")
        if last and beat["offset"] and beat["uptime"] < last["uptime"]:
            self._complain(sid, "uptime runs backwards")
        self._last[sid] = beat
        self.beats.append(beat)
