"""Where the stages of the Snowflake peer lie: a store that speaks as S3, Azure Blob or Google Cloud Storage does.

It checks what the real ones check (signature, token, headers), decrypts what came encrypted, compares
the digest, and only then writes the file into the stage's folder.  It also serves chunks of results.
"""
import base64
import gzip
import hashlib
import hmac
import json
import os
import secrets
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BUCKET, ACCOUNT, REGION = "sfc-stage", "sfcaccount", "us-east-2"
QUERY_ID = "01b2c3d4-0000-1111-0000-000000000001"


def _sha(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def sigv4(secret, method, path, headers, signed, scope, when):
    """The signature of a request whose body is not signed, worked out anew."""
    canonical = "\n".join([method, path, "", *(f"{n}:{headers[n].strip()}" for n in signed), "", ";".join(signed),
                           headers["x-amz-content-sha256"]])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = _sha(key, part)
    return _sha(key, to_sign).hex()


def decrypt(body, master, wrapped, iv):
    """AES-CBC under a key that is wrapped by AES-ECB; ValueError when the padding is wrong."""
    def open_it(mode, key, data):
        decryptor = Cipher(algorithms.AES(key), mode).decryptor()
        plain = decryptor.update(data) + decryptor.finalize()
        if not 1 <= plain[-1] <= 16 or plain[-plain[-1]:] != bytes([plain[-1]]) * plain[-1]:
            raise ValueError("padding")
        return plain[:-plain[-1]]
    key = open_it(modes.ECB(), master, base64.b64decode(wrapped))
    return open_it(modes.CBC(base64.b64decode(iv)), key, body)


class Store:
    """`kind` S3, AZURE, GCS, GCS_PRESIGNED or LOCAL_FS; `encrypt`: key bits of client-side encryption, or 0."""

    def __init__(self, kind="S3", encrypt=0):
        self.kind, self.encrypt = kind, encrypt
        self.uploads, self.refused, self.chunks = [], [], {}
        self.faults = []            # HTTP statuses that the next uploads get
        self._grants = {}           # path below the store -> what may be put there
        self._lock = threading.Lock()
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(*store.put(self, body))

            def do_GET(self):
                self.answer(*store.get(self))

            def answer(self, status, body=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def expire(self):
        """The credentials given so far are good for nothing any more."""
        with self._lock:
            for grant in self._grants.values():
                grant["expired"] = True

    # ---- the answer to a PUT statement

    def grant(self, folder, path, transfer):
        """`data` of the answer: files may be put below that path of a stage's folder."""
        prefix = f"stages/{os.path.basename(folder)}/" + (path + "/" if path else "")
        name = os.path.basename(transfer["source"])
        grant = {"folder": os.path.join(folder, path), "secret": secrets.token_hex(20), "expired": False,
                 "master": secrets.token_bytes(self.encrypt // 8) if self.encrypt else None}
        with self._lock:
            self._grants[prefix] = grant
        data = {"command": "UPLOAD", "src_locations": [transfer["source"][7:]], "parallel": 1, "threshold": 67108864,
                "autoCompress": False, "overwrite": True, "sourceCompression": transfer["compression"],
                "stageInfo": self.stage_info(prefix, name, grant), "encryptionMaterial": None}
        if grant["master"] and self.kind != "LOCAL_FS":
            data["encryptionMaterial"] = {"queryStageMasterKey": base64.b64encode(grant["master"]).decode(),
                                          "queryId": QUERY_ID, "smkId": 92019681909886}
        return {**data, "uploadInfo": data["stageInfo"]}

    def stage_info(self, prefix, name, grant):
        here = f"localhost:{self.port}"
        if self.kind == "LOCAL_FS":
            return {"locationType": "LOCAL_FS", "location": grant["folder"], "creds": {}, "region": None, "endPoint": None}
        if self.kind == "S3":
            return {"locationType": "S3", "location": f"{BUCKET}/{prefix}", "region": REGION, "endPoint": here,
                    "storageAccount": None, "presignedUrl": None, "isClientSideEncrypted": bool(self.encrypt),
                    "creds": {"AWS_KEY_ID": "AKIAPEER", "AWS_SECRET_KEY": grant["secret"], "AWS_TOKEN": "tok/" + grant["secret"]}}
        if self.kind == "AZURE":
            return {"locationType": "AZURE", "location": f"{BUCKET}/{prefix}", "storageAccount": ACCOUNT,
                    "endPoint": "blob." + here, "region": "westeurope", "presignedUrl": None,
                    "creds": {"AZURE_SAS_TOKEN": "?sv=2021&sig=" + grant["secret"]}}
        token = None if self.kind == "GCS_PRESIGNED" else "ya29." + grant["secret"]
        return {"locationType": "GCS", "location": f"{BUCKET}/{prefix}", "region": "US-CENTRAL1", "endPoint": here,
                "storageAccount": None, "creds": {"GCS_ACCESS_TOKEN": token} if token else {},
                "presignedUrl": None if token else f"http://{here}/{BUCKET}/{prefix}{name}?X-Goog-Signature={grant['secret']}"}

    # ---- uploads

    def put(self, request, body):
        if self.faults:
            return self.faults.pop(0),
        path, _, query = request.path.partition("?")
        headers = {k.lower(): v for k, v in request.headers.items()}
        name, grant = self._grant_of(path)
        if grant is None:
            return self._refuse(404, f"nothing may be put at {path}")
        if grant["expired"]:
            return self._refuse(400 if self.kind in ("S3", "GCS_PRESIGNED") else 401 if self.kind == "GCS" else 403, "expired")
        wrong = getattr(self, "check_" + self.kind.lower())(request, path, query, headers, grant)
        if wrong:
            return self._refuse(403, wrong)
        try:
            plain = self._open(headers, grant, body)
        except (KeyError, ValueError) as e:
            return self._refuse(400, f"encryption: {e!r}")
        if headers.get(self.prefix() + ("sfcdigest" if self.kind == "AZURE" else "sfc-digest")) != \
                base64.b64encode(hashlib.sha256(plain).digest()).decode():
            return self._refuse(400, "digest")
        os.makedirs(grant["folder"], exist_ok=True)
        with open(os.path.join(grant["folder"], name), "wb") as f:
            f.write(plain)
        self.uploads.append(name)
        return 201 if self.kind == "AZURE" else 200,

    def _refuse(self, status, why):
        self.refused.append(why)
        return status, why.encode()

    def prefix(self):
        return {"S3": "x-amz-meta-", "AZURE": "x-ms-meta-"}.get(self.kind, "x-goog-meta-")

    def _grant_of(self, path):
        below = urllib.parse.unquote(path).lstrip("/")
        if self.kind != "S3":
            bucket, _, below = below.partition("/")
            if bucket != BUCKET:
                return None, None
        folder, _, name = below.rpartition("/")
        return name, self._grants.get(folder + "/")

    def check_s3(self, request, path, query, headers, grant):
        if headers["host"] != f"{BUCKET}.localhost:{self.port}":
            return "host"
        if headers.get("x-amz-security-token") != "tok/" + grant["secret"]:
            return "token"
        try:
            fields = dict(f.strip().split("=", 1) for f in headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(","))
            key, _, scope = fields["Credential"].partition("/")
            signed = fields["SignedHeaders"].split(";")
            if not {"host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"} <= set(signed):
                return "signed headers"
            right = sigv4(grant["secret"], "PUT", path, headers, signed, scope, headers["x-amz-date"])
        except (KeyError, ValueError) as e:
            return f"authorization: {e!r}"
        return None if (key, fields["Signature"]) == ("AKIAPEER", right) and not query else "signature"

    def check_azure(self, request, path, query, headers, grant):
        if headers["host"] != f"{ACCOUNT}.blob.localhost:{self.port}" or headers.get("x-ms-blob-type") != "BlockBlob":
            return "host or blob type"
        return None if query == "sv=2021&sig=" + grant["secret"] else "SAS"

    def check_gcs(self, request, path, query, headers, grant):
        if headers.get("content-encoding") == "gzip":
            return "content encoding"
        return None if headers.get("authorization") == "Bearer ya29." + grant["secret"] else "bearer"

    def check_gcs_presigned(self, request, path, query, headers, grant):
        return None if query == "X-Goog-Signature=" + grant["secret"] and "authorization" not in headers else "signature"

    def _open(self, headers, grant, body):
        """What was uploaded, decrypted where that was demanded."""
        if not grant["master"]:
            return body
        p = self.prefix()
        if self.kind == "S3":
            wrapped, iv = headers[p + "x-amz-key"], headers[p + "x-amz-iv"]
            described = json.loads(headers[p + "x-amz-matdesc"])
        else:
            data = json.loads(headers[p + "encryptiondata"])
            wrapped, iv = data["WrappedContentKey"]["EncryptedKey"], data["ContentEncryptionIV"]
            described = json.loads(headers[p + "matdesc"])
            wanted = "AES_CBC_128" if self.kind == "AZURE" else "AES_CBC_256"
            if data["EncryptionMode"] != "FullBlob" or data["EncryptionAgent"]["EncryptionAlgorithm"] != wanted:
                raise ValueError("encryption data")
        if described != {"queryId": QUERY_ID, "smkId": "92019681909886", "keySize": str(self.encrypt)}:
            raise ValueError("matdesc")
        return decrypt(body, grant["master"], wrapped, iv)

    # ---- chunks of results

    def add_chunk(self, rows, key):
        """A part of a result; its URL."""
        path = "/chunk/" + secrets.token_hex(8)
        text = ",".join(json.dumps(r) for r in rows).encode()
        self.chunks[path] = gzip.compress(text), key
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, request):
        data, key = self.chunks.get(request.path, (None, None))
        if data is None:
            return self._refuse(404, request.path)
        if "Authorization" in request.headers or request.headers.get("x-amz-server-side-encryption-customer-key") != key or \
                request.headers.get("x-amz-server-side-encryption-customer-algorithm") != "AES256":
            return self._refuse(403, "a chunk is asked for with its key and without the session's token")
        return 200, data
