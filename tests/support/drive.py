"""A destination's driver by hand, without supervisor and worker: build/drive, one command after the other."""
import json
import os
import subprocess

from tests.support.lab import PROXIES, build_dir
from tests.support.natsd import ROOT


def schemas_by_version(schemas):
    """{"table/version": text} of schemas as HQ lists them."""
    return {f"{s['table']}/{s['modelVersion']}": json.dumps(s) for s in schemas.values()}


class Drive:
    """`with Drive(schemas) as d: d.open(url) ...`; each command gives the answer as a dict."""

    def __init__(self, schemas=None, data_dir="/tmp", log_path=None, **environment):
        self.schemas, self.data_dir = schemas or {}, str(data_dir)
        env = {k: v for k, v in os.environ.items() if k.lower() not in PROXIES}
        env.update(environment)
        self._log = open(log_path, "ab") if log_path else None
        self.child = subprocess.Popen([os.path.join(build_dir(), "drive")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self._log or subprocess.DEVNULL, env=env, cwd=ROOT, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Ends it in order; the driver is closed."""
        self.child.stdin.close()
        try:
            self.child.wait(30)
        finally:
            self.child.kill()
            self.child.wait()
            self.child.stdout.close()
            if self._log:
                self._log.close()

    def ask(self, do, **fields):
        self.child.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, f"the driver's process ended with {self.child.wait()} at {do}"
        return json.loads(line)

    def open(self, url, strategy="standard", session=""):
        return self.ask("open", url=url, strategy=strategy, session=session, data_dir=self.data_dir, schemas=self.schemas)

    def test(self, url):
        return self.ask("test", url=url, strategy="standard", session="", data_dir=self.data_dir, schemas=self.schemas)

    def deliver(self, *payloads):
        """Payloads as text, bytes, or Events of tests/support/events.py."""
        texts = [getattr(p, "payload", p) for p in payloads]
        return self.ask("deliver", events=[t.decode() if isinstance(t, bytes) else t for t in texts])

    def must(self, answer, result="stored"):
        assert answer["result"] == result, answer
        return answer
