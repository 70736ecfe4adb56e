"""What several end-to-end tests need: quick settings, and a destination that obeys."""
import contextlib
import ctypes
import json
import os
import threading

import pytest

from tests.support import proc

_libc = ctypes.CDLL(None, use_errno=True)

# A destination's options with which a test need not wait: for crashes, hangs and stops.
QUICK = {"ping_timeout": "2s", "drain_timeout": "3s", "backoff_min": "50ms", "backoff_max": "200ms"}


def quick(url, **options):
    """A destination section with the quick settings, and others on top."""
    hangs = {"hang_timeout": "1s"} if url.startswith("fault:") else {}    # another may really need longer on a busy machine
    return {"url": url, **QUICK, **hangs, **options}


@contextlib.contextmanager
def small_file_system(folder, size):
    """The folder, which exists, is a file system of `size` bytes; skips the test where that is not allowed."""
    if _libc.mount(b"eds-test", folder.encode(), b"tmpfs", 0, f"size={size}".encode()) != 0:
        pytest.skip(f"mounting a small file system is not allowed here: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        assert _libc.umount2(folder.encode(), 2) == 0, os.strerror(ctypes.get_errno())


def fill_up(folder):
    """A file that takes what is left of a file system; returns its path."""
    path = os.path.join(folder, "ballast")
    with open(path, "ab", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            return path


class Fault:
    """A destination of the fault driver: say() what it is to do, stored() what it took."""

    def __init__(self, lab, name="fault"):
        self.name = name
        self._commands = os.path.join(lab.dir, name + ".commands")
        self.store_path = os.path.join(lab.dir, name + ".stored")
        self.url = f"fault://{self._commands}?store={self.store_path}"

    def say(self, *commands):
        """Replaces what was said before, in one step: the driver may be reading."""
        with open(self._commands + ".new", "w", encoding="utf-8") as f:
            f.write("".join(c + "\n" for c in commands))
        os.rename(self._commands + ".new", self._commands)

    def be_well(self):
        self.say("ok")

    def stored(self):
        """Ids of the events it has, in the order in which they came."""
        if not os.path.exists(self.store_path):
            return []
        with open(self.store_path, encoding="utf-8") as f:
            return [json.loads(line)["id"] for line in f if line.endswith("\n")]

    def differences(self, events):
        """What is wrong with the stored list; an event may stand there again only after a crash."""
        first = list(dict.fromkeys(self.stored()))
        wanted = [e.id for e in events]
        if first == wanted:
            return []
        missing = [i for i in wanted if i not in set(first)]
        strange = [i for i in first if i not in set(wanted)]
        return [f"{len(missing)} missing {missing[:3]}, {len(strange)} unexplained {strange[:3]}, order "
                + ("kept" if [i for i in wanted if i in set(first)] == [i for i in first if i in set(wanted)]
                   else "not kept")]


class Load:
    """Publishes lots of events from a thread of its own until told to stop; for use with `with`.

    `steadfast`: when NATS goes away it is asked again, with the same lot: the stream drops what it
    has by the id of the message.
    """

    def __init__(self, lab, lot=50, pause=0.02, steadfast=False):
        self._lab, self._lot, self._pause, self._steadfast = lab, lot, pause, steadfast
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.failure = None
        self.events = []

    @property
    def count(self):
        return len(self.events)

    def _run(self):
        pending = []
        while not self._stop.is_set() or (self._steadfast and pending):
            try:
                with self._lab.nats.connect() as client:
                    while pending or not self._stop.wait(self._pause):
                        pending = pending or self._lab.events.batch(self._lot)
                        client.publish_many(e.message for e in pending)
                        self._lab.oracle.record(*pending)
                        self.events += pending
                        pending = []
            except Exception as e:
                if not self._steadfast:
                    self.failure = e        # shown by __exit__, in the test's own thread
                    return
                proc.pause(0.1)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        self._thread.join()
        if self.failure and kind is None:
            raise self.failure


def load_while_worker_dies(lab, name, times=3, between=300):
    """Events under load while the destination's worker is killed so many times; those that were published."""
    with Load(lab) as load:
        for _ in range(times):
            goal = load.count + between
            lab.wait_until(lambda: load.count >= goal, "more events")
            lab.kill_worker(name)
            lab.wait_running(name)
    lab.wait_delivered()
    return load.events
