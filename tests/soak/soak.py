"""A million random changes of two thousand rows, while the worker is killed and the database restarted.

At the end every table has to equal the model, column by column, with nothing in quarantine.
"""
import os
import random
import signal

from tests.soak.stream import SoakStream, tables
from tests.support import proc
from tests.support.lab import Lab
from tests.support.oracle import Oracle

NAME = "soaked"
LOT = (500, 4000)       # events between two chances of a fault
AHEAD = 60_000          # events that may wait: faults are to meet a worker that has something to do
QUICK = {"backoff_min": "50ms", "backoff_max": "500ms", "ping_timeout": "10s"}


class Soak:
    """run() returns what is wrong, as text; [] when nothing is."""

    def __init__(self, destination, count, seed, say=print):
        self._kind, self._count, self._seed, self._say = destination, count, seed, say
        self.faults = {"kill worker": 0, "stop database": 0, "kill database": 0, "kill server": 0}

    def run(self):
        rng = random.Random(self._seed)
        with Lab(storage="file", tables=tables()) as lab:
            lab.events = SoakStream(lab.hq.schemas, seed=self._seed, tables=tables())
            lab.oracle = Oracle(lab.hq.schemas, files=False)
            destination = self._kind(lab.dir)
            try:
                return self._through(lab, destination, rng)
            finally:
                destination.close()

    def _through(self, lab, destination, rng):
        lab.enroll()
        # What is killed often is not to be given up: that has tests of its own.
        lab.start_eds({NAME: {"url": destination.url, "restart_limit": 1000, "restart_window": "1s", **QUICK}})
        lab.wait_running()
        left = self._count
        while left > 0:
            lot = min(left, rng.randint(*LOT))
            lab.publish(lot)
            left -= lot
            proc.pause(rng.uniform(0, 0.1))
            self._fault(lab, destination, rng)
            lab.wait_until(lambda: self._behind(lab) < AHEAD, "the destination to keep up", 600)
            self._say(f"soak: {self._count - left:,} of {self._count:,} published, {self._told()}")
        lab.wait_delivered(timeout=600)
        found = destination.differences(lab.oracle)
        aside = lab.destination(NAME)["quarantined"]
        if aside:
            found.append(f"{aside} events are in quarantine: {lab.edsctl('quarantine', 'list').stdout[:500]}")
        if lab.stop_eds() != 0:
            found.append(f"eds ended with {lab.eds.exit_status()}")
        return found

    @staticmethod
    def _behind(lab):
        """Events that are not stored, here and in the stream."""
        upstream = lab.js.consumer_info(lab.consumer)
        return lab.destination(NAME)["behind"] + (upstream["num_pending"] if upstream else 0)

    def _fault(self, lab, destination, rng):
        name = rng.choices([None, *self.faults], [4, 4, 1, 1, 0.3])[0]
        if name is None:
            return
        self.faults[name] += 1
        if name == "kill worker":
            pid = lab.destination(NAME)["pid"]
            if pid:
                os.kill(pid, signal.SIGKILL)
        elif name == "kill server":
            lab.kill_eds()
            lab.start_eds()
        else:
            destination.restart(name.split()[0])

    def _told(self):
        return ", ".join(f"{n} times {what}" for what, n in self.faults.items())
