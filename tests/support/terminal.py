"""Programs as somebody at a terminal meets them: what they write is read as it comes, and typed to."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from tests.support import proc


def _take_terminal():
    """What login does: signals of the keys, and job control."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A program on a terminal of its own, or on pipes."""

    def __init__(self, argv, cwd, env, terminal=True, columns=80):
        self._master, slave = pty.openpty() if terminal else (None, None)
        self.output = ""
        pipe = subprocess.PIPE
        if terminal:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.child = subprocess.Popen(argv, cwd=cwd, env=env, start_new_session=True, stdin=slave if terminal else pipe,
                                      stdout=slave if terminal else pipe,
                                      stderr=slave if terminal else subprocess.STDOUT,
                                      preexec_fn=_take_terminal if terminal else None)
        if terminal:
            os.close(slave)
        self._in = self._master if terminal else self.child.stdin.fileno()
        self._out = self._master if terminal else self.child.stdout.fileno()

    def read(self, seconds=0.05):
        """What has come meanwhile; False at the end."""
        while select.select([self._out], [], [], seconds)[0]:
            try:
                data = os.read(self._out, 65536)
            except OSError:     # the terminal's way to say that nobody is at the other end
                return False
            if not data:
                return False
            self.output += data.decode(errors="replace")
        return True

    def wait_for(self, text, timeout=20.0):
        deadline = time.monotonic() + timeout
        while text not in self.output:
            alive = self.read()
            if text not in self.output and (not alive or time.monotonic() > deadline):
                raise AssertionError(f"{text!r} did not come; the output was:\n{self.output}")
        self.output = self.output.partition(text)[2]

    def type(self, text):
        os.write(self._in, text.encode())

    def hang_up(self):
        """The end of standard input."""
        if self._master is None:
            self.child.stdin.close()
        else:
            os.write(self._in, b"\x04")

    def wait(self):
        proc.wait_until(lambda: not self.read() or self.child.poll() is not None, "the program to end")
        return self.child.wait(20)

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(20)
        if self._master is not None:
            os.close(self._master)
