"""A real Apache Kafka broker, one for a whole run of the tests, whichever of pytest's processes asks first.

    broker, reason = shared()       # broker is None: `reason` says why there is none

The broker belongs to a keeper, a process of its own that starts it again when it was killed, and that
ends it and removes its folder when the run has ended, in whatever way.
"""
import fcntl
import glob
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile

from tests.support import proc
from tests.support.natsd import ROOT, make_certificates, write_private

NAMESPACE = "Endpoint=sb://shop.servicebus.windows.net/"
SHARED_KEY = "c2hhcmVkLWtleSt3aXRoL3NpZ25zK2FuZC9zbGFzaGVz+/8="
HUB = "eds-hub"
CONNECTION_STRING = f"{NAMESPACE};SharedAccessKeyName=send;SharedAccessKey={SHARED_KEY};EntityPath={HUB}"
USERS = {"alice": "al+ce's /secret%", "outsider": "outside"}     # by PLAIN; the outsider has no rights at all
SCRAM_USER, SCRAM_PASSWORD = "scram", "scram-secret"
HEAP = ("-Xms96m", "-Xmx256m", "-XX:+UseSerialGC")
QUICK_START = ("-XX:TieredStopAtLevel=1", "-Xshare:auto")
MAX_MESSAGE = 1048588        # Kafka's own default
START_S = 90


def classpath():
    """The jars, or None with the reason; fetched when nobody has tried yet."""
    tools = os.path.join(ROOT, "build/tools")
    if not glob.glob(tools + "/kafka/libs-*") and not os.path.exists(tools + "/kafka.missing"):
        subprocess.run(["sh", os.path.join(ROOT, "tests/support/fetch-kafka.sh")], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folders = glob.glob(tools + "/kafka/libs-*")
    if not folders:
        with open(tools + "/kafka.missing", encoding="utf-8") as f:
            return None, f.read().strip()
    if shutil.which("java") is None:
        return None, "no java on this machine (package default-jre-headless)"
    return folders[0] + "/*", None


class Server:
    """One broker of a cluster of one, in a folder; start() after kill() keeps ports, topics and data."""

    def __init__(self, folder, jars, options=QUICK_START, partitions=6):
        self.folder, self._jars, self._options = str(folder), jars, (*HEAP, *options)
        self.ports = {name: proc.free_port() for name in ("PLAINTEXT", "TLS", "EH", "CONTROLLER")}
        self.ca, cert, key = make_certificates(self.folder)
        pem = os.path.join(self.folder, "broker.pem")
        write_private(pem, b"".join(open(p, "rb").read() for p in (key, cert)))
        self._config = write_private(os.path.join(self.folder, "server.properties"),
                                     self._properties(pem, partitions))
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA", "JAVA", "JDK"))}
        self._process = None
        self._format()

    def _properties(self, pem, partitions):
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required " + " ".join(
            f'user_{user}="{password}"' for user, password in
            {**USERS, "$ConnectionString": CONNECTION_STRING}.items()) + ";"
        ports = self.ports
        return "\n".join((
            "process.roles=broker,controller", "node.id=1", f"controller.quorum.voters=1@127.0.0.1:{ports['CONTROLLER']}",
            "listeners=" + ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
            "advertised.listeners=" + ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()
                                               if name != "CONTROLLER"),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,TLS:SSL,EH:SASL_SSL,CONTROLLER:PLAINTEXT",
            "controller.listener.names=CONTROLLER", "inter.broker.listener.name=PLAINTEXT",
            f"log.dirs={self.folder}/data", "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=1",
            "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
            "group.initial.rebalance.delay.ms=0", "broker.session.timeout.ms=1500", "broker.heartbeat.interval.ms=300",
            f"num.partitions={partitions}",
            "ssl.keystore.type=PEM", f"ssl.keystore.location={pem}",
            "listener.name.eh.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,OAUTHBEARER",
            "listener.name.eh.plain.sasl.jaas.config=" + plain,
            "listener.name.eh.scram-sha-256.sasl.jaas.config="
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "listener.name.eh.oauthbearer.sasl.jaas.config="
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="eds";',
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS;User:alice;User:$ConnectionString;User:eds;User:" + SCRAM_USER,
            "log.flush.interval.messages=9223372036854775807", "controlled.shutdown.enable=false", ""))

    def _java(self, main, *args):
        return ["java", *self._options, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info", "-cp", self._jars, main, *args]

    def _format(self):
        done = subprocess.run(self._java(
            "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", self._config, "--add-scram",
            f"SCRAM-SHA-256=[name={SCRAM_USER},password={SCRAM_PASSWORD}]"), capture_output=True, text=True,
            env=self._environment, check=False)
        if done.returncode != 0:
            raise RuntimeError("Kafka cannot be set up: " + (done.stderr or done.stdout)[-300:])

    def start(self, tries=3):
        """One that was killed does not always come up at the first attempt."""
        self._process = proc.Process(self._java("kafka.Kafka", self._config), os.path.join(self.folder, "broker.log"),
                                     env=self._environment)
        try:
            self._process.wait_log(r"Kafka Server started", START_S)
        except proc.TimedOut:
            self._process.kill()
            if tries == 1:
                raise
            return self.start(tries - 1)
        return self

    @property
    def process(self):
        return self._process

    def stop(self):
        if self._process:
            self._process.kill()


class Broker:
    """What a test needs to know of the broker that runs."""

    def __init__(self, folder):
        self._folder = folder

    @property
    def _state(self):
        with open(os.path.join(self._folder, "state.json"), encoding="utf-8") as f:
            return json.load(f)

    @property
    def pid(self):
        return self._state["pid"]

    @property
    def ca(self):
        return self._state["ca"]

    def address(self, listener="PLAINTEXT"):
        return f"127.0.0.1:{self._state['ports'][listener]}"

    def make_topic(self, name, partitions, **config):
        """A topic with settings, whose names have _ for . here; one that is there already stays as it is."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient, NewTopic
        settings = {k.replace("_", "."): str(v) for k, v in config.items()}
        admin = AdminClient({"bootstrap.servers": self.address()})
        made = admin.create_topics([NewTopic(name, partitions, 1, config=settings)])
        try:
            made[name].result(30)
        except KafkaException as e:
            if e.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise

    def has_topic(self, name):
        from confluent_kafka.admin import AdminClient
        return name in AdminClient({"bootstrap.servers": self.address()}).list_topics(timeout=30).topics

    def kill(self):
        """SIGKILL; the keeper starts it again.  wait_again(pid) waits for that."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_again(self, killed):
        proc.wait_until(lambda: self.pid != killed, "the broker to run again", START_S)


def shared():
    """(Broker, None) or (None, why not)."""
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    folder = os.path.join(tempfile.gettempdir(), f"eds-kafka-{os.getuid()}-{owner}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    state = os.path.join(folder, "state.json")
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(state):
            jars, reason = classpath()
            if jars is None:
                write_private(state, json.dumps({"error": reason}))
            else:
                with open(os.path.join(folder, "keeper.log"), "ab") as log:
                    subprocess.Popen([sys.executable, "-m", "tests.support.kafka_broker", folder, str(owner), jars],
                                     cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
                proc.wait_until(lambda: os.path.exists(state), "the broker's keeper to say how it went", START_S + 10)
        with open(state, encoding="utf-8") as f:
            error = json.load(f).get("error")
    return (None, error) if error else (Broker(folder), None)


def keep(folder, owner, jars):
    """The keeper: the broker runs for as long as the process `owner` does."""
    state = os.path.join(folder, "state.json")

    def say(**what):
        write_private(state + ".new", json.dumps(what))
        os.rename(state + ".new", state)

    waiting = select.poll()
    waiting.register(os.pidfd_open(owner), select.POLLIN)
    server = None
    try:
        server = Server(folder, jars)
        while not waiting.poll(0):
            server.start()
            say(ports=server.ports, ca=server.ca, pid=server.process.pid)
            while server.process.running() and not waiting.poll(100):
                pass
    except (OSError, RuntimeError, AssertionError) as e:
        say(error=f"the Kafka broker does not start: {e}")
        waiting.poll()
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    keep(sys.argv[1], int(sys.argv[2]), sys.argv[3])
