"""Releases of this program as the project's place has them, signed with a key of the test's own."""
import io
import os
import platform
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.lab import build_dir
from tests.support.natsd import ROOT

with open(os.path.join(ROOT, "etc/VERSION"), encoding="utf-8") as _f:
    VERSION = _f.read().strip()


def our_programs(version):
    """{name in the archive: bytes} of the programs at hand, which then call themselves `version` (as long as ours)."""
    assert len(version) == len(VERSION)
    found = {}
    for name in ("eds", "eds-worker", "edsctl"):
        with open(os.path.join(build_dir(), name), "rb") as f:
            found[name] = f.read().replace(VERSION.encode() + b"\0", version.encode() + b"\0").replace(
                VERSION.encode() + b" ", version.encode() + b" ").replace(
                b"/" + VERSION.encode(), b"/" + version.encode())
    drivers = os.path.join(build_dir(), "drivers")
    for name in sorted(os.listdir(drivers)):
        if name.endswith(".so"):
            with open(os.path.join(drivers, name), "rb") as f:
                found["drivers/" + name] = f.read()
    return found


class Releases:
    """An HTTP server on loopback; add() makes a release.  `url` and `key_file` are for eds.conf."""

    def __init__(self, folder):
        self.home = os.path.join(folder, "gnupg")
        os.makedirs(self.home, mode=0o700)
        self._gpg("--quick-generate-key", "releases@example.com", "ed25519", "sign", "never")
        self.key_file = os.path.join(folder, "release.asc")
        self._gpg("--armor", "--output", self.key_file, "--export")
        self._files = {}
        releases = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = releases._files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/releases"

    def _gpg(self, *args, **kw):
        done = subprocess.run(["gpg", "--homedir", self.home, "--batch", "--quiet", "--yes", "--passphrase", "",
                               "--pinentry-mode", "loopback", *args], capture_output=True, timeout=60, **kw)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add(self, version, files, spoil=False):
        """A release with these files; with `spoil`, changed after it was signed."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(data), 0o755
                tar.addfile(member, io.BytesIO(data))
        body = packed.getvalue()
        path = f"/releases/v{version}/eds_Linux_{platform.machine()}.tar.gz"
        self._files[path + ".sig"] = self._gpg("--detach-sign", input=body)
        self._files[path] = body + b"x" if spoil else body

    def conf(self):
        return f"[server]\nupgrade_in_container = yes\nrelease_url = {self.url}\nrelease_key = {self.key_file}\n"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], capture_output=True, check=False)
