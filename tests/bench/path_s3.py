"""The S3 path: against a bare loop over libcurl, with a server that answers at once and with one that takes 100 ms."""
import http.client
import os
import statistics

from tests.bench.bed import Trouble
from tests.support import proc
from tests.support.lab import build_dir

ROWS = ("s3", "s3-far", "s3-latency", "s3-memory", "s3-rolls")

EVENTS = 60_000
FAR_EVENTS, FAR_MS, FAR_LEAST = 20_000, 100, 1500
ROLLS = "&format=ndjson&roll-seconds=0"


class Server:
    """The bench's own server in place of S3."""

    def __init__(self, folder, delay_ms):
        self.port = proc.free_port()
        self._process = proc.Process([os.path.join(build_dir(), "tests/bench/s3_server"), self.port, delay_ms],
                                     os.path.join(folder, "s3_server.log"))
        self.pid = self._process.pid
        proc.wait_until(self._answers, "the bench's S3 server")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stop()

    def _answers(self):
        try:
            return self.stats()
        except OSError:
            return None

    def stats(self):
        """(objects, p50, p99 in milliseconds) as the server sees it."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("GET", "/stats")
            count, p50, p99 = link.getresponse().read().split()
            return int(count), int(p50) / 1000, int(p99) / 1000
        finally:
            link.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/bench"

    def destination(self, more=""):
        return f"s3://127.0.0.1:{self.port}/bench?access-key-id=AKIABENCH&secret-access-key=bench&region=us-east-1{more}"


def checked(server, run, count):
    """A run whose objects have all come."""
    before = server.stats()[0]
    result = run()
    if server.stats()[0] - before < count:
        raise Trouble(f"s3: {server.stats()[0] - before} of {count} objects came")
    return result


def throughput(bench, name, server, events, rounds, least):
    runs, ceilings = [], []
    for number in range(rounds):
        for to, take in ((ceilings, lambda: bench.bed.bare("bare_s3", events, server.url)),
                         (runs, lambda: bench.bed.eds_run({"s3": server.destination()}, events)))[::-1 if number % 2 else 1]:
            to.append(checked(server, take, events))
    bench.rate_row(name, runs, ceilings, least)
    return runs


def far(bench, wanted, rounds):
    with Server(bench.bed.dir, FAR_MS) as server:
        if wanted & {"s3-far", "s3-memory"}:
            runs = throughput(bench, f"s3, {FAR_MS} ms away", server, FAR_EVENTS, rounds, 0.80)
            rate = statistics.median(r.rate for r in runs)
            bench.table.add(f"s3, {FAR_MS} ms away, slowness", "ms", 1000 / rate, most=1000 / FAR_LEAST,
                            note=f"per object: {rate:,.0f} objects/s, {FAR_LEAST:,} asked")
            bench.memory_row("s3 worker", [r.memory["worker"]["VmHWM"] for r in runs], 64, "peak with 256 requests under way")
        if "s3-latency" in wanted:
            took, _ = bench.latency_of_eds({"s3": server.destination()})
            _, _, p99 = server.stats()
            latency_rows(bench, took, p99)


def latency_rows(bench, took, p99):
    from tests.bench.bench import percentile
    for at, most in ((50, None), (99, p99 + 20)):
        bench.table.add(f"latency s3 p{at}", "ms", percentile(took, at), most=most,
                        note=f"publish to acknowledgement; the server's own p99 is {p99:.1f} ms")


def measure(bench, wanted):
    rounds = min(3, bench.rounds)
    bench.bed.fill(300_000)
    if wanted & {"s3", "s3-rolls"}:
        with Server(bench.bed.dir, 0) as server:
            if "s3" in wanted:
                throughput(bench, "s3", server, EVENTS, rounds, 0.80)
            if "s3-rolls" in wanted:
                run = bench.bed.eds_run({"s3": server.destination(ROLLS)}, 5 * EVENTS)
                bench.table.add("s3 rolls", "/s", run.rate, note="events in objects of many lines, gzipped")
    if wanted & {"s3-far", "s3-latency", "s3-memory"}:
        far(bench, wanted, rounds)
