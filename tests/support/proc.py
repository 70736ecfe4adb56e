"""Child processes that never outlive the program that started them, and waiting without guessing."""
import ctypes
import os
import pwd
import re
import signal
import socket
import subprocess
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


class TimedOut(AssertionError):
    """Something that was awaited did not come true; the text says what."""


def pause(seconds):
    """Give the others a moment; only inside loops that await a condition."""
    threading.Event().wait(seconds)


def wait_until(condition, what, timeout=20.0, every=0.02):
    """The first truthy value of condition(); TimedOut names `what` (a text or a function)."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimedOut(f"gave up after {timeout:g} s waiting for {what() if callable(what) else what}")
        pause(every)


def as_account(name):
    """What is put in front of a server that is not to run as root: it runs as that account, and ends with its creator."""
    if os.getuid() != 0:
        return []
    account = pwd.getpwnam(name)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
            "--pdeathsig=KILL", "--"]


_PORTS = range(10240, 32768)     # below those that the system gives to clients: nobody gets one by chance
_next_port = [os.getpid() * 7919]


def free_port():
    """A loopback port that was free a moment ago, and that no other test process is likely to ask for."""
    while True:
        port = _PORTS[_next_port[0] % len(_PORTS)]
        _next_port[0] += 1
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Process:
    """A running program with its output in a file.

    The kernel kills it when the thread that created it ends, so create it in a
    thread that lives as long as the process should (the main one).  It has a
    session of its own: Ctrl-C at the terminal reaches only its creator.
    """

    def __init__(self, argv, log_path, env=None, cwd=None):
        self.argv = [str(a) for a in argv]
        self.name = os.path.basename(self.argv[0])
        self.log_path = str(log_path)
        self._lock = threading.Lock()
        parent = os.getpid()

        def tie_to_parent():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:      # it died before the line above
                os._exit(127)

        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self._child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=subprocess.STDOUT, preexec_fn=tie_to_parent,
                                           env=env, cwd=cwd, start_new_session=True)
        self.pid = self._child.pid

    def running(self):
        return self.exit_status() is None

    def exit_status(self):
        """None while it runs; the negative signal number when a signal ended it."""
        with self._lock:
            return self._child.poll()

    def wait(self, timeout=20.0):
        wait_until(lambda: not self.running(), f"{self.name} (pid {self.pid}) to end", timeout)
        return self._child.returncode

    def signal(self, number):
        """Send a signal unless it has ended; the pid cannot be someone else's, for it is not yet reaped."""
        with self._lock:
            if self._child.poll() is None:
                os.kill(self.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def stop(self, timeout=20.0):
        """Ask it to end; insist when it does not.  Returns its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except TimedOut:
            return self.kill()

    def log(self):
        """What it has written since it was started."""
        with open(self.log_path, "rb") as f:
            f.seek(self._log_start)
            return f.read().decode(errors="replace")

    def wait_log(self, pattern, timeout=20.0):
        """The first match of the regular expression in the output so far or to come."""
        def look():
            found = re.search(pattern, self.log(), re.M)
            if found is None and not self.running():
                found = re.search(pattern, self.log(), re.M)    # its last words
                if found is None:
                    raise TimedOut(f"{self.name} ended with {self.exit_status()} without logging "
                                   f"/{pattern}/; last lines:\n{self.last_lines()}")
            return found
        return wait_until(look, lambda: f"/{pattern}/ in the output of {self.name}; last lines:\n"
                          + self.last_lines(), timeout)

    def last_lines(self, count=15):
        return "\n".join(self.log().splitlines()[-count:])
