"""A real S3 service that checks signatures, body hashes, clock and region: OpenStack Swift's S3 API.

One test, because the service takes some seconds to start.
"""
import gzip
import json

import pytest

from helpers import quick
from tests.support import swift


@pytest.fixture
def service(tmp_path):
    reason = swift.why_not()
    if reason:
        pytest.skip(reason)
    s = None
    try:
        s = swift.Swift(str(tmp_path / "swift"))
        yield s.wait()
    finally:
        if s:
            s.close()


def objects(client, bucket):
    """{key: bytes} as botocore reads them."""
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for o in page.get("Contents", ()):
            found[o["Key"]] = client.get_object(Bucket=bucket, Key=o["Key"])["Body"].read()
    return found


def test_everything_arrives_in_a_service_that_checks_signatures(enrolled, service):
    lab, client = enrolled, service.client()
    for bucket in ("shop", "lake"):
        client.create_bucket(Bucket=bucket)
    lab.start_eds({"plain": service.url("shop/some/folder"), "rolls": service.url("lake") + "&format=ndjson&roll-seconds=0",
                   "moved": service.url("shop/moved", region="eu-west-9"),
                   "key": quick(service.url("shop", key="test:nobody")),
                   "secret": quick(service.url("shop", secret="wrong/secret")),
                   "bucket": quick(service.url("nowhere"))})
    lab.wait_running("plain", "rolls", "moved")
    for name, code in (("key", "InvalidAccessKeyId|AccessDenied|SignatureDoesNotMatch"),
                       ("secret", "SignatureDoesNotMatch"), ("bucket", "NoSuchBucket")):
        assert any(c in lab.wait_state(name, "failed")["reason"] for c in code.split("|"))
    odd = [lab.events.insert("order", key=k) for k in ("../../x", "a b+c=d&e?f#g:é*(')~", "%2e%2e/y", "//", "100%")]
    lab.admin.publish_many(e.message for e in odd)
    events = odd + lab.publish(120)
    lab.wait_delivered("plain", "rolls", "moved", timeout=60)
    expected, found = lab.oracle.expected_files(""), objects(client, "shop")
    there = {k[len("some/folder/"):]: v for k, v in found.items() if k.startswith("some/folder/")}
    assert {k: v for k, v in there.items() if k in expected} == expected
    assert sorted(json.loads(v)["id"] for v in there.values()) == sorted(e.id for e in events)
    assert {k[len("moved/"):] for k in found if k.startswith("moved/")} == set(there)
    lines = [json.loads(line)["id"] for body in objects(client, "lake").values()
             for line in gzip.decompress(body).splitlines()]
    assert sorted(lines) == sorted(e.id for e in events)
