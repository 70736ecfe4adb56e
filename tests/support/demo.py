"""`make demo`: shows EDS at work, and proves that what arrived is what was sent.

Exit status 0 only when both destinations hold exactly what was published.
KEEP=1 leaves everything running afterwards, to look around.
"""
import os
import shutil
import signal
import sys
import tempfile
import time

from tests.support import lab as laboratory
from tests.support.natsd import ROOT, find_nats_server
from tests.support.oracle import Oracle

EVENTS, ROUNDS = 6000, 6
KILL_IN_ROUND = 3


class Stopped(Exception):
    """Somebody wants the demonstration to end."""


END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def on_signal(number, _):
    for each in END_SIGNALS:
        signal.signal(each, signal.SIG_IGN)     # cleaning up is not to be interrupted
    raise Stopped(signal.Signals(number).name)


def shown(path):
    """A path as one would type it from the project's root."""
    return os.path.relpath(path, ROOT) if path.startswith(ROOT + os.sep) else path


class Demo:
    def __init__(self, lab):
        self.lab, self.step_number = lab, 0
        self.started = time.monotonic()

    def step(self, text):
        self.step_number += 1
        print(f"\n[{self.step_number}] {text}", flush=True)

    @staticmethod
    def say(text):
        print("    " + text, flush=True)

    def run(self):
        """All steps; True when both destinations are exactly right."""
        self.prepare()
        self.stream()
        return self.judge()

    def prepare(self):
        lab = self.lab
        self.step("Shopmonkey's side, played by two local servers")
        self.say(f"nats-server {'.'.join(map(str, lab.nats.version))} with a stream of change events: {lab.nats.url}")
        self.say(f"a stand-in for HQ, the service that knows your shop:  {lab.hq.url}")

        self.step("Enrolling: a one-time code becomes an identity in the data directory")
        code = lab.hq.new_code(laboratory.SERVER_ID)
        self.say(f"eds enroll {code} --data-dir {lab.data_dir} --api-url {lab.hq.url}")
        lab.enroll(code)

        self.step("Two destinations in eds.conf, and the server that feeds them")
        conf = lab.write_conf({"files": lab.file_url(), "shop": lab.sqlite_url()})
        with open(conf, encoding="utf-8") as f:
            for line in f.read().strip().splitlines():
                self.say("    " + line if line else "")
        lab.start_eds()
        lab.wait_until(lambda: all(d["state"] == "running" for d in lab.status()["destinations"]),
                       "both workers to run")
        self.say("eds server is running; one worker process per destination: "
                 + ", ".join(f"{d['name']} (pid {d['pid']})" for d in lab.status()["destinations"]))

    def stream(self):
        lab = self.lab
        self.step(f"{EVENTS} changes to the {len(lab.events.tables)} tables of a shop, in {ROUNDS} rounds")
        for number in range(1, ROUNDS + 1):
            batch = lab.events.batch(EVENTS // ROUNDS)
            if number == KILL_IN_ROUND:
                self.kill_one(batch)
            else:
                lab.publish_events(batch)
            self.say(f"round {number}: {lab.oracle.count} published, "
                     + ", ".join(f"{d['name']} has {d['committed']}" for d in lab.status()["destinations"]))
        lab.wait_delivered(timeout=30)
        self.say("everything is delivered and acknowledged")

    def kill_one(self, batch):
        """SIGKILL the worker of `shop` right behind the first half of a round."""
        lab, half = self.lab, len(batch) // 2
        pid = lab.worker_pid("shop")
        lab.publish_events(batch[:half])
        os.kill(pid, signal.SIGKILL)
        self.say(f"kill -9 {pid}: the worker of `shop` dies in the middle of its work")
        lab.publish_events(batch[half:])
        new = lab.wait_until(lambda: lab.destination("shop")["pid"] not in (0, pid) and lab.destination("shop")["pid"],
                             "a new worker for `shop`")
        self.say(f"the server has started another one (pid {new}); `files` did not notice")

    def judge(self):
        lab, oracle = self.lab, self.lab.oracle
        self.step("Comparing both destinations with what was published, byte by byte and value by value")
        files = sum(len(names) for _, _, names in os.walk(lab.file_dir()))
        rows = Oracle.sqlite_row_count(lab.sqlite_path())
        verdicts = []
        for name, what, expected, found, differences in (
                ("files", "files", oracle.file_count(), files, lab.differences(sqlite=None)),
                ("shop", "rows", oracle.row_count(), rows, lab.differences(files=None))):
            verdict = "exactly what was published" if not differences else "DIFFERENT"
            self.say(f"{name + ':':7} {expected} {what} expected, {found} found: {verdict}")
            for text in differences:
                self.say("    " + text)
            verdicts.append(not differences and expected == found)
        for text in lab.hq.all_violations():
            self.say("HQ would object: " + text)

        self.step("edsctl status")
        for line in lab.edsctl("status").stdout.splitlines():
            self.say(line)
        took = time.monotonic() - self.started
        right = all(verdicts) and oracle.count == EVENTS
        print(f"\n{'Everything arrived' if right else 'FAILED: the destinations are not right'}: "
              f"{oracle.count} changes, 2 destinations, 1 killed worker, {took:.1f} s", flush=True)
        return right

    def look_around(self):
        lab = self.lab
        edsctl = f"{shown(os.path.join(laboratory.build_dir(), 'edsctl'))} --data-dir {lab.data_dir}"
        query = "select name, createdDate from customer limit 5"
        sqlite = f"sqlite3 {lab.sqlite_path()} '{query}'" if shutil.which("sqlite3") else \
            f"python3 -c \"import sqlite3; print(*sqlite3.connect('{lab.sqlite_path()}').execute('{query}'), sep='\\n')\""
        print("\nTo look around:")
        for command in (f"{edsctl} status", f"{edsctl} restart worker shop", f"{edsctl} pause files",
                        f"ls {lab.file_dir()}/customer | head", sqlite, f"tail -f {lab.eds.log_path}"):
            self.say(command)

    def wait(self):
        """Keep everything running until a signal comes."""
        where = "Ctrl-C" if sys.stdin and sys.stdin.isatty() else f"kill {os.getpid()}"
        print(f"\nEverything keeps running. To stop it and clean up: {where}", flush=True)
        while True:
            signal.pause()


def main():
    keep = os.environ.get("KEEP", "") not in ("", "0")
    missing = laboratory.missing_programs()
    if missing:
        print(f"demo: {', '.join(missing)} not built; run make first", file=sys.stderr)
        return 1
    if find_nats_server() is None:
        print("demo: no nats-server found; run make deps-demo first", file=sys.stderr)
        return 1
    for number in END_SIGNALS:
        signal.signal(number, on_signal)
    lab = laboratory.Lab(folder=tempfile.mkdtemp(prefix="eds-demo-"), keep=True, storage="memory")
    right, stopped = False, False
    try:
        with lab:
            demo = Demo(lab)
            right = demo.run()
            if keep:
                demo.look_around()
                demo.wait()
            elif right:
                print("Run `make demo KEEP=1` to leave it running and look around.")
    except Stopped as e:
        stopped = True
        print(f"\ndemo: stopped by {e}")
    except (AssertionError, OSError, RuntimeError) as e:
        print(f"\ndemo: FAILED: {e}", file=sys.stderr)
    if right or stopped:
        shutil.rmtree(lab.dir, ignore_errors=True)
    else:
        print(f"demo: logs and data are in {lab.dir}", file=sys.stderr)
    return 0 if right else 130 if stopped else 1


if __name__ == "__main__":
    sys.exit(main())
