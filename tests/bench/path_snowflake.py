"""Snowflake: the driver next to one statement per event, over a peer that answers at once or after 100 ms.

No account is at hand, so the peer counts statements instead of executing them: what is measured is the way
there.  Real statements take half a second and longer whatever they hold, so that their number is what counts.
"""
import os
import re
import time

from tests.support.snowflake import Snowflake
from tests.support.snowflake_client import Client

ROWS = ("snowflake",)
EVENTS = 30_000
SINGLE = {0.0: 400, 0.1: 40}        # delay -> statements of the way with one for each event
LEAST_AT_DELAY = 20
MEMORY_MIB = 64


def one_by_one(peer, count):
    """Events per second when each is a statement of its own, as a MERGE of one row."""
    with Client(peer.url()) as client:
        started = time.monotonic()
        for n in range(count):
            client.run(f"UPDATE \"order\" SET \"note\" = 'n{n}', \"updatedDate\" = '2024-07-11T21:16:51.70856Z' WHERE \"id\" = '{n}'")
        return count / (time.monotonic() - started)


def measure(bench, wanted):
    peak = []
    bench.bed.fill(EVENTS)
    for delay, count in SINGLE.items():
        with Snowflake(os.path.join(bench.bed.dir, f"snowflake{count}"), execute=False, delay=delay) as peer:
            single = one_by_one(peer, count)
            del peer.statements[:]
            run = bench.bed.eds_run({"warehouse": peer.url()}, EVENTS)
            merges = sum(len(re.findall("MERGE INTO", s["sql"])) for s in peer.statements)
            requests = sum("MERGE INTO" in s["sql"] or s["sql"].startswith("PUT") for s in peer.statements)
            note = (f"{merges * 1000 / EVENTS:.1f} statements in {requests * 1000 / EVENTS:.1f} requests per 1,000 events; the ceiling "
                    "column is one statement per event")
            bench.table.add(f"snowflake {delay * 1000:.0f} ms", "/s", run.rate, single, run.rate / single,
                            least=LEAST_AT_DELAY if delay else None, note=note)
            peak.append(run.memory["worker"]["VmHWM"])
    bench.memory_row("snowflake worker", peak, MEMORY_MIB, "peak of both runs")
