"""NATS identities without nsc: nkeys, the JWTs of operator mode, decorated creds files.

An nkey is an ed25519 key written as text: base32 without padding of a prefix
(whose top bits pick the first letter), the 32 key bytes and a CRC-16/XMODEM of
both, low byte first.  A seed carries the prefix of its own kind in two bytes,
so that one can tell a user's seed (SU...) from an account's (SA...).
"""
import base64
import hashlib
import json
import os
import re
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

OPERATOR = 14 << 3      # texts begin with O
ACCOUNT = 0             # A
USER = 20 << 3          # U
_SEED = 18 << 3         # S


class NkeyError(ValueError):
    """A key, token or creds text that does not say what it should."""


def crc16(data):
    """CRC-16/XMODEM: polynomial 0x1021, start value 0, no reflection."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def _to_text(raw):
    whole = raw + crc16(raw).to_bytes(2, "little")
    return base64.b32encode(whole).decode().rstrip("=")


def _from_text(text):
    try:
        whole = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError as e:
        raise NkeyError(f"nkey is not base32: {e}") from None
    raw, check = whole[:-2], whole[-2:]
    if crc16(raw).to_bytes(2, "little") != check:
        raise NkeyError("nkey has a wrong checksum")
    return raw


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def b64url_decode(text):
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as e:
        raise NkeyError(f"token part is not base64url: {e}") from None


class KeyPair:
    """One identity.  `public` and `seed` are its two texts; only the seed is a secret."""

    def __init__(self, kind, private=None):
        self.kind = kind
        private = private or os.urandom(32)
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        point = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = _to_text(bytes([kind]) + point)
        self.seed = _to_text(bytes([_SEED | kind >> 5, (kind & 31) << 3]) + private)

    @classmethod
    def from_seed(cls, text):
        raw = _from_text(text)
        if len(raw) != 34 or raw[0] & 0xF8 != _SEED:
            raise NkeyError("text is an nkey but no seed")
        return cls((raw[0] & 7) << 5 | raw[1] >> 3, raw[2:])

    def sign(self, data):
        return self._key.sign(data)

    def issue(self, subject, name, nats, expires_in=None):
        """A signed JWT in which this key vouches for `subject` (a public text)."""
        now = int(time.time())
        claims = {"iat": now, "iss": self.public, "name": name, "sub": subject,
                  "nats": {**nats, "version": 2}}
        if expires_in is not None:
            claims["exp"] = now + expires_in
        digest = hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).digest()
        claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
        signed = ".".join(b64url(json.dumps(part, separators=(",", ":")).encode())
                          for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims))
        return signed + "." + b64url(self.sign(signed.encode()))


def verify(public, signature, data):
    """True when `signature` over `data` was made by the owner of the public text."""
    raw = _from_text(public)
    try:
        Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def read_jwt(token):
    """The claims of a token whose signature holds; NkeyError otherwise."""
    parts = token.split(".")
    if len(parts) != 3:
        raise NkeyError("token does not have three parts")
    head, claims = (json.loads(b64url_decode(p)) for p in parts[:2])
    if head != {"typ": "JWT", "alg": "ed25519-nkey"}:
        raise NkeyError("token has a foreign header")
    if not verify(claims["iss"], b64url_decode(parts[2]), ".".join(parts[:2]).encode()):
        raise NkeyError("token has a wrong signature")
    return claims


def creds_text(token, seed):
    """The file that a client is given: token and seed between dashed lines."""
    return (f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
            "The seed below proves who you are: whoever has it, is you.\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n")


def read_creds(text):
    """(token, KeyPair) of a decorated creds text."""
    blocks = re.findall(r"-{3,}BEGIN [^\n]*?-{3,}\r?\n(\S+)\s*?\r?\n-{3,}END [^\n]*?-{3,}", text)
    if len(blocks) != 2:
        raise NkeyError(f"creds text has {len(blocks)} blocks between dashed lines, not 2")
    return blocks[0], KeyPair.from_seed(blocks[1])


def operator_claims(system_account):
    return {"type": "operator", "system_account": system_account}


def account_claims(jetstream):
    """Limits must be stated: what is missing counts as zero, and zero storage means no JetStream."""
    names = ["subs", "data", "payload", "imports", "exports", "conn", "leaf"]
    if jetstream:
        names += ["mem_storage", "disk_storage", "streams", "consumer"]
    limits = dict.fromkeys(names, -1)
    limits["wildcards"] = True
    return {"type": "account", "limits": limits, "default_permissions": {"pub": {}, "sub": {}}}


def user_claims(publish=None, subscribe=None):
    """A user; without lists it may do everything inside its account."""
    claims = {"type": "user", "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}
    if publish:
        claims["pub"] = {"allow": list(publish)}
    if subscribe:
        claims["sub"] = {"allow": list(subscribe)}
    return claims
