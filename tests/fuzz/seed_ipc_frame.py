#!/usr/bin/python3
"""Writes the seeds of fuzz_ipc_frame: one frame per message of messages.def, and some that are wrong.

Usage, from the project's root: tests/fuzz/seed_ipc_frame.py tests/fuzz/corpus/ipc_frame
"""
import os
import re
import sys

import msgpack

SIDES = {"SUPERVISOR": 0, "WORKER": 1, "CONTROL": 2, "ANY": 1}
SAMPLES = {
    "U64": 70000, "I64": -70000, "BOOL": True, "STR": "t\u00e4xt", "BIN": b"\x00\xff{}", "STRS": ["order", "", "v1"],
    "EVENTS": [[1, "dbchange.order.INSERT.c.l.PUBLIC.1", b'{"id":"1"}'], [2 ** 63, "s", b""]],
}


def rows(path, pattern):
    with open(path, encoding="utf-8") as f:
        return re.findall(pattern, f.read(), re.M)


def bodies():
    found, current = {}, None
    for kind, first, second in rows("ipc/bodies.def", r"^\s*(BODY|REQ|OPT)\((\w+)(?:,\s*(\w+))?\)"):
        if kind == "BODY":
            current = found.setdefault(first, {})
        else:
            current[second] = SAMPLES[first]
    return found


def wrong():
    configure = {"destination": "d", "url": "u"}
    yield "missing", 0, msgpack.packb([10, configure])
    yield "twice", 0, b"\x92\x0d\x82\xa5nonce\x01\xa5nonce\x02"
    yield "unknown_field", 0, msgpack.packb([13, {"nonce": 1, "later": {"a": [1.5, None]}}])
    yield "unknown_number", 0, msgpack.packb([99, {}])
    yield "wrong_side", 1, msgpack.packb([13, {"nonce": 1}])
    yield "wrong_type", 0, msgpack.packb([13, {"nonce": "1"}])
    yield "trailing", 0, msgpack.packb([14, {}]) + b"\x00"
    yield "short", 0, msgpack.packb([13, {"nonce": 2 ** 40}])[:-3]
    yield "lying_array", 0, b"\x92\x0b\x81\xa4list\xdd\xff\xff\xff\xff"
    yield "lying_map", 0, b"\x92\x0d\xdf\x10\x00\x00\x00"
    yield "not_utf8", 1, b"\x92\x02\x81\xa6reason\xa2\xc3\x28"
    yield "nul", 1, b"\x92\x02\x81\xa6reason\xa3a\x00b"
    yield "deep", 0, b"\x91" * 40 + b"\xc0"
    yield "ext", 0, b"\x92\x0e\x81\xa1x\xd4\x01\x00"
    yield "nothing", 0, b""


def main(where):
    fields = bodies()
    os.makedirs(where, exist_ok=True)
    seeds = [(name.lower(), SIDES[side], msgpack.packb([int(number), fields[body]]))
             for number, name, side, body in rows("ipc/messages.def", r"^MSG\(\s*(\d+), (\w+),\s*(\w+),\s*\d+, (\w+)\)")]
    for name, side, frame in seeds + [("wrong_" + name, side, frame) for name, side, frame in wrong()]:
        with open(os.path.join(where, name), "wb") as f:
            f.write(bytes([side]) + frame)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
