"""The laboratory: a nats-server, the HQ stand-in, and the real programs, in one temporary directory.

    with Lab() as lab:
        lab.enroll()
        lab.start_eds({"files": lab.file_url(), "shop": lab.sqlite_url()})
        lab.publish(500)
        lab.wait_delivered()
        assert lab.differences() == []
"""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from tests.support import proc
from tests.support.events import EventStream
from tests.support.hq import Hq
from tests.support.jetstream import JetStream
from tests.support.natsd import ROOT, NatsServer
from tests.support.oracle import Oracle

SERVER_ID = "6a0f5a1e"
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def build_dir():
    """Where the programs under test are: build/, or what EDS_BUILD names."""
    return os.path.join(ROOT, os.environ.get("EDS_BUILD", "build"))


def missing_programs():
    """Names of programs under test that have not been built."""
    return [p for p in ("eds", "eds-worker", "edsctl") if not os.access(os.path.join(build_dir(), p), os.X_OK)]


def start_time(pid):
    """When a process started, in clock ticks; tells it from a later one with its pid.  None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            state, *fields = f.read().rpartition(")")[2].split()
            return None if state == "Z" else int(fields[18])
    except OSError:
        return None


def descendants(pid):
    """{pid: start time} of all processes below a process."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as f:
                    parents.setdefault(int(f.read().rpartition(")")[2].split()[1]), []).append(int(entry))
            except OSError:
                pass        # it ended while we looked
    found, todo = {}, [pid]
    while todo:
        for child in parents.get(todo.pop(), ()):
            started = start_time(child)
            if started is not None:
                found[child] = started
                todo.append(child)
    return found


class Lab:
    """Public parts: dir, data_dir, nats, js, hq, events, oracle, eds (the running server's Process or None)."""

    def __init__(self, seed=1, tables=None, storage="file", tls=False, folder=None, keep=False, hq_options=None,
                 **event_options):
        self._options = {"seed": seed, "tables": tables, **event_options}
        self._hq_options = hq_options or {}
        self._storage, self._tls, self.keep = storage, tls, keep
        self.dir = folder or tempfile.mkdtemp(prefix="eds-lab-")
        self.data_dir = os.path.join(self.dir, "data")
        self.conf_path = os.path.join(self.dir, "eds.conf")
        self.nats = self.hq = self.eds = self._admin = None
        self.http_port = proc.free_port()
        self._orphans, self.killed = {}, False

    # ---- set-up and clean-up

    def __enter__(self):
        try:
            self.nats = NatsServer(os.path.join(self.dir, "nats"), tls=self._tls).start()
            self.js.create_stream(storage=self._storage)
            self.hq = Hq(self.nats, **self._hq_options)
            self.events = EventStream(self.hq.schemas, **self._options)
            self.oracle = Oracle(self.hq.schemas)
            self.hq.exports.snapshot = self.events.snapshot
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End every process and remove the directory (unless `keep`), whatever state things are in."""
        try:
            if self.eds:
                self.stop_eds()
        finally:
            for end in (self._kill_orphans, self._close_admin, self.hq and self.hq.close,
                        self.nats and self.nats.close):
                if end:
                    end()
            if not self.keep:
                shutil.rmtree(self.dir, ignore_errors=True)

    def _close_admin(self):
        if self._admin:
            self._admin.close()

    def _kill_orphans(self):
        """Processes of an ended eds that still run, although none should."""
        for pid in self.orphans():
            os.kill(pid, signal.SIGKILL)

    @property
    def js(self):
        """JetStream over an unrestricted connection, a new one after a restart of the nats-server."""
        if self._admin is None or not self._admin.connected():
            self._close_admin()
            self._admin = self.nats.connect()
        return JetStream(self._admin)

    @property
    def admin(self):
        return self.js.client

    # ---- the programs

    def environment(self, **changes):
        """The environment of the programs: no proxy between them and the loopback servers."""
        env = {k: v for k, v in os.environ.items() if k.lower() not in PROXIES and not k.startswith("SM_")}
        env.update({k: str(v) for k, v in changes.items()})
        return env

    def run(self, program, *args, timeout=30, env=None, say=None, before=(), cwd=None):
        """Run one of our programs to its end; a CompletedProcess with text.  `say`: its standard input;
        `before`: a program that starts it, such as setpriv."""
        stdin = {"stdin": subprocess.DEVNULL} if say is None else {"input": say}
        return subprocess.run([*before, os.path.join(build_dir(), program), *map(str, args)], timeout=timeout,
                              env=env or self.environment(), capture_output=True, text=True, errors="replace",
                              cwd=cwd or self.dir, **stdin)

    def enroll(self, code=None, server_id=SERVER_ID):
        """`eds enroll` with a fresh code; AssertionError with its output when it fails."""
        done = self.run("eds", "enroll", code or self.hq.new_code(server_id), "--data-dir", self.data_dir,
                        "--api-url", self.hq.url)
        assert done.returncode == 0, f"eds enroll ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def file_url(self, name="files"):
        return "file://" + self.file_dir(name)

    def file_dir(self, name="files"):
        return os.path.join(self.dir, name)

    def sqlite_url(self, name="shop"):
        return "sqlite://" + self.sqlite_path(name)

    def sqlite_path(self, name="shop"):
        return os.path.join(self.dir, name + ".db")

    def write_conf(self, conf):
        """eds.conf from text, or from {destination name: URL or {option: value}}."""
        if not isinstance(conf, str):
            lines = []
            for name, options in conf.items():
                options = {"url": options} if isinstance(options, str) else options
                lines += [f"[destination {name}]", *(f"{k} = {v}" for k, v in options.items()), ""]
            conf = "\n".join(lines)
        with open(self.conf_path, "w", encoding="utf-8") as f:
            f.write(conf)
        return self.conf_path

    def server_arguments(self, nats_url=None):
        """What follows `eds`: the server of this laboratory."""
        argv = ["server", "--data-dir", self.data_dir, "--server", nats_url or self.nats.url, "--api-url", self.hq.url,
                "--port", self.http_port]
        if os.path.exists(self.conf_path):
            argv += ["--config", self.conf_path]
        return argv

    def start_eds(self, conf=None, args=(), wait=True, nats_url=None, before=(), **env):
        """Start `eds server` and wait: True, until its consumer exists and pulls; "answer", until edsctl gets an
        answer; False, not at all.  Returns the Process."""
        if conf is not None:
            self.write_conf(conf)
        argv = [*before, os.path.join(build_dir(), "eds"), *self.server_arguments(nats_url), *args]
        self.eds = proc.Process(argv, self.log_path, env=self.environment(**env))
        if wait == "answer":
            self.wait_until(lambda: self.edsctl("ping").returncode == 0, "the server to answer")
        elif wait:
            self.wait_consumer()
        return self.eds

    @property
    def log_path(self):
        """The output of every server that was started here, one behind the other."""
        return os.path.join(self.dir, "eds.log")

    def whole_log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def secrets(self):
        """What no output of any program may contain: tokens, and the parts of NATS credentials."""
        found = set(self.hq.tokens())
        for session in self.hq.sessions.values():
            found.update(line for line in session.creds.splitlines() if len(line) > 40 and " " not in line)
        return found

    def stop_eds(self, timeout=20):
        """End it in order; returns its exit status."""
        return self._end_eds(lambda: self.eds.stop(timeout))

    def kill_eds(self):
        """SIGKILL, as a crash would be; the workers end a moment later, by themselves."""
        self.killed = True
        return self._end_eds(self.eds.kill)

    def _end_eds(self, end):
        if self.eds.running():
            self._orphans.update(descendants(self.eds.pid))
        return end()

    def orphans(self):
        """Pids of processes of an ended eds that still run."""
        return [pid for pid, started in self._orphans.items() if start_time(pid) == started]

    # ---- asking the server

    def edsctl(self, *args, timeout=20):
        """Run edsctl on that server, on lines that are long enough for whole sentences."""
        return self.run("edsctl", "--data-dir", self.data_dir, *args, timeout=timeout,
                        env=self.environment(COLUMNS=1000))

    def edsctl_process(self, *args):
        """edsctl on that server, running beside the test; its output goes to a file of its own."""
        return proc.Process([os.path.join(build_dir(), "edsctl"), "--data-dir", self.data_dir, *args],
                            os.path.join(self.dir, f"edsctl-{time.monotonic_ns()}.log"), env=self.environment(COLUMNS=1000))

    def workers_of(self, name):
        """Pids of all processes that work for a destination: its worker, and others with a task of their own."""
        found = []
        for pid in descendants(self.eds.pid):
            try:
                with open(f"/proc/{pid}/cmdline") as f:
                    if f.read().rstrip("\0") == f"eds-worker: {name}":
                        found.append(pid)
            except OSError:
                pass        # it ended while we looked
        return found

    def status(self):
        """The status document; AssertionError with edsctl's words when there is none."""
        done = self.edsctl("status", "--json")
        assert done.returncode in (0, 4), f"edsctl status ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def destination(self, name):
        """A destination's part of the status."""
        for destination in self.status()["destinations"]:
            if destination["name"] == name:
                return destination
        raise KeyError(f"the server knows no destination {name}")

    def wait_state(self, name, *states, timeout=20.0):
        """Until a destination is in one of the states; returns its part of the status."""
        def look():
            found = self.destination(name)
            return found if found["state"] in states else None
        return self.wait_until(look, f"{name} to be {' or '.join(states)}", timeout)

    def wait_running(self, *names, timeout=20.0):
        for name in names or [d["name"] for d in self.status()["destinations"]]:
            self.wait_state(name, "running", timeout=timeout)

    def get(self, path, timeout=10.0):
        """(status, body as text) of the server's own HTTP endpoints."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def worker_pid(self, name):
        """The pid of a destination's worker, awaited while there is none."""
        return proc.wait_until(lambda: self.destination(name)["pid"], f"a worker for {name}")

    def kill_worker(self, name, number=signal.SIGKILL):
        """Send a signal to a destination's worker; returns its pid."""
        pid = self.worker_pid(name)
        os.kill(pid, number)
        return pid

    @property
    def consumer(self):
        return "eds-" + SERVER_ID

    # ---- waiting

    def wait_until(self, condition, what, timeout=20.0):
        """condition() is truthy; fails at once, with its last words, when eds has ended meanwhile."""
        def look():
            value = condition()
            if not value and self.eds and not self.eds.running():
                raise AssertionError(f"eds ended with {self.eds.exit_status()} while waiting for {what}; "
                                     f"it said:\n{self.eds.last_lines()}")
            return value
        return proc.wait_until(look, lambda: f"{what}; eds said:\n" + (self.eds.last_lines() if self.eds else ""),
                               timeout)

    def wait_log(self, pattern, timeout=20.0):
        return self.eds.wait_log(pattern, timeout)

    def wait_consumer(self, timeout=20.0):
        """Until the durable consumer exists and somebody pulls from it."""
        def pulling():
            info = self.js.consumer_info(self.consumer)
            return info and info["num_waiting"] > 0
        self.wait_until(pulling, f"the consumer {self.consumer} to be created and pulled from", timeout)

    def wait_delivered(self, *names, timeout=60.0):
        """Until the named destinations (default all) have everything, by status and by the stream."""
        def delivered():
            if not self.js.settled(self.consumer):
                return False
            chosen = [d for d in self.status()["destinations"] if not names or d["name"] in names]
            return len(chosen) >= max(1, len(names)) and all(
                d["behind"] == 0 and d["in_flight"] == 0 for d in chosen)
        started = time.monotonic()
        self.wait_until(delivered, "everything to be delivered to " + (", ".join(names) or "all"), timeout)
        return time.monotonic() - started

    # ---- traffic and judgement

    def publish(self, count):
        """Publish the next `count` events of the stream and note them in the oracle."""
        return self.publish_events(self.events.batch(count))

    def publish_events(self, events):
        self.admin.publish_many(e.message for e in events)
        self.oracle.record(*events)
        return events

    def differences(self, files="files", sqlite="shop"):
        """What is wrong at the two destinations; None leaves one out."""
        found = []
        if files:
            found += self.oracle.compare_files(self.file_dir(files))
        if sqlite:
            found += self.oracle.compare_sqlite(self.sqlite_path(sqlite))
        return found
