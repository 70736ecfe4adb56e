"""OpenStack Swift with its S3 API: a real service that checks signatures, body hashes, clock and region.

One throw-away instance in a directory of its own: a proxy, an account, a container and an object server.
"""
import os
import shutil
import subprocess
import sys
import time

from tests.support import proc

KEY, SECRET, REGION = "test:tester", "testing+secret/1", "us-east-1"
SERVERS = ("account", "container", "object")

COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
user = {user}
log_name = {name}
log_address = {folder}/no-syslog
"""
STORAGE = COMMON + """[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
PROXY = COMMON + """[pipeline:main]
pipeline = catch_errors cache proxy-logging listing_formats s3api tempauth bulk slo dlo proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = {region}
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
[filter:cache]
paste.filter_factory = memory_cache:factory
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


# Swift keeps what it has looked up in memcached; one process can keep it for itself.
CACHE = """
class Cache(dict):
    def __bool__(self):
        return True
    def get(self, key, raise_on_error=False):
        return super().get(key)
    def set(self, key, value, **_):
        self[key] = value
    def incr(self, key, delta=1, **_):
        self[key] = int(super().get(key) or 0) + delta
        return self[key]
    def delete(self, key, **_):
        self.pop(key, None)
def factory(conf, **_):
    cache = Cache()
    def wrap(app):
        def call(environ, start_response):
            environ["swift.cache"] = cache
            return app(environ, start_response)
        return call
    return wrap
"""


def why_not():
    """Why it cannot be had here; None when it can."""
    missing = [n for n in ("proxy", *SERVERS) if shutil.which(f"swift-{n}-server") is None]
    if missing:
        return f"no swift-{missing[0]}-server: install the packages swift-proxy, swift-account, swift-container, swift-object"
    try:
        import botocore     # noqa: F401
    except ImportError:
        return "no python3-botocore to read the objects back"
    return None


class Swift:
    """Public parts: port, client() (botocore's), url(place), log()."""

    def __init__(self, folder):
        self.folder, self._processes = folder, []
        os.makedirs(os.path.join(folder, "devices", "d1"))
        with open(os.path.join(folder, "swift.conf"), "w", encoding="utf-8") as f:
            f.write("[swift-hash]\nswift_hash_path_suffix = laboratory\n[storage-policy:0]\nname = one\ndefault = yes\n")
        with open(os.path.join(folder, "memory_cache.py"), "w", encoding="utf-8") as f:
            f.write(CACHE)
        self._environment = {**os.environ, "PYTHONPATH": folder, "PYTHONWARNINGS": "ignore"}
        ports = {name: proc.free_port() for name in SERVERS}
        for name, port in ports.items():
            self._make_ring(name, port)
            self._start(name, STORAGE, port)
        self.port = proc.free_port()
        self._start("proxy", PROXY, self.port)

    def _make_ring(self, name, port):
        builder = os.path.join(self.folder, name + ".builder")
        for command in (["create", "4", "1", "0"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"]):
            subprocess.run(["swift-ring-builder", builder, *command], check=True, capture_output=True, env=self._environment,
                           cwd=self.folder)

    def _start(self, name, template, port):
        conf = os.path.join(self.folder, name + "-server.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(template.format(port=port, folder=self.folder, name=name, user=_user(), secret=SECRET, region=REGION))
        self._processes.append(proc.Process(
            [sys.executable, "-c", _RUN, shutil.which(f"swift-{name}-server"), self.folder, conf],
            os.path.join(self.folder, name + ".log"), env=self._environment, cwd=self.folder))

    def client(self, **more):
        import botocore.session
        from botocore.config import Config
        return botocore.session.Session().create_client(
            "s3", endpoint_url=f"http://127.0.0.1:{self.port}", aws_access_key_id=KEY, aws_secret_access_key=SECRET,
            region_name=REGION, config=Config(s3={"addressing_style": "path"}, signature_version="s3v4", proxies={},
                                              retries={"max_attempts": 0}), **more)

    def wait(self, timeout=60.0):
        """Until it makes a bucket; its last words when it does not."""
        client, last = self.client(), None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for process in self._processes:
                if not process.running():
                    raise proc.TimedOut(f"{process.argv[3]} ended:\n{process.last_lines()}")
            try:
                client.create_bucket(Bucket="ready")
                return self
            except Exception as e:      # whatever it says before it is up
                last = e
                proc.pause(0.1)
        raise proc.TimedOut(f"Swift does not come up: {last}\n{self._processes[-1].last_lines()}")

    def url(self, place, key=KEY, secret=SECRET, region=REGION):
        from urllib.parse import quote
        return (f"s3://127.0.0.1:{self.port}/{place}?access-key-id={quote(key, '')}&secret-access-key={quote(secret, '')}"
                f"&region={region}&uploadTasks=16")

    def close(self):
        for process in self._processes:
            process.kill()


def _user():
    import pwd
    return pwd.getpwuid(os.geteuid()).pw_name


# A server as its own program runs it, with swift.conf of the laboratory instead of /etc/swift's.
_RUN = """
import runpy, sys
program, folder, conf = sys.argv[1:4]
import swift.common.utils, swift.common.storage_policy
try:
    import swift.common.utils.config as config
except ImportError:
    config = swift.common.utils
config.SWIFT_CONF_FILE = swift.common.utils.SWIFT_CONF_FILE = folder + "/swift.conf"
sys.argv = [program, conf, "-v"]
runpy.run_path(program, run_name="__main__")
"""
