"""python3 -m tests.soak DESTINATION COUNT [SEED]: see soak.py."""
import os
import sys
import time

from tests.soak.destinations import DESTINATIONS
from tests.soak.soak import Soak


def main(name, count, seed):
    kind = DESTINATIONS[name]
    why = kind.missing()
    if why:
        print(f"soak: skipped: {why}")
        return 0
    print(f"soak: make soak DEST={name} N={count} SEED={seed}", flush=True)
    started = time.monotonic()
    soak = Soak(kind, count, seed, say=lambda text: print(text, flush=True))
    found = soak.run()
    print("\n".join(found) if found else f"soak: every table is as it should be after {count:,} changes, "
          f"{time.monotonic() - started:.0f} s (seed {seed})", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 and sys.argv[3] else
                  int.from_bytes(os.urandom(4), "big")))
