import pytest

from tests.support import nkeys


def test_crc_is_the_xmodem_one():
    assert nkeys.crc16(b"123456789") == 0x31C3


@pytest.mark.parametrize("kind, letter", [(nkeys.OPERATOR, "O"), (nkeys.ACCOUNT, "A"), (nkeys.USER, "U")])
def test_a_seed_gives_back_the_same_key(kind, letter):
    key = nkeys.KeyPair(kind)
    again = nkeys.KeyPair.from_seed(key.seed)
    assert key.public[0] == letter and key.seed[:2] == "S" + letter
    assert len(key.public) == 56 and len(key.seed) == 58
    assert (again.public, again.seed, again.kind) == (key.public, key.seed, kind)


def test_a_known_private_key_has_its_known_text():
    # RFC 8032, first test vector
    key = nkeys.KeyPair(nkeys.USER, bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert nkeys._from_text(key.public)[1:].hex() == \
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def test_a_typing_error_in_a_key_is_noticed():
    seed = nkeys.KeyPair(nkeys.USER).seed
    wrong = seed[:20] + ("A" if seed[20] != "A" else "B") + seed[21:]
    with pytest.raises(nkeys.NkeyError, match="checksum"):
        nkeys.KeyPair.from_seed(wrong)


def test_a_public_text_is_no_seed():
    with pytest.raises(nkeys.NkeyError, match="no seed"):
        nkeys.KeyPair.from_seed(nkeys.KeyPair(nkeys.USER).public)


def test_a_signature_holds_only_for_its_data_and_key():
    key, other = nkeys.KeyPair(nkeys.USER), nkeys.KeyPair(nkeys.USER)
    signature = key.sign(b"nonce")
    assert nkeys.verify(key.public, signature, b"nonce")
    assert not nkeys.verify(key.public, signature, b"other")
    assert not nkeys.verify(other.public, signature, b"nonce")


def test_a_creds_text_gives_back_token_and_key_with_lf_and_crlf():
    account, user = nkeys.KeyPair(nkeys.ACCOUNT), nkeys.KeyPair(nkeys.USER)
    token = account.issue(user.public, "shop", nkeys.user_claims(["a.>"], ["b"]))
    text = nkeys.creds_text(token, user.seed)
    for variant in (text, text.replace("\n", "\r\n")):
        got_token, got_key = nkeys.read_creds(variant)
        assert got_token == token and got_key.public == user.public
    claims = nkeys.read_jwt(token)
    assert claims["name"] == "shop" and claims["nats"]["pub"] == {"allow": ["a.>"]}
    assert claims["iss"] == account.public and claims["sub"] == user.public


def test_a_changed_token_is_refused():
    account, user = nkeys.KeyPair(nkeys.ACCOUNT), nkeys.KeyPair(nkeys.USER)
    head, claims, signature = account.issue(user.public, "shop", nkeys.user_claims()).split(".")
    forged = nkeys.b64url(nkeys.b64url_decode(claims).replace(b"shop", b"sh0p"))
    with pytest.raises(nkeys.NkeyError, match="signature"):
        nkeys.read_jwt(".".join((head, forged, signature)))
