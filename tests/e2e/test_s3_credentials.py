"""S3 credentials that are in no URL: from everywhere AWS's own tools look, and renewed before they expire."""
import os

import pytest

from helpers import quick
from tests.support.awspeer import ROLE, AwsPeer
from tests.support.natsd import make_certificates
from tests.support.s3peer import KEY, SECRET, S3Peer


@pytest.fixture
def peer():
    with S3Peer() as p:
        yield p
    assert not p.overlaps


@pytest.fixture
def aws(peer):
    with AwsPeer(peer) as a:
        yield a


def file_of(lab, name, text):
    path = os.path.join(lab.dir, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def start(lab, peer, wait=True, place="shop", options=None, **environment):
    """A server whose S3 destination has no credentials in its URL, and no files of this machine's user."""
    nowhere = os.path.join(lab.dir, "nowhere")
    environment = {"AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_CONFIG_FILE": nowhere, **environment}
    lab.start_eds({"s3": quick(peer.url(place, key=None, **(options or {})))}, wait="answer", **environment)
    if wait:
        lab.wait_running()


def deliver(lab, peer, count=60):
    lab.wait_consumer()         # a new shop gets what comes from then on
    lab.publish(count)
    lab.wait_delivered()
    assert set(peer.objects()) == set(lab.oracle.expected_files(""))


def signed_by(peer):
    return {r.headers["authorization"].split("Credential=")[1].split("/")[0] for r in peer.requests if r.stored}


def judge_secrets(lab, aws):
    said = lab.whole_log() + lab.edsctl("status", "--json").stdout
    assert not [s for s in aws.secrets() if s in said]


def test_h54_the_environment_is_asked_when_the_url_is_silent(enrolled, peer):
    peer.keys["AKIAENV"] = ("environment+secret", "environment/token")
    start(enrolled, peer, AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="environment+secret",
          AWS_SESSION_TOKEN="environment/token")
    deliver(enrolled, peer)
    assert signed_by(peer) == {"AKIAENV"}


def test_h54_a_profile_of_the_shared_files_and_its_renewal(enrolled, peer):
    lab = enrolled
    shared = file_of(lab, "credentials", f"[default]\naws_access_key_id=no\naws_secret_access_key=no\n[shop]\n"
                     f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    config = file_of(lab, "config", f"[profile shop]\nregion = {peer.region}\n")
    start(lab, peer, options={"profile": "shop"}, AWS_SHARED_CREDENTIALS_FILE=shared, AWS_CONFIG_FILE=config)
    deliver(lab, peer)
    peer.keys = {"AKIANEW": ("new/secret", None)}       # the old key is withdrawn, and the file gets another one
    lab.publish(30)
    lab.wait_until(lambda: "InvalidAccessKeyId" in lab.destination("s3")["trouble"], "the trouble to be told")
    file_of(lab, "credentials", "[shop]\naws_access_key_id=AKIANEW\naws_secret_access_key=new/secret\n")
    lab.wait_delivered()
    assert set(peer.objects()) == set(lab.oracle.expected_files("")) and "AKIANEW" in signed_by(peer)
    assert lab.destination("s3")["restarts"] == 0


def test_what_a_profile_names_and_is_not_supported_is_said(enrolled, peer):
    config = file_of(enrolled, "config", "[profile sso]\nsso_session = work\n")
    start(enrolled, peer, wait=False, options={"profile": "sso"}, AWS_CONFIG_FILE=config)
    assert "sso, which is not supported" in enrolled.wait_state("s3", "failed")["reason"]


def test_a_web_identity_is_exchanged_at_sts(enrolled, peer, aws):
    token = file_of(enrolled, "token", aws.web_token + "\n")
    start(enrolled, peer, AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=ROLE, AWS_ENDPOINT_URL_STS=aws.url)
    deliver(enrolled, peer)
    assert signed_by(peer) == {"ASIA1"}
    judge_secrets(enrolled, aws)


def test_a_role_of_a_profile_is_assumed_with_the_keys_of_another(enrolled, peer, aws):
    config = file_of(enrolled, "config", f"[profile base]\naws_access_key_id=A\naws_secret_access_key=b\n"
                     f"[profile eds]\nrole_arn={ROLE}\nsource_profile=base\n")
    start(enrolled, peer, options={"profile": "eds"}, AWS_CONFIG_FILE=config, AWS_ENDPOINT_URL_STS=aws.url)
    deliver(enrolled, peer)
    assert signed_by(peer) == {"ASIA1"}


def test_a_container_is_asked_with_its_token(enrolled, peer, aws):
    token = file_of(enrolled, "token", aws.container_token)
    start(enrolled, peer, AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/container",
          AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token)
    deliver(enrolled, peer)
    judge_secrets(enrolled, aws)


def test_a_container_token_is_not_sent_just_anywhere(enrolled, peer):
    start(enrolled, peer, wait=False, AWS_CONTAINER_CREDENTIALS_FULL_URI="http://192.0.2.1/x",
          AWS_CONTAINER_AUTHORIZATION_TOKEN="t")
    assert "must be https" in enrolled.wait_state("s3", "failed")["reason"]


def test_an_instance_is_asked_by_imdsv2_and_again_before_the_end(enrolled, peer, aws):
    lab, aws.life = enrolled, 4.0
    start(lab, peer, AWS_EC2_METADATA_SERVICE_ENDPOINT=aws.url + "/")
    while aws.given < 3:
        deliver(lab, peer, 20)
    refused = [r for r in peer.requests if r.method == "PUT" and not r.stored]
    assert not refused, "renewed while the ones before were still good"
    assert aws.asked[:3] == ["PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/",
                             "GET /latest/meta-data/iam/security-credentials/eds-role"]
    assert lab.destination("s3")["trouble"] == ""
    judge_secrets(lab, aws)


def test_a_service_of_credentials_that_is_down_is_waited_for(enrolled, peer, aws):
    lab, aws.down = enrolled, True
    start(lab, peer, wait=False, AWS_EC2_METADATA_SERVICE_ENDPOINT=aws.url)
    lab.wait_until(lambda: "HTTP 503" in lab.destination("s3")["trouble"], "the trouble to be told")
    aws.down = False
    lab.wait_running()
    deliver(lab, peer)


def test_without_any_credentials_it_is_said_where_to_put_them(enrolled, peer):
    nowhere = os.path.join(enrolled.dir, "nowhere")
    enrolled.start_eds({"none": quick("s3://shop?endpoint=http://s3.invalid")}, wait="answer", AWS_EC2_METADATA_DISABLED="true",
                       AWS_SHARED_CREDENTIALS_FILE=nowhere, AWS_CONFIG_FILE=nowhere)
    assert "there are no credentials" in enrolled.wait_state("none", "failed")["reason"]


def test_tls_with_an_authority_of_our_own(enrolled, tmp_path):
    ca, *pair = make_certificates(str(tmp_path))
    with S3Peer(tls=pair) as peer:
        lab = enrolled
        secure = peer.url().replace("127.0.0.1", "localhost") + "&scheme=https"
        lab.start_eds({"s3": secure + f"&ca-file={ca}", "stranger": quick(secure)})
        lab.wait_running("s3")
        lab.publish(300)
        lab.wait_delivered("s3")
        assert set(peer.objects()) == set(lab.oracle.expected_files(""))
        assert "ca-file" in lab.wait_state("stranger", "failed")["reason"]
