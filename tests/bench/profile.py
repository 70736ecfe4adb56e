"""`make bench-profile`: where supervisor and worker spend their time on the null path.

perf gives the functions, strace the system calls per event; either is left out when it is not installed.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from tests.bench import prepare
from tests.bench.bed import Bed, Trouble
from tests.support import proc
from tests.support.lab import build_dir

EVENTS = 400_000
SECONDS = 2
TOP = 40
NULL = "null://localhost"


def watch(bed, argv, output):
    """Start a server, run the tool on it once events flow; (what the tool said, events acknowledged meanwhile)."""
    bed.begin({"a": NULL})
    try:
        proc.wait_until(lambda: bed.acked() > EVENTS // 40, "events to flow", every=0.005)
        before = bed.acked()
        subprocess.run(argv(bed.processes(), output), capture_output=True, check=False)
        return bed.acked() - before
    finally:
        bed.end()


def perf(bed, who):
    output = os.path.join(bed.dir, "perf.data")
    watch(bed, lambda pids, out: ["perf", "record", "-q", "-F", "2999", "-g", "-o", out, "-p", str(pids[who]),
                                  "--", "sleep", str(SECONDS)], output)
    report = subprocess.run(["perf", "report", "-i", output, "--no-children", "-g", "none", "--percent-limit", "0.7",
                             "--sort", "dso,symbol", "--stdio"], capture_output=True, text=True, check=False).stdout
    lines = [line.rstrip() for line in report.splitlines() if line.strip() and not line.startswith("#")]
    print(f"\n{who}: functions", *lines[:TOP], sep="\n")


def system_calls(bed, who):
    output = os.path.join(bed.dir, "strace.txt")
    events = watch(bed, lambda pids, out: ["timeout", "-s", "INT", str(SECONDS), "strace", "-f", "-c", "-o", out,
                                           "-p", str(pids[who])], output)
    print(f"\n{who}: system calls per thousand events, of {events} (under strace)")
    with open(output, encoding="utf-8") as f:
        for line in f:
            found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z]\w*)$", line)
            if found and found[2] != "total" and events:
                print(f"{1000 * int(found[1]) / events:10.1f}  {found[2]}")


def main():
    tools = [(name, run) for name, run in (("perf", perf), ("strace", system_calls)) if shutil.which(name)]
    if not tools:
        print("bench-profile: neither perf nor strace is installed (packages linux-perf, strace)", file=sys.stderr)
        return 1
    events = prepare.events_file(os.path.join(build_dir(), "bench"))
    try:
        with Bed(events, folder=tempfile.mkdtemp(prefix="eds-bench-")) as bed:
            bed.fill(EVENTS)
            for _, run in tools:
                for who in ("eds", "worker"):
                    run(bed, who)
    except (Trouble, AssertionError, OSError) as e:
        print(f"bench-profile: FAILED: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
