"""`make bench`: what each path costs, next to a ceiling measured in the same run.

Ceilings and paths take turns for some rounds on a machine that is not quiet, so a row's
ratio is the median of the rounds' ratios.  Writes build/bench/report.json.
Exit status 0 when everything could be measured, whether or not it is as fast as asked.
"""
import argparse
import importlib
import json
import os
import pkgutil
import shutil
import statistics
import sqlite3
import sys
import tempfile
import time

import tests.bench
from tests.bench import machine, prepare
from tests.bench.bed import BARE, WARM_UP, Bed, Trouble
from tests.support import proc
from tests.support.lab import build_dir, missing_programs
from tests.support.natsd import ROOT, find_nats_server

EVENTS = 300_000
DISK_EVENTS, DISK_ROUNDS = 50_000, 4    # file and sqlite: the same number in more, shorter turns, for disks are fickle
BACKLOG = 1_000_000
BACKLOG_MEMORY = 8 << 30        # the stream alone needs a quarter of it
LATENCY_EVENTS, LATENCY_RATE = 2000, 200
IDLE_S = 20
NULL = "null://localhost"
TWO = {"a": NULL, "b": NULL}
THREE = {**TWO, "c": NULL}


class Table:
    """The rows, printed as they come."""

    FORM = "{:<22} {:>11} {:>11} {:>7} {:>9}  {}"

    def __init__(self):
        self.rows = []
        print(self.FORM.format("", "measured", "ceiling", "ratio", "asked", ""), flush=True)

    def add(self, name, unit, measured, ceiling=None, ratio=None, least=None, most=None, note="", cpu_us=None):
        """`least` is asked of the ratio, `most` of the measured figure itself."""
        asked = f">= {least:.2f}" if least is not None else f"<= {most:g}" if most is not None else None
        ok = None
        if measured is not None and asked:
            ok = ratio >= least if least is not None else measured <= most
        self.rows.append({"name": name, "unit": unit, "measured": measured, "ceiling": ceiling, "ratio": ratio,
                          "asked": asked, "ok": ok, **({"note": note} if note else {}),
                          **({"cpu_us": cpu_us} if cpu_us else {})})
        verdict = {True: "ok", False: "MISSED", None: ""}[ok]
        print(self.FORM.format(name, self._shown(measured, unit), self._shown(ceiling, unit),
                               "" if ratio is None else f"{ratio:.2f}", asked or "", f"{verdict:<6} {note}".rstrip()),
              flush=True)

    @staticmethod
    def _shown(value, unit):
        if value is None:
            return "-"
        return f"{value:,.0f}{unit}" if value >= 1000 else f"{value:.3g} {unit}"

    def skip(self, name, reason):
        self.add(name, "", None, note="skipped: " + reason)


def costs(runs):
    """CPU per event of each process, median of the runs, as text."""
    names = dict.fromkeys(n for r in runs for n in r.cpu_us)
    each = {n: statistics.median(r.cpu_us[n] for r in runs if n in r.cpu_us) for n in names}
    return "us/event " + ", ".join(f"{n} {us:.1f}" for n, us in each.items())


def our_cpu(runs):
    """CPU per event of our own processes together, median of the runs."""
    return statistics.median(sum(us for n, us in r.cpu_us.items() if n != "nats-server") for r in runs)


def median_rate(runs):
    return statistics.median(r.rate for r in runs)


class Bench:
    def __init__(self, bed, table, rounds):
        self.bed, self.table, self.rounds = bed, table, rounds

    def rate_row(self, name, runs, ceilings, least):
        ratio = statistics.median(r.rate / c.rate for r, c in zip(runs, ceilings))
        self.table.add(name, "/s", median_rate(runs), median_rate(ceilings), ratio, least=least,
                       note=f"{costs(runs)} (ceiling: {costs(ceilings)})", cpu_us=our_cpu(runs))

    # ---- null, null3, stopped, catchup

    def null_paths(self, wanted):
        self.bed.fill(EVENTS)
        runs = {name: [] for name in ("pull-ack", "null", "null2", "null3", "stopped", "catchup")}
        turns = [lambda: [("pull-ack", self.bed.bare("pull_ack", EVENTS))],
                 lambda: [("null", self.bed.eds_run({"a": NULL}, EVENTS))]]
        if "null3" in wanted:
            turns.append(lambda: [("null3", self.bed.eds_run(THREE, EVENTS))])
        if "stopped" in wanted:
            turns.append(lambda: [("null2", self.bed.eds_run(TWO, EVENTS))])
        if {"stopped", "catchup"} & wanted:
            turns.append(lambda: zip(("stopped", "catchup"), self.one_stopped()))
        for number in range(self.rounds):
            for turn in turns[::-1 if number % 2 else 1]:
                for name, run in turn():
                    runs[name].append(run)
        self.table.add("pull-ack", "/s", median_rate(runs["pull-ack"]), note=costs(runs["pull-ack"]))
        self.null_rows(wanted, runs)

    def null_rows(self, wanted, runs):
        for name, ceiling, least in (("null", "pull-ack", 0.85), ("null3", "pull-ack", 0.60), ("stopped", "null2", 0.80),
                                     ("catchup", "null", 0.80)):
            if name in wanted and runs[name]:
                self.rate_row(name, runs[name], runs[ceiling], least)
            elif name in wanted:
                self.table.skip(name, "the journal is off")
        if "rss" in wanted:
            memory = runs["null"][-1].memory
            self.memory_row("supervisor under load", [memory["eds"]["VmHWM"]], None, "peak of the null path")
            self.memory_row("worker under load", [memory["worker"]["VmHWM"]], None, "peak of the null path")

    def one_stopped(self):
        """The rate of a while b is paused, then that of b when it goes on; nothing without a journal."""
        bed = self.bed
        bed.begin_paused(TWO, "b")
        try:
            if not bed.status_now()["journal"]["enabled"]:
                return []
            stopped = bed.follow(lambda: bed.committed("a"), EVENTS)
            bed.check_acked(bed.consumer, EVENTS)      # the rest has reached the journal
            bed.edsctl("resume", "b")
            return [stopped, bed.follow(lambda: bed.committed("b"), EVENTS)]
        finally:
            bed.end()

    # ---- file, sqlite

    def file_path(self):
        self.bed.fill(EVENTS)
        self.in_turns("file", 0.80, lambda n: self.in_folder(
            f"bare{n}", lambda path: self.bed.bare("bare_file", DISK_EVENTS, path)), lambda n: self.in_folder(
            f"files{n}", lambda path: self.bed.eds_run({"files": "file://" + path}, DISK_EVENTS)))

    def in_turns(self, name, least, bare, path):
        """Ceiling and path, who is first changes; both get the number of the round."""
        runs, ceilings = [], []
        for number in range(min(DISK_ROUNDS, self.rounds + 1)):
            for to, take in ((ceilings, bare), (runs, path))[::-1 if number % 2 else 1]:
                to.append(take(number))
        self.rate_row(name, runs, ceilings, least)

    def in_folder(self, name, measure):
        path = os.path.join(self.bed.dir, name)
        try:
            return measure(path)
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def sqlite_path(self):
        self.bed.fill(EVENTS)
        tables = self.tables_as_eds_makes_them()
        self.in_turns("sqlite", 0.70, lambda n: self.in_database(
            f"bare{n}", lambda path: self.bare_sqlite(path, tables)), lambda n: self.in_database(
            f"shop{n}", lambda path: self.bed.eds_run({"shop": "sqlite://" + path}, DISK_EVENTS)))

    def in_database(self, name, measure):
        path = self.bed.sqlite_path(name)
        try:
            return measure(path)
        finally:
            for end in ("", "-wal", "-shm"):
                if os.path.exists(path + end):
                    os.unlink(path + end)

    def tables_as_eds_makes_them(self):
        """The CREATE TABLE statements of the driver, taken from a run of a few thousand events."""
        def made(path):
            self.bed.begin({"shop": "sqlite://" + path})
            try:
                self.bed.follow(lambda: self.bed.committed("shop"), 5000, start=0)
            finally:
                self.bed.end()
            with sqlite3.connect(path) as db:
                return [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
        return self.in_database("tables", made)

    def bare_sqlite(self, path, tables):
        with sqlite3.connect(path) as db:
            for sql in tables:
                db.execute(sql)
        db.close()
        return self.bed.bare("bare_sqlite", DISK_EVENTS, path)

    # ---- latency

    def latency(self):
        bare, _ = self.latency_of_bare()
        self.latency_rows("pull-ack", bare, note=f"{LATENCY_RATE} events/s; publish to acknowledgement")
        took, _ = self.latency_of_eds({"a": NULL})
        self.latency_rows("null", took, bare, note="publish to acknowledgement, which follows the commit")
        files = os.path.join(self.bed.dir, "late-files")
        os.mkdir(files)
        acked, took = self.latency_of_eds({"files": "file://" + files}, files)
        self.latency_rows("file", took, note="publish to the file's appearance")
        self.latency_rows("file, acked", acked, bare, note="publish to acknowledgement", ask=False)
        shutil.rmtree(files, ignore_errors=True)

    def latency_rows(self, name, took, bare=None, note="", ask=True, most=((50, 5), (99, 25))):
        for at, most in most:
            self.table.add(f"latency {name} p{at}", "ms", percentile(took, at), bare and percentile(bare, at),
                           most=most if ask and name != "pull-ack" else None, note=note)

    def latency_of_bare(self):
        self.bed.empty()
        self.bed.new_consumer()
        process = self.bed.start_bare("pull_ack", LATENCY_EVENTS)
        try:
            return self.observe(BARE)
        finally:
            process.stop()

    def latency_of_eds(self, destinations, *folder):
        self.bed.empty()
        self.bed.begin(destinations)
        try:
            self.bed.wait_consumer()
            self.bed.wait_until(self.bed.all_running,
                                "the worker to run")
            return self.observe(self.bed.consumer, *folder)
        finally:
            self.bed.end()

    def observe(self, consumer, *folder):
        """Milliseconds from publish to acknowledgement, and to the file if there is one, of each event after the warm-up.

        As for rates, the first twentieth does not count: it pays for connections, a new topic or table, and the
        destination's own start.
        """
        out = self.bed.program("latency", self.bed.events_path, consumer, 1, LATENCY_EVENTS, LATENCY_RATE, *folder)
        acked, stored = zip(*(map(int, line.split()) for line in out.splitlines()))
        for what, took in (("acknowledged", acked), ("stored", stored if folder else ())):
            if took and min(took) < 0:
                raise Trouble(f"latency: {sum(t < 0 for t in took)} of {LATENCY_EVENTS} events were not {what}")
        first = int(LATENCY_EVENTS * WARM_UP)
        return [t / 1000 for t in acked[first:]], [t / 1000 for t in stored[first:]]

    # ---- idle

    def idle(self, wanted):
        bed = self.bed
        bed.empty()
        bed.begin({"a": NULL, "files": bed.file_url("idle-files"), "shop": bed.sqlite_url("idle")})
        try:
            bed.wait_consumer()
            bed.wait_until(bed.all_running, "the workers")
            proc.pause(2)           # whatever start-up still has to do
            pids = bed.processes()
            before, started = sum(map(machine.cpu_ns, pids.values())), time.monotonic()
            proc.pause(IDLE_S)
            used = sum(map(machine.cpu_ns, pids.values())) - before
            percent = used / 1e7 / (time.monotonic() - started)
            memory = {n: machine.memory_kib(p)["VmRSS"] for n, p in pids.items()}
        finally:
            bed.end()
        if "idle" in wanted:
            self.table.add("idle CPU", "%", percent, most=0.5, note="supervisor and three workers together")
        if "rss" in wanted:
            self.memory_row("supervisor idle", [memory["eds"]], 32, "three destinations")
            self.memory_row("worker idle", [m for n, m in memory.items() if n != "eds"], 16, "largest of null, file, sqlite")

    def memory_row(self, name, kib, most, note):
        self.table.add(name, "MiB", max(kib) / 1024, most=most, note=note)

    # ---- backlog

    def backlog(self):
        name = "backlog of a million"
        if machine.available_bytes() < BACKLOG_MEMORY:
            self.table.skip(name, "the nats-server would need more memory than this machine has free")
            return
        bed = self.bed
        bed.fill(BACKLOG)
        bed.begin_paused({"a": NULL, "down": NULL}, "down")
        try:
            if not bed.status_now()["journal"]["enabled"]:
                self.table.skip(name, "the journal is off")
                return
            run = bed.follow(bed.acked, BACKLOG)
            memory = machine.memory_kib(bed.eds.pid)
            mib = {n: round(memory[n] / 1024) for n in ("VmHWM", "RssAnon", "RssFile")}
            self.memory_row(name, [memory["VmRSS"]], 128,
                            f"RSS of the supervisor; peak {mib['VmHWM']}, of it now {mib['RssAnon']} own memory and "
                            f"{mib['RssFile']} file pages; taken at {run.rate:,.0f}/s; {costs([run])}")
        finally:
            bed.end()
            bed.empty()


def percentile(values, at):
    return statistics.quantiles(values, n=100, method="inclusive")[at - 1]


GROUPS = {"null": "null", "null3": "null", "stopped": "null", "catchup": "null", "file": "file", "sqlite": "sqlite",
          "latency": "latency", "idle": "idle", "rss": None, "backlog": "backlog"}

# A destination's own rows: each module path_NAME.py here has ROWS, their names, and measure(bench, wanted).
PATHS = [importlib.import_module("tests.bench." + m.name) for m in pkgutil.iter_modules(tests.bench.__path__)
         if m.name.startswith("path_")]
ALL_ROWS = [*GROUPS, *(name for path in PATHS for name in path.ROWS)]


def measure(bench, wanted):
    """Run what is needed for the wanted rows."""
    groups = {GROUPS[n] for n in wanted & set(GROUPS)} | ({"null", "idle"} if "rss" in wanted else set())
    if "null" in groups:
        bench.null_paths(wanted)
    for name, run in (("file", bench.file_path), ("sqlite", bench.sqlite_path), ("latency", bench.latency)):
        if name in groups:
            run()
    if "idle" in groups:
        bench.idle(wanted)
    if "backlog" in groups:
        bench.backlog()
    for path in PATHS:
        if wanted & set(path.ROWS):
            path.measure(bench, wanted & set(path.ROWS))


def paths_of(rows):
    """The rows with one object per path: fields that do not apply are left out."""
    paths = {}
    for row in rows:
        name, _, what = row["name"].removeprefix("latency ").rpartition(" ")
        if what in ("p50", "p99") and row["unit"] == "ms":
            paths.setdefault("latency " + name, {})[what + "_ms"] = row["measured"]
        elif row["unit"] == "/s":
            found = paths.setdefault(row["name"], {})
            found.update(events_per_s=row["measured"], ceiling_events_per_s=row["ceiling"], ratio=row["ratio"],
                         cpu_us_per_event=row.get("cpu_us"))
        elif row["unit"] == "MiB":
            paths.setdefault(row["name"], {})["rss_mb"] = row["measured"]
        elif row["unit"] == "%":
            paths.setdefault(row["name"], {})["cpu_percent"] = row["measured"]
    return [{"path": name, **{k: v for k, v in fields.items() if v is not None}} for name, fields in paths.items()]


def write_report(rows, folder):
    with open(os.path.join(ROOT, "etc/VERSION"), encoding="utf-8") as f:
        version = f.read().strip()
    path = os.path.join(folder, "report.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"version": version, "machine": {"cpus": os.cpu_count()}, "paths": paths_of(rows), "rows": rows}, f, indent=1)
        f.write("\n")
    return path


def main():
    parser = argparse.ArgumentParser(prog="make bench ONLY=", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("only", nargs="*", choices=[*ALL_ROWS, []], help="rows to measure (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--storage", choices=("file", "memory"), default="file", help="of the stream")
    args = parser.parse_args()
    missing = missing_programs()
    if missing or find_nats_server() is None:
        print("bench: not there:", ", ".join(missing or ["nats-server; run make deps-demo"]), file=sys.stderr)
        return 1
    folder = os.path.join(build_dir(), "bench")
    os.makedirs(folder, exist_ok=True)
    started = time.monotonic()
    events = prepare.events_file(folder)
    table = Table()
    try:
        with Bed(events, args.storage, folder=tempfile.mkdtemp(prefix="eds-bench-")) as bed:
            measure(Bench(bed, table, args.rounds), set(args.only or ALL_ROWS))
    except (Trouble, AssertionError, OSError) as e:
        print(f"bench: FAILED: {e}", file=sys.stderr)
        return 1
    path = write_report(table.rows, folder)
    missed = [r["name"] for r in table.rows if r["ok"] is False]
    print(f"\nbench: events of {prepare.mean_size(events):.0f} bytes, {os.cpu_count()} CPUs, "
          f"{time.monotonic() - started:.0f} s; {len(table.rows)} rows in {os.path.relpath(path, ROOT)}; "
          + ("missed: " + ", ".join(missed) if missed else "all as asked"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
