"""The HTTP endpoints of a running server."""
import http.client
import json
import re
import socket

import pytest

from helpers import Fault, quick
from tests.support import proc


def metrics(lab):
    status, text = lab.get("/metrics")
    assert status == 200
    values = {}
    for line in text.splitlines():
        found = re.fullmatch(r"([a-zA-Z_:][\w:]*)(\{[^}]*\})? (\S+)", line)
        if found:
            values[found.group(1) + (found.group(2) or "")] = float(found.group(3))
        else:
            assert line.startswith("# ") or line == "", line
    return values


def test_the_endpoints_of_a_healthy_server(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
    lab.wait_running()
    lab.publish(200)
    lab.wait_delivered()
    assert lab.get("/") == (200, "")
    assert lab.get("/anything/else") == (200, "")
    assert lab.get("/ready")[0] == 200 and json.loads(lab.get("/ready")[1]) == {"ready": True}
    status, text = lab.get("/status")
    doc = json.loads(text)
    assert status == 200 and doc["server"]["pid"] == lab.eds.pid
    assert [d["name"] for d in doc["destinations"]] == ["files", "shop"]
    assert doc["upstream"]["received"] == 200
    for verb in "pause", "unpause", "restart", "shutdown", "logfile":
        assert lab.get("/control/" + verb)[0] == 403, "control goes through edsctl"
    assert lab.eds.running()


def test_h52_the_endpoints_listen_where_the_configuration_says(enrolled):
    lab = enrolled
    lab.start_eds("[server]\nlisten_address = 127.0.0.2\n[destination null]\nurl = null://\n", wait="answer")
    link = http.client.HTTPConnection("127.0.0.2", lab.http_port, timeout=10)
    link.request("GET", "/")
    assert link.getresponse().status == 200
    link.close()
    for path in "restart", "shutdown":
        link = http.client.HTTPConnection("127.0.0.2", lab.http_port, timeout=10)
        link.request("GET", "/control/" + path)
        assert link.getresponse().status == 403
        link.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", lab.http_port), timeout=10)
    assert lab.eds.running()


def test_the_metrics_count_what_happens(enrolled):
    lab, fault = enrolled, Fault(enrolled)
    lab.start_eds({"files": quick(lab.file_url()), "fault": quick(fault.url)})
    lab.wait_running()
    lab.publish(200)
    lab.wait_delivered()
    values = metrics(lab)
    assert values["eds_total_events"] == 200 and values["eds_pending_events"] == 0
    assert values["eds_flush_count_sum"] == 400 and values["eds_flush_count_count"] >= 2
    assert values["eds_flush_duration_seconds_count"] == values["eds_flush_count_count"]
    assert values['eds_flush_count_bucket{le="+Inf"}'] == values["eds_flush_count_count"]
    named = [k for k in values if 'destination="fault"' in k]
    assert any(values[k] == 200 for k in named), named
    assert values["process_resident_memory_bytes"] > 1 << 20
    fault.say("retry closed")
    lab.publish(50)
    lab.wait_until(lambda: lab.destination("fault")["trouble"], "trouble")
    lab.wait_until(lambda: lab.destination("files")["committed"] == 250, "files to have everything")
    after = metrics(lab)
    assert any("behind" in k and 'destination="fault"' in k and v == 50 for k, v in after.items())
    assert any("behind" in k and 'destination="files"' in k and v == 0 for k, v in after.items())
    status, text = lab.get("/ready")
    assert status == 503 and "closed" in json.loads(text)["reason"]
    assert lab.get("/")[0] == 200, "alive it is"


def test_many_clients_and_bad_ones_disturb_nothing(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url())})
    lab.wait_running()
    idle = [socket.create_connection(("127.0.0.1", lab.http_port)) for _ in range(50)]
    try:
        for raw in (b"\x16\x03\x01 not http\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000,
                    b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", lab.http_port)) as s:
                try:
                    s.sendall(raw)
                except OSError:
                    pass        # it hung up before all was said: its right
        lab.publish(100)
        lab.wait_delivered()
    finally:
        for s in idle:
            s.close()
    assert lab.differences(sqlite=None) == []
    proc.wait_until(lambda: lab.get("/")[0] == 200, "the endpoints to answer")


def test_a_post_is_answered_as_the_earlier_server_did(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()})
    connection = http.client.HTTPConnection("127.0.0.1", lab.http_port, timeout=10)
    connection.request("POST", "/", b"x")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_port_in_use_is_said_with_its_owner(enrolled):
    lab = enrolled
    with socket.create_server(("127.0.0.1", 0)) as s:
        lab.http_port = s.getsockname()[1]
        lab.start_eds({"files": lab.file_url()}, wait=False)
        assert lab.eds.wait() == 1
    assert re.search(rf"\[ERROR\] .*127\.0\.0\.1 port {lab.http_port} is in use by python3 \(pid \d+\); .*--port", lab.eds.log())
    assert len(lab.eds.log().splitlines()) == 1, "one message, no more"
    assert not lab.hq.sessions


def test_no_port_no_endpoints(enrolled):
    lab = enrolled
    lab.http_port = 0
    lab.start_eds({"files": lab.file_url()})
    lab.publish(30)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


def test_the_variable_port_counts_when_nothing_else_does(enrolled):
    lab = enrolled
    port = proc.free_port()
    lab.write_conf({"files": lab.file_url()})
    argv = lab.server_arguments()
    at = argv.index("--port")
    lab.server_arguments = lambda nats_url=None: argv[:at] + argv[at + 2:]
    lab.start_eds(PORT=port)
    lab.http_port = port
    assert lab.get("/")[0] == 200
