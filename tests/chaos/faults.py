"""A shop under constant load with destinations that show what they got, and what can happen to it."""
import os
import signal

from tests.e2e.helpers import Fault, Load, quick
from tests.support import proc
from tests.support.lab import Lab
from tests.support.ledger import history_problems
from tests.support.proxy import Proxy

SETTLE_S = 120.0
PATIENT = {"restart_limit": 1000, "backoff_max": "500ms"}


class Shop:
    """`files`, `shop` and `fault` stay all the time; guests come and go."""

    def __init__(self, seed):
        self.lab = Lab(seed=seed, storage="file", unique_seconds=True)

    def __enter__(self):
        self.lab.__enter__()
        self.lab.enroll()
        self.proxy = Proxy(self.lab.nats.port)
        self.fault = Fault(self.lab)
        self.destinations = {"files": quick(self.lab.file_url(), **PATIENT), "shop": quick(self.lab.sqlite_url(), **PATIENT),
                             "fault": quick(self.fault.url, **PATIENT)}
        self.guests, self.guest_crashes, self.here = 0, 0, None
        self.events, self.load, self.crashes, self.faults = [], None, 0, 0
        self.lab.start_eds(self.destinations, nats_url=self.proxy.url)
        self.lab.wait_running()
        return self

    def __exit__(self, *_):
        try:
            self._end_load()
        finally:
            self.proxy.close()
            self.lab.close()

    def keep(self):
        self.lab.keep = True

    def say(self, text):
        self.faults += 1
        print(f"chaos: {text}", flush=True)

    def summary(self):
        return f"{self.faults} faults, {len(self.events)} events, {self.crashes} crashes of the fault destination"

    def last_words(self):
        return self.lab.whole_log()[-6000:]

    # ---- load and judgement

    def begin_round(self):
        self.load = Load(self.lab, lot=25, pause=0.05, steadfast=True)
        self.load.__enter__()

    def _end_load(self):
        if self.load:
            load, self.load = self.load, None
            load.__exit__(None)
            self.events += load.events

    def settle_and_judge(self):
        """Nothing is wrong any more: everything has to arrive by itself."""
        self._end_load()
        self.fault.be_well()
        if not self.lab.eds.running():
            self.start()
        self.lab.wait_delivered(timeout=SETTLE_S)
        found = self.lab.differences()
        found += history_problems(self.fault.stored(), [e.id for e in self.events], self.crashes)
        if self.here:
            found += [f"{self.here.name}: {p}" for p in self._guest_problems(self.here)]
        found += [f"{d['name']}: {d['quarantined']} events set aside" for d in self.lab.status()["destinations"]
                  if d["quarantined"]]
        if self.lab.status()["upstream"]["gaps"]:
            found.append("a gap that nobody made: " + self.lab.edsctl("gap", "list").stdout)
        if self.lab.orphans():
            found.append(f"processes of a dead server still run: {self.lab.orphans()}")
        return found

    def _guest_problems(self, guest):
        """A guest has everything from some event on; where that is depends on when it came."""
        stored, ids = guest.stored(), [e.id for e in self.events]
        if not stored:
            return []
        if stored[0] not in ids:
            return [f"begins with {stored[0]}, which was never published"]
        return history_problems(stored, ids[ids.index(stored[0]):], self.guest_crashes)

    # ---- what faults are made of

    def start(self):
        self.lab.start_eds(wait=False, nats_url=self.proxy.url)
        self.lab.wait_until(lambda: self.lab.edsctl("ping").returncode == 0, "the server to answer")

    def crashed(self):
        """Every worker may have lost a batch."""
        self.crashes += 1
        self.guest_crashes += 1

    def reload(self):
        conf = dict(self.destinations)
        if self.here:
            conf[self.here.name] = quick(self.here.url, **PATIENT)
        self.lab.write_conf(conf)
        done = self.lab.edsctl("reload")
        assert done.returncode == 0, done.stdout + done.stderr

    def worker(self, name):
        return self.lab.wait_until(lambda: self.lab.destination(name)["pid"], f"a worker for {name}")


def kill_a_worker(shop, rng):
    """SIGKILL of a worker"""
    name = rng.choice(list(shop.destinations))
    shop.crashes += name == "fault"
    try:
        os.kill(shop.worker(name), signal.SIGKILL)
    except ProcessLookupError:
        pass        # it was gone already


def kill_the_server(shop, rng):
    """SIGKILL of the supervisor"""
    shop.crashed()
    shop.lab.kill_eds()
    proc.wait_until(lambda: not shop.lab.orphans(), "the workers to die with their server", 10)
    shop.start()


def stop_the_server(shop, rng):
    """an orderly restart of the supervisor"""
    shop.crashed()      # drain_timeout may cut a batch off
    assert shop.lab.stop_eds(30) == 0, "the exit status of an orderly end"
    shop.start()


def freeze_a_worker(shop, rng):
    """SIGSTOP of a worker: its liveness ends"""
    name = rng.choice(list(shop.destinations))
    shop.crashes += name == "fault"
    try:
        os.kill(shop.worker(name), signal.SIGSTOP)
    except ProcessLookupError:
        pass


def freeze_the_server(shop, rng):
    """SIGSTOP of the supervisor for a moment"""
    shop.lab.eds.signal(signal.SIGSTOP)
    proc.pause(rng.uniform(0.1, 1.5))
    shop.lab.eds.signal(signal.SIGCONT)


def kill_nats(shop, rng):
    """SIGKILL of nats-server, and a pause before it is back"""
    shop.lab.nats.kill()
    proc.pause(rng.uniform(0.0, 1.5))
    shop.lab.nats.start()


def cut_the_link(shop, rng):
    """the link to NATS is cut"""
    shop.proxy.cut()


def stall_the_link(shop, rng):
    """the link to NATS is a black hole for a moment, then cut"""
    shop.proxy.stall()
    proc.pause(rng.uniform(0.1, 2.0))
    shop.proxy.stall(False)
    if rng.random() < 0.5:
        shop.proxy.cut()


def lose_bytes(shop, rng):
    """bytes in flight are lost, then the link is cut"""
    shop.proxy.lose(rng.choice(["sent", "received"]))
    proc.pause(rng.uniform(0.05, 0.7))
    shop.proxy.cut_after_loss()


def pause_one(shop, rng):
    """a destination is paused for a while"""
    name = rng.choice(list(shop.destinations))
    shop.crashes += name == "fault"     # its worker is stopped
    assert shop.lab.edsctl("pause", name).returncode == 0
    proc.pause(rng.uniform(0.1, 4.0))
    assert shop.lab.edsctl("resume", name).returncode == 0


def pause_all(shop, rng):
    """everything is paused for a moment"""
    shop.crashed()
    assert shop.lab.edsctl("pause").returncode == 0
    proc.pause(rng.uniform(0.1, 1.5))
    assert shop.lab.edsctl("resume").returncode == 0


def trouble(shop, rng):
    """the fault destination is closed, slow, or well again"""
    shop.fault.say(rng.choice(["retry closed for the day", "slow 200", "slow 20", "ok", "ok"]))


def guests(shop, rng):
    """a reload adds a destination, or takes it away"""
    if shop.here:
        shop.here = None
    else:
        shop.guests += 1
        shop.guest_crashes = 0
        shop.here = Fault(shop.lab, f"guest{shop.guests}")
    shop.reload()


def restart_a_worker(shop, rng):
    """edsctl restart worker"""
    name = rng.choice(list(shop.destinations))
    shop.crashes += name == "fault"
    assert shop.lab.edsctl("restart", "worker", name).returncode == 0


# Fault and how often it is chosen in relation to the others.
FAULTS = [(kill_a_worker, 5), (kill_the_server, 3), (stop_the_server, 1), (freeze_a_worker, 2), (freeze_the_server, 2),
          (kill_nats, 2), (cut_the_link, 3), (stall_the_link, 2), (lose_bytes, 3), (pause_one, 3), (pause_all, 1),
          (trouble, 5), (guests, 3), (restart_a_worker, 1)]
