"""S3: what was published is what lies in the bucket, whatever the service does meanwhile."""
import gzip
import json
import re

import pytest

from helpers import Load, quick
from tests.support import s3peer
from tests.support.s3peer import S3Peer

AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION")


@pytest.fixture
def peer():
    with S3Peer() as p:
        yield p
    assert not p.overlaps, "two requests for one object at a time"


def start(lab, peer, place="shop", wait=True, **options):
    lab.start_eds({"s3": quick(peer.url(place, **options), hang_timeout="1m")})
    if wait:
        lab.wait_running()


def wait_trouble(lab, text):
    """Until the status says so of the destination."""
    lab.wait_until(lambda: text in lab.destination("s3")["trouble"], f"trouble with {text}")


def differences(lab, peer, prefix=""):
    """What is wrong in the bucket."""
    expected = {prefix + path: content for path, content in lab.oracle.expected_files("").items()}
    found = peer.objects()
    return ([f"{k}: no event explains it" for k in found if k not in expected]
            + [f"{k}: missing" for k in expected if k not in found]
            + [f"{k}: differs" for k in expected if k in found and found[k] != expected[k]])[:10]


def out_of_order(peer, events):
    """Objects that got a change before an earlier one, for the first time."""
    place, wrong = {e.id: n for n, e in enumerate(events)}, []
    for (_, key), versions in peer.versions.items():
        order = list(dict.fromkeys(place[json.loads(r.body)["id"]] for r in versions))
        if order != sorted(order):
            wrong.append(key)
    return wrong


def test_every_change_is_an_object_of_the_documented_name_and_content(enrolled, peer):
    lab = enrolled
    start(lab, peer, "shop/some//folder/../place")
    events = lab.publish(3000)
    lab.wait_delivered()
    assert differences(lab, peer, "some/place/") == []
    assert out_of_order(peer, events) == []
    assert peer.count("PUT") == 3000 and peer.unwitnessed == 0
    # what compatible services choke on is not sent
    sent = {name for r in peer.requests if r.method == "PUT" for name in r.headers}
    assert sent == {"host", "content-type", "content-length", "authorization", "x-amz-content-sha256", "x-amz-date"}


def test_h26_changes_of_a_row_within_a_second_keep_their_order_or_get_names_of_their_own(make_lab, peer):
    lab = make_lab(unique_seconds=False, row_limit=5, tables=["order", "customer"])
    lab.enroll()
    peer.buckets.add("each")
    lab.start_eds({"same": peer.url(), "own": peer.url("each", unique=1)})
    lab.wait_running()
    events = lab.publish(1500)
    lab.wait_delivered()
    shared = [r for found in peer.versions.values() if len(found) > 1 for r in found]
    assert shared, "these events were to share names"
    newest = {}
    for e in events:
        newest[e.table, e.timestamp // 1000, e.key] = e.id
    assert {json.loads(b)["id"] for b in peer.objects("shop").values()} == set(newest.values())
    assert {json.loads(b)["id"] for b in peer.objects("each").values()} == {e.id for e in events}
    assert out_of_order(peer, events) == []


def trouble_of(number):
    """A service in a bad way: every few requests something else goes wrong."""
    kinds = {3: s3peer.slow_down(), 5: s3peer.internal(), 7: s3peer.cut(), 11: s3peer.cut(store=True),
             13: s3peer.hang(0.05, store=True), 17: s3peer.Reply(400, "RequestTimeout", "idle"),
             19: s3peer.Reply(503, headers={"Retry-After": "0"})}
    return next((kind for n, kind in kinds.items() if number % n == 0), None)


def test_nothing_is_lost_and_order_is_kept_on_a_service_in_a_bad_way(make_lab, peer):
    lab = make_lab(unique_seconds=False, row_limit=5, tables=["order", "customer", "vehicle"])
    lab.enroll()
    peer.misbehave(lambda request: trouble_of(request.number) if request.method == "PUT" else None)
    start(lab, peer, uploadTasks=32)
    with Load(lab) as load:
        lab.wait_until(lambda: load.count >= 1500, "load")
    peer.be_well()
    lab.wait_delivered()
    assert differences(lab, peer) == []
    assert out_of_order(peer, load.events) == [] and any(len(found) > 3 for found in peer.versions.values())
    assert lab.destination("s3")["quarantined"] == 0 and lab.destination("s3")["restarts"] == 0


def test_h43_a_service_that_hangs_is_waited_for_and_nothing_is_lost(enrolled, peer):
    lab = enrolled
    start(lab, peer, timeout=1, max_retries=1)
    lab.publish(50)
    lab.wait_delivered()
    peer.misbehave(lambda request: s3peer.hang(30))
    lab.publish(300)
    wait_trouble(lab, "timed out")
    peer.be_well()
    lab.wait_delivered()
    assert differences(lab, peer) == []
    assert lab.destination("s3")["restarts"] == 0


def test_h42_what_was_stored_before_the_link_broke_is_stored_again_whole(enrolled, peer):
    lab = enrolled
    seen = set()

    def cut_once(request):
        if request.method != "PUT" or request.key in seen:
            return None
        seen.add(request.key)
        return s3peer.cut(store=True)
    peer.misbehave(cut_once)
    start(lab, peer)
    lab.publish(300)
    lab.wait_delivered()
    assert differences(lab, peer) == []
    assert all(len({r.body for r in found}) == 1 for found in peer.versions.values())


def test_h01_a_failed_batch_is_never_taken_for_stored(enrolled, peer):
    lab = enrolled
    start(lab, peer, max_retries=2)
    peer.misbehave(lambda request: s3peer.internal() if "/order/" in "/" + request.key or request.key.startswith("order/")
                   else None)
    events = lab.publish(600)
    wait_trouble(lab, "InternalError")
    assert lab.destination("s3")["committed"] < len(events)
    once = peer.count("PUT")
    peer.be_well()
    lab.wait_delivered()
    assert differences(lab, peer) == []
    # what was stored is remembered, and not sent again with the batch
    again = [r for found in peer.versions.values() for r in found[1:]]
    assert once > 0 and not again


def test_wrong_credentials_at_the_start_are_told_and_not_tried_for_ever(enrolled, peer):
    lab = enrolled
    bad = {"key": ("InvalidAccessKeyId", peer.url(key="AKIAWRONG")),
           "secret": ("SignatureDoesNotMatch", peer.url(secret="wrong+secret/")),
           "bucket": ("NoSuchBucket", peer.url("nowhere"))}
    lab.start_eds({name: quick(url) for name, (_, url) in bad.items()})
    for name, (code, _) in bad.items():
        reason = lab.wait_state(name, "failed")["reason"]
        assert code in reason and "correct" in reason and peer.count("PUT") == 0
        assert "wrong+secret" not in reason and "wrong%2Bsecret" not in reason


def test_without_the_right_to_list_a_write_tells_whether_the_place_is_ours(enrolled, peer):
    lab = enrolled
    peer.misbehave(lambda r: s3peer.denied() if r.method == "GET" else None)
    start(lab, peer, "shop/x")
    assert peer.objects() == {} and [r.method for r in peer.requests][:3] == ["GET", "PUT", "DELETE"]
    peer.misbehave(lambda r: s3peer.denied())
    lab.write_conf({"other": quick(peer.url("shop/y"))})
    assert lab.edsctl("reload").returncode == 0
    assert "s3:PutObject" in lab.wait_state("other", "failed")["reason"]


def test_credentials_refused_half_way_are_waited_for(enrolled, peer):
    lab = enrolled
    start(lab, peer)
    lab.publish(200)
    lab.wait_delivered()
    peer.misbehave(lambda request: s3peer.denied("InvalidAccessKeyId", "no such key any more"))
    lab.publish(200)
    wait_trouble(lab, "InvalidAccessKeyId")
    assert lab.destination("s3")["state"] == "running"
    peer.be_well()
    lab.wait_delivered()
    assert differences(lab, peer) == [] and lab.destination("s3")["restarts"] == 0


def test_a_bucket_in_another_region_is_found(enrolled, peer):
    lab = enrolled
    peer.region = "eu-central-1"
    lab.start_eds({"s3": peer.url(region="us-west-2"), "moved": peer.url("shop/moved", region="us-east-1")})
    lab.wait_running()
    lab.publish(100)
    lab.wait_delivered()
    peer.region = "eu-north-1"      # and half-way: told by an answer without a body
    moved = lambda r: s3peer.Reply(301, headers={"x-amz-bucket-region": "eu-north-1"})      # noqa: E731
    peer.misbehave(lambda r: None if "/eu-north-1/" in r.headers["authorization"] else moved(r))
    lab.publish(100)
    lab.wait_delivered()
    assert {k for k in peer.objects() if not k.startswith("moved/")} == \
        {p for p in lab.oracle.expected_files("")}


@pytest.mark.parametrize("ahead", (-7200, 7200))
def test_a_wrong_clock_is_put_right_by_the_services_own(enrolled, peer, ahead):
    lab = enrolled
    peer.clock = ahead
    start(lab, peer)
    lab.publish(300)
    lab.wait_delivered()
    assert differences(lab, peer) == []
    lab.wait_log("requests are signed by the service's clock")
    refused = [r for r in peer.requests if r.method == "PUT" and not r.stored]
    assert not refused, "known from the first request on"


def test_h33_what_the_service_refuses_is_set_aside_alone(enrolled, peer):
    lab = enrolled
    events = lab.events.batch(400)
    big, odd = events[100], events[200]
    refusals = {big.id: s3peer.Reply(400, "EntityTooLarge", "Your proposed upload exceeds the maximum"),
                odd.id: s3peer.Reply(400, "InvalidArgument", "whatever")}
    peer.misbehave(lambda r: refusals.get(r.body and json.loads(r.body)["id"]) if r.method == "PUT" else None)
    start(lab, peer, max_retries=2)
    lab.admin.publish_many(e.message for e in events)
    lab.oracle.record(*(e for e in events if e.id not in refusals))
    lab.wait_delivered()
    assert differences(lab, peer) == []
    listed = json.loads(lab.edsctl("quarantine", "list", "--json").stdout)
    text = json.dumps(listed)
    assert "EntityTooLarge" in text and "InvalidArgument" in text and lab.destination("s3")["quarantined"] == 2
    assert peer.count("PUT") <= len(events) + 10, "the others are not sent again"


def test_a_key_that_is_too_long_is_set_aside_alone(make_lab, peer):
    lab = make_lab(tables=["order"])
    lab.enroll()
    events = lab.events.batch(20)
    long = lab.events.insert("order", key="k" * 1100)
    start(lab, peer)
    lab.oracle.record(*events)
    lab.admin.publish_many(e.message for e in [*events[:10], long, *events[10:]])
    lab.wait_delivered()
    assert differences(lab, peer) == [] and lab.destination("s3")["quarantined"] == 1
    assert "of its object would have" in lab.edsctl("quarantine", "list", "--json").stdout


def test_h34_ids_with_slashes_and_dots_stay_in_their_table(make_lab, peer):
    lab = make_lab(tables=["order"])
    lab.enroll()
    start(lab, peer, "shop/p")
    keys = ["../../x", "a/b", "..", "%2e%2e/y", "a b+c=d&e?f#g:é*(')~", "\x01"]
    events = [lab.events.insert("order", key=k) for k in keys]
    lab.publish_events(events)
    lab.wait_delivered()
    found = peer.objects()
    assert len(found) == len(keys) and all(re.fullmatch(r"p/order/\d+-[^/]*\.json", k) for k in found)
    assert {json.loads(b)["key"][-1] for b in found.values()} == set(keys)


def test_a_worker_killed_under_load_is_replaced_and_nothing_is_lost(enrolled, peer):
    lab = enrolled
    start(lab, peer, uploadTasks=32)
    with Load(lab) as load:
        for _ in range(3):
            old, count = lab.kill_worker("s3"), load.count
            lab.wait_until(lambda: load.count > count + 100, "more load")
            lab.wait_until(lambda: lab.destination("s3")["pid"] not in (0, old), "another worker")
    lab.wait_delivered()
    assert differences(lab, peer) == [] and out_of_order(peer, load.events) == []


def test_h63_an_outage_of_everything_ends_in_time_and_so_does_the_server(enrolled, peer):
    lab = enrolled
    start(lab, peer, maxBatchSize=500)
    peer.misbehave(lambda request: s3peer.slow_down())
    lab.publish(2000)
    wait_trouble(lab, "SlowDown")
    hung = []
    peer.misbehave(lambda request: hung.append(request) or s3peer.hang(60))
    lab.wait_until(lambda: hung, "requests that hang")
    assert lab.stop_eds(timeout=10) == 0
    peer.be_well()
    lab.start_eds()
    lab.wait_delivered()
    assert differences(lab, peer) == []


def rolls(peer):
    """{key: [events]} of the bucket's rolls."""
    return {k: [json.loads(line) for line in gzip.decompress(b).splitlines()] for k, b in peer.objects().items()}


def judge_rolls(lab, peer, events):
    found = rolls(peer)
    ids = [e["id"] for lines in found.values() for e in lines]
    assert sorted(ids) == sorted(e.id for e in events), "each event stands in exactly one object"
    place = {e.id: n for n, e in enumerate(events)}
    for key, lines in found.items():
        assert re.fullmatch(r"lake/[^/]+/date=\d{4}-\d\d-\d\d/\d{20}-\d+\.ndjson\.gz", key), key
        assert {e["table"] for e in lines} == {key.split("/")[1]}
        order = [place[e["id"]] for e in lines]
        assert order == sorted(order)
    return found


def test_rolls_hold_every_event_once(enrolled, peer):
    lab = enrolled
    start(lab, peer, "shop/lake", format="ndjson", roll_seconds=1)
    events = lab.publish(3000)
    lab.wait_delivered()
    found = judge_rolls(lab, peer, events)
    assert len(found) < 600, "many lines to an object"
    assert all(r.headers["content-type"] == "application/gzip" and "content-encoding" not in r.headers
               for r in peer.requests if r.method == "PUT")


@pytest.mark.parametrize("limit,value,most", [("roll_events", 70, 70), ("roll_bytes", 30000, 20), ("roll_seconds", 1, 200)])
def test_each_limit_ends_a_roll(enrolled, peer, limit, value, most):
    """With the other limits out of reach; `most` events of some 1,500 bytes then fit."""
    lab = enrolled
    start(lab, peer, "shop/lake", format="ndjson", **{"roll_events": 100000, "roll_bytes": 32 << 20, "roll_seconds": 3600,
                                                      limit: value})
    events = lab.publish(200)
    if limit == "roll_seconds":
        lab.wait_delivered()
        judge_rolls(lab, peer, events)
        return
    lab.wait_until(lambda: sum(map(len, rolls(peer).values())) > len(events) - most, "all rolls that are full")
    found = [len(roll) for roll in rolls(peer).values()]
    assert max(found) <= most and len(found) >= len(events) // most, found


def test_rolls_are_the_same_objects_when_they_come_again(enrolled, peer):
    lab = enrolled
    peer.misbehave(lambda r: s3peer.hang(0.02, store=True) if r.number % 5 == 0 else None)
    start(lab, peer, "shop/lake", format="ndjson", roll_seconds=0, roll_events=150)
    with Load(lab) as load:
        for round_ in range(4):
            count, stored = load.count, peer.count()
            lab.wait_until(lambda: load.count > count + 200 and peer.count() > stored + 20, "more load")
            if round_ < 3:
                lab.kill_worker("s3")
            else:
                lab.kill_eds()          # the place in the stream may be older than what was stored
                lab.start_eds()
    peer.be_well()
    lab.wait_delivered()
    judge_rolls(lab, peer, load.events)
    lines = [e["id"] for found in peer.versions.values() for r in found
             for e in map(json.loads, gzip.decompress(r.body).splitlines())]
    assert len(lines) > len(load.events), "nothing came again: this test shows nothing"


def test_h37_the_test_of_the_settings_writes_and_removes(enrolled, peer):
    lab = enrolled
    lab.start_eds({"s3": peer.url("shop/t"), "bad": quick(peer.url(secret="no+no"))}, wait="answer")
    lab.wait_running("s3")
    before = len(peer.requests)
    done = json.loads(lab.edsctl("check", "--connect", "--json").stdout)
    found = {d["name"]: (d["result"], d["reason"]) for d in done["destinations"]}
    assert found["s3"] == ("fine", "")
    assert found["bad"][0] == "config" and "SignatureDoesNotMatch" in found["bad"][1]
    asked = [r for r in peer.requests[before:] if r.key.startswith("t/")]
    assert [r.method for r in asked] == ["PUT", "DELETE"] and asked[0].stored and peer.objects() == {}


def test_h51_secrets_are_seen_nowhere(enrolled, peer):
    lab = enrolled
    peer.keys["ASIAX"] = ("very/secret+1", "very/secret+token==")
    start(lab, peer, key="ASIAX", secret="very/secret+1", session_token="very/secret+token==")
    lab.publish(50)
    lab.wait_delivered()
    peer.misbehave(lambda r: s3peer.denied("SignatureDoesNotMatch"))
    lab.publish(50)
    wait_trouble(lab, "SignatureDoesNotMatch")
    said = lab.whole_log() + json.dumps(lab.status()) + lab.edsctl("why", "s3").stdout
    for pid in (lab.eds.pid, lab.worker_pid("s3")):
        for what in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{what}", "rb") as f:
                said += f.read().decode(errors="replace")
    for form in ("very/secret", "very%2Fsecret", "ASIAX&"):
        assert form not in said
