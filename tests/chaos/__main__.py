"""Faults at random under load, for as long as wanted: python3 -m tests.chaos SECONDS [SEED]

Rounds of a dozen or so faults; after each round the load stops, everything settles, and the
oracle reads every destination back.  The last line counts rounds and failures.
"""
import os
import random
import sys
import time
import traceback

from tests.chaos.faults import FAULTS, Shop
from tests.support import proc

ROUND_S = 20.0


def one_round(shop, rng, deadline):
    shop.begin_round()
    until = min(time.monotonic() + ROUND_S, deadline)
    while time.monotonic() < until:
        fault = rng.choices([f for f, _ in FAULTS], [weight for _, weight in FAULTS])[0]
        shop.say(fault.__doc__)
        fault(shop, rng)
        proc.pause(rng.uniform(0.0, 2.0))
    problems = shop.settle_and_judge()
    print(f"chaos: round ends: {shop.summary()}: {'good' if not problems else 'BAD'}", flush=True)
    return problems


def main(seconds, seed):
    print(f"chaos: make chaos TIME={seconds} SEED={seed}", flush=True)
    rng, rounds, problems = random.Random(seed), 0, []
    deadline = time.monotonic() + seconds
    with Shop(seed) as shop:
        try:
            while time.monotonic() < deadline and not problems:
                rounds += 1
                problems = one_round(shop, rng, deadline)
        except Exception:
            problems = [traceback.format_exc()]
        if problems:
            shop.keep()
            print("\n".join(problems), shop.last_words(), f"kept in {shop.lab.dir}", sep="\n")
    print(f"chaos: {rounds - bool(problems)} passed, {int(bool(problems))} failed (seed {seed})", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else
                  int.from_bytes(os.urandom(4), "big")))
