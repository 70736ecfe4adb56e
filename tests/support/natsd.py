"""A throw-away nats-server in operator mode, and the credentials for it."""
import datetime
import glob
import ipaddress
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import uuid

from tests.support import nkeys, proc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STREAM = "dbchange"


def nats_server_version(path):
    """(major, minor, patch) of a nats-server program."""
    text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise RuntimeError(f"{path} --version printed {text!r}, which names no version")
    return tuple(int(n) for n in found.groups())


def find_nats_server():
    """The best nats-server at hand, a newer one before Debian 12's own; None without any."""
    named = os.environ.get("EDS_TEST_NATS_SERVER")
    if named:
        return named
    fetched = [p for p in glob.glob(os.path.join(ROOT, "build/tools/nats-server*")) if os.path.isfile(p)]
    if fetched:
        return max(fetched, key=nats_server_version)
    return shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/bin")


def make_certificates(folder, name="localhost"):
    """A certificate authority and a server certificate for that name and loopback; returns (ca, cert, key) paths."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certify(subject, key, issuer, issuer_key, extensions):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer))
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=2)))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    hosts = x509.SubjectAlternativeName([x509.DNSName(name),
                                         x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    texts = {
        "ca.pem": certify("EDS laboratory CA", ca_key, "EDS laboratory CA", ca_key,
                          [(x509.BasicConstraints(ca=True, path_length=0), True)]),
        "server.pem": certify(name, key, "EDS laboratory CA", ca_key, [(hosts, False)]),
        "server.key": key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption()),
    }
    for name, text in texts.items():
        write_private(os.path.join(folder, name), text)
    return tuple(os.path.join(folder, name) for name in texts)


def write_private(path, content):
    """Create or replace a file that only its owner can read."""
    if isinstance(content, str):
        content = content.encode()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
        f.write(content)
    return path


class NatsServer:
    """start() ... stop(); kill() and start() again keep port, store and identities."""

    def __init__(self, folder=None, program=None, tls=False, max_payload=8 << 20):
        self.program = program or find_nats_server()
        if self.program is None:
            raise RuntimeError("no nats-server found: install the package nats-server, "
                               "or name one in EDS_TEST_NATS_SERVER")
        self.version = nats_server_version(self.program)
        self._own_folder = None if folder else tempfile.mkdtemp(prefix="eds-nats-")
        self.folder = str(folder or self._own_folder)
        os.makedirs(self.folder, exist_ok=True)
        self.port = proc.free_port()
        self.url = f"{'tls' if tls else 'nats'}://127.0.0.1:{self.port}"
        self._max_payload = max_payload
        self._operator = nkeys.KeyPair(nkeys.OPERATOR)
        self._system = nkeys.KeyPair(nkeys.ACCOUNT)
        self._account = nkeys.KeyPair(nkeys.ACCOUNT)
        self.ca_path, self._cert, self._key = make_certificates(self.folder) if tls else (None,) * 3
        self._process = None
        self._write_config()

    def _write_config(self):
        op = self._operator
        lines = [
            "server_name: laboratory",
            f"listen: 127.0.0.1:{self.port}",
            f"max_payload: {self._max_payload}",
            "jetstream { store_dir: %s }" % json.dumps(os.path.join(self.folder, "store")),
            "operator: " + op.issue(op.public, "laboratory", nkeys.operator_claims(self._system.public)),
            "system_account: " + self._system.public,
            "resolver: MEMORY",
            "resolver_preload: {",
            f"  {self._system.public}: " + op.issue(self._system.public, "SYS", nkeys.account_claims(False)),
            f"  {self._account.public}: " + op.issue(self._account.public, "EDS", nkeys.account_claims(True)),
            "}",
        ]
        if self.ca_path:
            lines.append("tls { cert_file: %s, key_file: %s, timeout: 5 }"
                         % (json.dumps(self._cert), json.dumps(self._key)))
        self.config_path = write_private(os.path.join(self.folder, "nats.conf"), "\n".join(lines) + "\n")

    # ---- life

    def start(self):
        if self._process and self._process.running():
            return self
        self._process = proc.Process([self.program, "-c", self.config_path],
                                     os.path.join(self.folder, "nats-server.log"))
        try:
            proc.wait_until(self._answers, lambda: "nats-server to answer; it said:\n" + self._process.last_lines(),
                            timeout=15)
        except proc.TimedOut:
            self._process.kill()
            raise
        return self

    def _answers(self):
        if not self._process.running():
            raise RuntimeError("nats-server ended at start; it said:\n" + self._process.last_lines())
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                return s.recv(4) == b"INFO" and "Server is ready" in self._process.log()
        except OSError:
            return False

    def running(self):
        return self._process is not None and self._process.running()

    @property
    def pid(self):
        return self._process.pid

    def stop(self):
        if self._process:
            self._process.stop()

    def kill(self):
        if self._process:
            self._process.kill()

    def restart(self, how="stop"):
        """End it (how: "stop" or "kill") and start it on the same port and store."""
        getattr(self, how)()
        return self.start()

    def close(self):
        self.stop()
        if self._own_folder:
            shutil.rmtree(self._own_folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # ---- identities; a running server accepts new ones at once

    def _mint(self, name, claims, account=None, expires_in=None):
        user = nkeys.KeyPair(nkeys.USER)
        token = (account or self._account).issue(user.public, name, claims, expires_in)
        return nkeys.creds_text(token, user.seed)

    def eds_creds(self, server_id, companies, session_id=None, expires_in=None, named=True):
        """What HQ gives an enrolled server: the creds text, restricted to its companies and session, unless `named` is
        false: then no session is named in it."""
        sid = session_id or str(uuid.uuid4())
        publish = ["$JS.API.STREAM.NAMES", f"$JS.ACK.{STREAM}.>", "$JS.API.CONSUMER.>",
                   f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.>", f"eds.client.{sid}.>", "_INBOX.>"]
        subscribe = [f"dbchange.*.*.{c}.*.PUBLIC.>" for c in companies]
        subscribe += [f"eds.notify.{sid}.>", "_INBOX.>"] if named else ["_INBOX.>"]
        return self._mint(server_id, nkeys.user_claims(publish, subscribe), expires_in=expires_in)

    def admin_creds(self):
        """A user of the same account without restriction."""
        return self._mint("laboratory-admin", nkeys.user_claims())

    def system_creds(self):
        """A user of the system account ($SYS.>)."""
        return self._mint("laboratory-system", nkeys.user_claims(), account=self._system)

    def connect(self, creds=None, **options):
        """A client on this server, the unrestricted user unless told otherwise."""
        from tests.support.natswire import Client
        return Client(self.url, creds or self.admin_creds(), ca_path=self.ca_path, **options)
