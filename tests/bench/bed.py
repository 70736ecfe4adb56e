"""The test bed: one nats-server, a stream that is filled once, and runs over it.

Every run reads the same stream through a new durable consumer with the same settings, whether
EDS pulls or a bare program.  Progress is what the client has acknowledged, by its own count; the
server is asked only at the end, for its answer about a consumer can cost it 80 ms.
"""
import http.client
import json
import os
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass, field

from tests.bench import machine
from tests.support import proc
from tests.support.events import COMPANY
from tests.support.lab import Lab, build_dir, descendants
from tests.support.natsd import write_private

POLL = 0.03             # seconds between two looks at the progress
WARM_UP = 0.05          # this part of the events comes before the clock starts
BARE = "bare"           # consumer of the bare programs
CONSUMER = {            # as EDS makes its own (contract: the consumer of a server)
    "deliver_policy": "all", "ack_wait": 300 * 10**9, "max_deliver": 20, "max_ack_pending": 25000, "max_waiting": 1,
    "max_batch": 4096, "inactive_threshold": 72 * 3600 * 10**9, "filter_subject": f"dbchange.*.*.{COMPANY}.*.PUBLIC.>",
}


class Trouble(Exception):
    """A measurement that cannot be taken; the text says why."""


@dataclass
class Run:
    rate: float                                 # events per second
    cpu_us: dict = field(default_factory=dict)  # process -> microseconds of CPU per event
    memory: dict = field(default_factory=dict)  # process -> memory_kib()


class Bed(Lab):
    """A Lab whose data directory is new for every run.  The stream is on disk, as Shopmonkey's is."""

    def __init__(self, events, storage="file", **options):
        self.storage = storage
        super().__init__(storage=storage, **options)
        self.events_path, self._runs, self.filled = events, 0, None
        self._progress = os.path.join(self.dir, "progress")
        self._reset_progress()

    def __enter__(self):
        super().__enter__()
        self.admin_creds = write_private(os.path.join(self.dir, "admin.creds"), self.nats.admin_creds())
        # The server checks every acknowledgement against the rights of who sends it, so a ceiling has the rights EDS has.
        self.bare_creds = write_private(os.path.join(self.dir, "bare.creds"), self.nats.eds_creds(BARE, [COMPANY]))
        return self

    # ---- the stream

    def fill(self, count):
        """The stream holds events 0 to count - 1 as sequences 1 to count."""
        if self.filled == count:
            return
        self.empty()
        self.program("publish", self.events_path, count)
        proc.wait_until(lambda: self.js.messages() >= count, f"the stream to hold {count} messages", 60)
        self.filled = count

    def empty(self):
        """A new stream, so that sequences and the memory of message ids begin anew."""
        self.js.delete_stream()
        self.js.create_stream(storage=self.storage, duplicate_window=10**9)
        self.filled = None

    # ---- programs

    def start_bare(self, name, *args):
        """A program that takes events as EDS does, from the consumer BARE."""
        argv = [os.path.join(build_dir(), "tests/bench", name), self.nats.url, self.bare_creds, BARE, *map(str, args)]
        return proc.Process(argv, os.path.join(self.dir, name + ".log"),
                            env=self.environment(BENCH_PROGRESS=self._progress))

    def _reset_progress(self):
        with open(self._progress, "wb") as f:
            f.write(bytes(8))

    def _acked_by_program(self):
        with open(self._progress, "rb") as f:
            return struct.unpack("=Q", f.read())[0]

    def program(self, name, *args):
        """Run one of the bench's C programs to its end; its output."""
        argv = [os.path.join(build_dir(), "tests/bench", name), self.nats.url, self.admin_creds, *map(str, args)]
        done = subprocess.run(argv, env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Trouble(f"{name} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def bare(self, name, count, *args):
        """A bare program over the first `count` events; a Run."""
        self.new_consumer()
        self._reset_progress()
        process = self.start_bare(name, count, *args)
        try:
            run = self.follow(self._acked_by_program, count, {name: process.pid}, process)
            self.check_acked(BARE, count)
            return run
        finally:
            process.stop()

    def check_acked(self, consumer, count):
        """What a client says it has acknowledged has to have come to the server."""
        proc.wait_until(lambda: self.js.consumer_info(consumer)["ack_floor"]["consumer_seq"] >= count,
                        f"the server to have the acknowledgements of {consumer}", 30, every=0.2)

    def new_consumer(self):
        if self.js.consumer_info(BARE):
            self.js.delete_consumer(BARE)
        self.js.create_consumer(BARE, **CONSUMER)

    # ---- EDS

    def begin(self, destinations, *args):
        """Start a server with a new data directory and a new consumer that starts at the stream's beginning."""
        self.new_data_dir()
        if self.js.consumer_info(self.consumer):
            self.js.delete_consumer(self.consumer)
        return self.start_eds(destinations, args=("--restart", *args), wait=False)

    def new_data_dir(self):
        self._runs += 1
        self.data_dir = os.path.join(self.dir, f"data{self._runs}")
        self.http_port = proc.free_port()
        self.enroll()

    def begin_paused(self, destinations, paused):
        """As begin(), with one destination paused before the first event comes."""
        self.new_data_dir()
        self.start_eds(destinations, args=("--consumer-suffix", "pausing"), wait=False)
        self.wait_answer()
        done = self.edsctl("pause", paused)
        if done.returncode != 0:
            raise Trouble(f"edsctl pause ended with {done.returncode}: {done.stderr}")
        self.stop_eds()
        if self.js.consumer_info(self.consumer):
            self.js.delete_consumer(self.consumer)
        self.start_eds(None, args=("--restart",), wait=False)
        self.wait_answer()

    def wait_answer(self):
        self.wait_until(lambda: self.edsctl("ping").returncode == 0, "the server to answer")

    def end(self):
        self.stop_eds()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def processes(self):
        """{name: pid} of the server and its workers."""
        found = {"eds": self.eds.pid}
        for number, pid in enumerate(sorted(descendants(self.eds.pid))):
            found[f"worker{number or ''}"] = pid
        return found

    def eds_run(self, destinations, count, *args):
        """A server over the first `count` events, until all are committed everywhere and acknowledged; a Run.

        Either alone would not do: an event in the journal is acknowledged before it is committed.
        """
        self.begin(destinations, *args)
        try:
            run = self.follow(self.delivered, count)
            self.check_acked(self.consumer, count)
            return run
        finally:
            self.end()

    def status_now(self):
        """The status document over HTTP, which is cheaper than edsctl; None while a new server does not answer yet."""
        link = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=20)
        try:
            link.request("GET", "/status")
            return json.loads(link.getresponse().read())
        except ConnectionRefusedError:
            return None
        finally:
            link.close()

    def all_running(self):
        status = self.status_now()
        return status and all(d["state"] == "running" for d in status["destinations"])

    def acked(self):
        """How many events the server has acknowledged."""
        status = self.status_now()
        return status["upstream"]["acked"] if status else 0

    def committed(self, *names):
        """The least number of events that one of the destinations has committed."""
        status = self.status_now()
        return min(d["committed"] for d in status["destinations"] if d["name"] in names) if status else 0

    def delivered(self):
        """How many events are committed everywhere and acknowledged."""
        status = self.status_now()
        return min(status["upstream"]["acked"], *(d["committed"] for d in status["destinations"])) if status else 0

    # ---- measuring

    def follow(self, progress, count, pids=None, process=None, start=None, timeout=240.0):
        """Waits until progress() is `count`; the rate from a twentieth of the way (or from `start`) to the end."""
        process = process or self.eds
        first = int(count * WARM_UP) if start is None else start
        begun, deadline = None, time.monotonic() + timeout
        while True:
            done, now = progress(), time.monotonic()
            if begun is None and done >= first:
                watched = {**(pids or self.processes()), "nats-server": self.nats.pid}
                begun, at, cpu = now, done, self._cpu(watched)
                last = cpu
            if done >= count:
                break
            if not process.running() and process.exit_status() != 0:
                raise Trouble(f"{process.name} ended with {process.exit_status()}:\n{process.last_lines()}")
            if now > deadline:
                raise Trouble(f"{process.name}: {done} of {count} events after {timeout:g} s:\n{process.last_lines()}")
            proc.pause(POLL)
            if begun is not None:
                last = self._cpu(watched, last)
        events = count - at
        return Run(events / (now - begun), {n: (last[n] - cpu[n]) / 1000 / events for n in watched},
                   {n: machine.memory_kib(p) for n, p in watched.items() if os.path.exists(f"/proc/{p}/status")})

    @staticmethod
    def _cpu(watched, last=None):
        """CPU time of each; of one that has just ended, what it had when last looked at."""
        now = {}
        for name, pid in watched.items():
            try:
                now[name] = machine.cpu_ns(pid)
            except OSError:
                now[name] = (last or {}).get(name, 0)
        return {n: max(v, (last or {}).get(n, 0)) for n, v in now.items()}
