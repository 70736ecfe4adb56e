import base64
import gzip
import http.client
import json
import os

import pytest

from tests.support import hq_rules, nkeys
from tests.support.heartbeat import HeartbeatCheck, Wrong, decode
from tests.support.hq import Hq
from tests.support.natsd import ROOT
from tests.support.natswire import Message
from tests.support.proc import wait_until

AGENT = "Shopmonkey EDS Server/3.0.2"
with open(os.path.join(ROOT, "tests/vectors/msgpack.json"), encoding="utf-8") as _f:
    VECTORS = json.load(_f)


@pytest.fixture
def hq(nats_server):
    with Hq(nats_server) as hq:
        yield hq


def call(hq, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", int(hq.url.rsplit(":", 1)[1]), timeout=10)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def enrolled(hq):
    status, body = call(hq, "GET", "/v3/eds/internal/enroll/" + hq.new_code("shop-1"))
    assert status == 200
    data = json.loads(body)["data"]
    assert data["serverId"] == "shop-1"
    return {"Content-Type": "application/json", "User-Agent": AGENT, "Authorization": "Bearer " + data["token"]}


HOST = {"hostname": "db1", "uptime": 1, "bootTime": 2, "procs": 3, "os": "linux", "platform": "debian",
        "platformFamily": "debian", "platformVersion": "12.5", "kernelVersion": "6", "kernelArch": "x86_64",
        "virtualizationSystem": "", "virtualizationRole": "", "hostId": "4c4c4544-0042-3510-8054-b3c04f4a5a32"}
START = {"version": "3.0.2", "hostname": "db1", "ipAddress": "10.0.0.5", "machineId": "0f" * 32,
         "osinfo": {"host": HOST, "num_cpu": 2, "go_version": "c11"},
         "driver": {"id": "file", "name": "File", "description": "d", "url": "file:///tmp/e**"}, "serverId": "shop-1"}


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def started(hq, headers, body=START):
    status, answer = call(hq, "POST", "/v3/eds/internal", compact(body), headers)
    assert status == 200, answer
    return json.loads(answer)["data"]


def test_a_code_works_once_and_gives_a_readable_token(hq):
    code = hq.new_code("shop-1")
    status, body = call(hq, "GET", f"/v3/eds/internal/enroll/{code}")
    head, claims, _ = json.loads(body)["data"]["token"].split(".")
    assert json.loads(nkeys.b64url_decode(head))["alg"] == "HS256"
    claims = json.loads(nkeys.b64url_decode(claims))
    assert claims["iss"] == hq.url and {"aud", "cid", "iat"} <= set(claims)
    assert call(hq, "GET", f"/v3/eds/internal/enroll/{code}")[0] == 404
    assert hq.violations == []


def test_a_session_brings_credentials_that_the_nats_server_accepts(hq, nats_server):
    data = started(hq, enrolled(hq))
    assert hq.violations == []
    creds = base64.b64decode(data["credential"]).decode()
    claims = nkeys.read_jwt(nkeys.read_creds(creds)[0])
    assert claims["name"] == "shop-1" and f"eds.notify.{data['sessionId']}.>" in claims["nats"]["sub"]["allow"]
    with nats_server.connect(creds) as client:
        notes = client.subscribe(f"eds.notify.{data['sessionId']}.>")
        client.ping()
        hq.control.notify(data["sessionId"], "restart")
        note = notes.next()
        assert json.loads(note.payload) == {"action": "restart"} and note.header == b""
        hq.control.notify(data["sessionId"], "pause", {}, encoding="gzip/json")
        assert json.loads(gzip.decompress(notes.next().payload)) == {"action": "pause", "data": {}}
        client.publish(f"eds.client.{data['sessionId']}.pause-response", b"\x80")
        assert hq.control.wait_answer("pause-response").payload == b"\x80"


def changed(path, value):
    body = json.loads(json.dumps(START))
    target = body
    for key in path[:-1]:
        target = target[key]
    if value is None:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return body


@pytest.mark.parametrize("body, complaint", [
    (changed(["version"], None), "has the keys"),
    (dict(reversed(START.items())), "has the keys"),
    (changed(["serverId"], "other"), "token belongs to"),
    (changed(["machineId"], "0F" * 32), "machineId"),
    (changed(["ipAddress"], "::1"), "ipAddress"),
    (changed(["osinfo", "num_cpu"], "2"), "num_cpu is not of type int"),
    (changed(["osinfo", "host", "procs"], -1), "negative"),
    (changed(["osinfo", "host", "hostId"], None), "osinfo.host has the keys"),
    (changed(["companyIds"], []), "companyIds"),
    (changed(["driver", "url"], "postgres://u:secret@h/db"), "not masked"),
    (changed(["extra"], 1), "has the keys"),
])
def test_a_wrong_session_body_is_written_down(hq, body, complaint):
    started(hq, enrolled(hq), body)
    assert complaint in "\n".join(hq.violations)


@pytest.mark.parametrize("headers, complaint", [
    ({"Content-Type": "text/plain"}, "Content-Type"), ({"User-Agent": "curl/7"}, "User-Agent"),
    ({"Accept": "*/*"}, "Accept was sent"),
])
def test_wrong_standard_headers_are_written_down(hq, headers, complaint):
    started(hq, {**enrolled(hq), **headers})
    assert complaint in "\n".join(hq.violations)


def test_a_foreign_token_is_refused(hq):
    headers = {**enrolled(hq), "Authorization": "Bearer a.b.c"}
    assert call(hq, "POST", "/v3/eds/internal", compact(START), headers)[0] == 401
    assert "not one that was given out" in "\n".join(hq.violations)


def test_a_session_ends_once_and_takes_one_log(hq):
    headers = enrolled(hq)
    sid = started(hq, headers)["sessionId"]
    path = f"/v3/eds/internal/{sid}"
    _, body = call(hq, "POST", path + "/log", b"{}", headers)
    target = json.loads(body)["data"]["url"].removeprefix(hq.url)
    put = {"User-Agent": AGENT, "Content-Type": "application/x-tgz"}
    assert call(hq, "PUT", target, gzip.compress(b"line\n"), put)[0] == 200
    assert [gzip.decompress(u) for u in hq.uploads.values()] == [b"line\n"]
    status, body = call(hq, "POST", path, b'{"errored":false}', headers)
    assert status == 200 and json.loads(body)["data"]["errorUrl"] == ""
    assert hq.sessions[sid].ended and hq.sessions[sid].errored is False and hq.live_sessions() == []
    assert hq.violations == []
    call(hq, "POST", path, b'{"errored": true}', headers)
    assert call(hq, "PUT", target + "0", b"plain", {})[0] == 403
    text = "\n".join(hq.violations)
    for complaint in ("already been ended", "not spelled compactly", "not one that was signed", "not gzip", "Content-Type is None"):
        assert complaint in text


def test_schemas_come_without_envelope_and_unknown_versions_are_404(hq, schemas):
    agent = {"User-Agent": AGENT}
    assert json.loads(call(hq, "GET", "/v3/schema", headers=agent)[1]) == schemas
    labor = schemas["laborRate"]
    for name in ("laborRate", "labor_rate"):
        status, body = call(hq, "GET", f"/v3/schema/{name}/{labor['modelVersion']}", headers=agent)
        assert status == 200 and json.loads(body) == labor
    assert call(hq, "GET", "/v3/schema/laborRate/nope", headers=agent)[0] == 404
    hq.set_schemas({**schemas, "laborRate": {**labor, "modelVersion": "new"}})
    assert call(hq, "GET", f"/v3/schema/laborRate/{labor['modelVersion']}", headers=agent)[0] == 200
    assert call(hq, "GET", "/v3/schema/laborRate/new", headers=agent)[0] == 200
    assert hq.violations == []
    call(hq, "GET", "/v3/schema", headers=enrolled(hq))
    assert "Authorization was sent" in "\n".join(hq.violations)


def test_hq_can_be_down_busy_slow_or_mad(hq):
    headers = enrolled(hq)
    hq.set_down(True)
    with pytest.raises(ConnectionRefusedError):
        call(hq, "GET", "/v3/schema")
    hq.set_down(False)
    hq.busy = 1
    assert call(hq, "POST", "/v3/eds/internal", compact(START), headers)[0] == 409
    assert hq.sessions == {} and started(hq, headers)
    hq.override("GET /v3/schema$", 503, times=1)
    assert [call(hq, "GET", "/v3/schema", headers={"User-Agent": AGENT})[0] for _ in range(2)] == [503, 200]
    hq.garbage = True
    status, body = call(hq, "GET", "/v3/schema")
    assert status == 200 and b"not JSON" in body
    assert len(hq.requests_to("GET /v3/schema")) == 3 and hq.violations == []


def test_a_connection_kept_open_is_cut_when_hq_goes_down(hq):
    connection = http.client.HTTPConnection("127.0.0.1", int(hq.url.rsplit(":", 1)[1]), timeout=10)
    connection.request("GET", "/v3/schema", headers={"User-Agent": AGENT})
    connection.getresponse().read()
    hq.set_down(True)
    with pytest.raises((OSError, http.client.HTTPException)):
        connection.request("GET", "/v3/schema")
        connection.getresponse()
        connection.close()


def beat(name="heartbeat_running", header=b"NATS/1.0\r\nNats-Msg-Id: 0123456789abcdef\r\n"
         b"content-encoding: msgpack\r\n\r\n", payload=None):
    sid = VECTORS[name]["json"]["sessionId"]
    return Message(f"eds.client.{sid}.heartbeat", "", header, payload or bytes.fromhex(VECTORS[name]["msgpackHex"]))


@pytest.mark.parametrize("name", ["heartbeat_running", "heartbeat_paused"])
def test_the_golden_heartbeats_are_accepted(name):
    decoded, wanted = decode(beat(name).payload), VECTORS[name]["json"]
    paused = decoded.pop("paused", None)
    assert paused == ((1720549683, 697080000) if name == "heartbeat_paused" else None)
    assert {**decoded, **({"paused": wanted["paused"]} if paused else {})} == wanted


def test_every_changed_byte_of_a_heartbeat_s_structure_is_seen():
    good = beat().payload
    for at, byte in enumerate(good):
        if byte in (0xD3, 0xCF, 0xCB, 0xDE, 0x84) or 0xA5 <= byte <= 0xAD and good[at + 1:at + 2].isalpha():
            with pytest.raises((Wrong, UnicodeDecodeError)):
                decode(good[:at] + bytes([byte ^ 0x10]) + good[at + 1:])
    for cut in range(len(good)):
        with pytest.raises(Wrong):
            decode(good[:cut])


def test_heartbeats_must_count_up_with_the_right_header():
    check = HeartbeatCheck()
    check.feed(beat())
    assert check.violations == ["heartbeat of session 4641e7c5-0f86-4576-89ca-15db401aea56: offset 1 follows None"]
    check.feed(beat(header=b"NATS/1.0\r\nContent-Encoding: msgpack\r\nNats-Msg-Id: 1\r\n\r\n"))
    assert "header block" in check.violations[1] and "offset 1 follows 1" in check.violations[2]


def test_heartbeats_are_heard_again_after_the_nats_server_came_back(hq, nats_server):
    nats_server.restart("kill")
    hq.control.client()
    with nats_server.connect() as client:
        def heard():
            client.publish(beat().subject, beat().payload, beat().header)
            client.ping()
            return hq.control.heartbeats.beats
        wait_until(heard, "a heartbeat to be heard")


def test_a_session_body_needs_every_key_in_place():
    assert hq_rules.session_start(compact(START), "shop-1") == []
