"""A client of Snowflake's driver protocol of our own: what the EDS driver did is looked at through it.

    with Client("snowflake://user:password@account/DB/SCHEMA?warehouse=WH") as client:
        rows = client.run('SELECT * FROM "order"')
"""
import base64
import hashlib
import http.client
import json
import os
import time
import urllib.parse
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding


class Refused(Exception):
    """Snowflake's code and message."""


def _jwt(pem, account, user):
    key = serialization.load_pem_private_key(pem.replace("\\n", "\n").encode(), None)
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    subject, now = f"{account}.{user}".upper(), int(time.time())
    claims = {"iss": f"{subject}.SHA256:{base64.b64encode(hashlib.sha256(spki).digest()).decode()}", "sub": subject,
              "iat": now, "exp": now + 60}
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
                    for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return text + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


class Client:
    """The URL is one of the EDS driver."""

    def __init__(self, url):
        u = urllib.parse.urlsplit(url)
        params = dict(urllib.parse.parse_qsl(u.query))
        self.account = params.get("account", u.hostname.split(".")[0])
        plain = params.get("protocol") == "http"
        host = u.hostname if plain or "snowflakecomputing" in u.hostname else \
            u.hostname.replace("_", "-") + ".snowflakecomputing.com"
        self._http = (http.client.HTTPConnection if plain else http.client.HTTPSConnection)(host, u.port, timeout=120)
        self._token, self._sequence = None, 0
        self._login(u, params)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self._post("/session?delete=true", {})
        finally:
            self._http.close()

    def _login(self, u, params):
        user, names = urllib.parse.unquote(u.username), [urllib.parse.unquote(p) for p in u.path.strip("/").split("/")]
        data = {"CLIENT_APP_ID": "Go", "CLIENT_APP_VERSION": "1.14.0", "ACCOUNT_NAME": self.account, "LOGIN_NAME": user,
                "SESSION_PARAMETERS": {"GO_QUERY_RESULT_FORMAT": "JSON", "TIMEZONE": "UTC",
                                       "CLIENT_VALIDATE_DEFAULT_PARAMETERS": True}}
        if u.scheme == "snowflake-keypair":
            pem = os.environ[params.get("secret-key", "SNOWFLAKE_SECRET_ACCESS_KEY")]
            data.update(AUTHENTICATOR="SNOWFLAKE_JWT", TOKEN=_jwt(pem, self.account.split(".")[0], user))
        else:
            data["PASSWORD"] = urllib.parse.unquote(u.password)
        query = {"databaseName": names[0], "warehouse": params.get("warehouse"), "roleName": params.get("role")}
        if len(names) > 1:
            query["schemaName"] = names[1]
        answer = self._post("/session/v1/login-request?" + urllib.parse.urlencode({k: v for k, v in query.items() if v}),
                            {"data": data})
        self._token = answer["data"]["token"]

    def _ask(self, method, path, body, accept):
        path += ("&" if "?" in path else "?") + f"requestId={uuid.uuid4()}&request_guid={uuid.uuid4()}"
        headers = {"Content-Type": "application/json", "Accept": accept, "User-Agent": "Go/1.14.0",
                   "CLIENT_APP_ID": "Go", "CLIENT_APP_VERSION": "1.14.0"}
        if self._token:
            headers["Authorization"] = f'Snowflake Token="{self._token}"'
        self._http.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._http.getresponse()
        text = response.read()
        if response.status != 200:
            raise Refused(f"HTTP {response.status}")
        answer = json.loads(text)
        if answer.get("code") in ("333333", "333334"):
            return self._ask("GET", answer["data"]["getResultUrl"], None, accept)
        if not answer["success"]:
            raise Refused(f"{answer['code']}: {answer['message']}")
        return answer

    def _post(self, path, body):
        return self._ask("POST", path, body, "application/snowflake")

    def run(self, sql, count=1):
        """[{column: (type, text or None)}]"""
        self._sequence += 1
        answer = self._post("/queries/v1/query-request", {
            "sqlText": sql, "asyncExec": False, "sequenceId": self._sequence, "isInternal": False,
            "parameters": {"MULTI_STATEMENT_COUNT": count}})
        data = answer["data"]
        if data.get("chunks"):
            raise Refused("the result is too long for this client")
        columns = [(c["name"], c["type"]) for c in data.get("rowtype") or ()]
        return [{n: (t, cell) for (n, t), cell in zip(columns, row)} for row in data.get("rowset") or ()]
