"""What HQ may expect of each request (contract/hq-api.md); every function returns a list of complaints."""
import gzip
import ipaddress
import json
import re

from tests.support import gojson

USER_AGENT = re.compile(r"Shopmonkey EDS Server/\S+")
HOST_KEYS = {"hostname": str, "uptime": int, "bootTime": int, "procs": int, "os": str, "platform": str,
             "platformFamily": str, "platformVersion": str, "kernelVersion": str, "kernelArch": str,
             "virtualizationSystem": str, "virtualizationRole": str, "hostId": str}
SESSION_KEYS = {"version": str, "hostname": str, "ipAddress": str, "machineId": str, "osinfo": dict,
                "driver": dict, "serverId": str, "companyIds": list}
OPTIONAL = {"driver", "companyIds"}


def agent(headers):
    if not USER_AGENT.fullmatch(headers.get("User-Agent", "")):
        return [f"User-Agent is {headers.get('User-Agent')!r}"]
    return []


def bare(headers):
    """User-Agent only: no token, no content type."""
    return agent(headers) + [f"{name} was sent" for name in ("Authorization", "Content-Type") if name in headers]


def enroll(headers):
    return ["Authorization was sent"] if "Authorization" in headers else []


def standard(headers, token):
    """The standard headers of a call with a token."""
    complaints = agent(headers)
    if headers.get("Content-Type") != "application/json":
        complaints.append(f"Content-Type is {headers.get('Content-Type')!r}")
    if headers.get("Authorization") != f"Bearer {token}":
        complaints.append("Authorization is not the bearer token of this server")
    if "Accept" in headers:
        complaints.append(f"Accept was sent: {headers['Accept']!r}")
    return complaints


def body_form(headers, body):
    """A JSON body: with its length, in the compact spelling."""
    complaints = []
    if "Transfer-Encoding" in headers or headers.get("Content-Length") != str(len(body)):
        complaints.append("the body did not come with Content-Length")
    try:
        json.loads(body)
    except ValueError as e:
        return complaints + [f"the body is not JSON: {e}"]
    if gojson.compact(body) != body:
        complaints.append(f"the body is not spelled compactly: {body[:80]!r}")
    return complaints


def keys_and_types(what, value, wanted, optional=frozenset()):
    """`value` has the keys of `wanted` in their order with their types, `optional` ones perhaps missing."""
    if not isinstance(value, dict):
        return [f"{what} is not an object"]
    expected = [k for k in wanted if k in value or k not in optional]
    if list(value) != expected:
        return [f"{what} has the keys {', '.join(value)} instead of {', '.join(expected)}"]
    return [f"{what}.{k} is not of type {wanted[k].__name__}" for k, v in value.items()
            if type(v) is not wanted[k]]


def session_start(body, server_id):
    start = json.loads(body)
    complaints = keys_and_types("body", start, SESSION_KEYS, OPTIONAL)
    if complaints:
        return complaints
    if start["serverId"] != server_id:
        complaints.append(f"serverId is {start['serverId']!r}, the token belongs to {server_id!r}")
    if not re.fullmatch(r"[0-9a-f]{64}", start["machineId"]):
        complaints.append(f"machineId is not 64 hex digits: {start['machineId']!r}")
    try:
        if start["ipAddress"] and ipaddress.ip_address(start["ipAddress"]).version != 4:
            complaints.append("ipAddress is not an IPv4 address")
    except ValueError:
        complaints.append(f"ipAddress is {start['ipAddress']!r}")
    if "companyIds" in start and not (start["companyIds"] and all(type(c) is str for c in start["companyIds"])):
        complaints.append("companyIds is empty or holds something else than texts")
    complaints += keys_and_types("osinfo", start["osinfo"], {"host": dict, "num_cpu": int, "go_version": str})
    if isinstance(start["osinfo"].get("host"), dict):
        host = start["osinfo"]["host"]
        complaints += keys_and_types("osinfo.host", host, HOST_KEYS)
        complaints += [f"osinfo.host.{k} is negative" for k in ("uptime", "bootTime", "procs")
                       if type(host.get(k)) is int and host[k] < 0]
    if "driver" in start:
        complaints += driver(start["driver"])
    return complaints


def driver(value):
    complaints = keys_and_types("driver", value, dict.fromkeys(("id", "name", "description", "url"), str))
    if not complaints:
        path = re.sub(r"^[\w-]+://[^/]*/?", "", value["url"].split("?")[0])
        password = re.match(r"[\w-]+://[^/@]*:([^/@]+)@", value["url"])
        if (path and "*" not in path) or (password and "*" not in password.group(1)):
            complaints.append(f"driver.url is not masked: {value['url']!r}")
    return complaints


def session_end(body):
    return keys_and_types("body", json.loads(body), {"errored": bool})


def log_request(body):
    return [] if body == b"{}" else [f"the body is {body[:80]!r} instead of {{}}"]


def upload(headers, body):
    complaints = agent(headers)
    if headers.get("Content-Type") != "application/x-tgz":
        complaints.append(f"Content-Type is {headers.get('Content-Type')!r}")
    if "Authorization" in headers:
        complaints.append("Authorization was sent to a signed URL")
    try:
        gzip.decompress(body)
    except (OSError, EOFError) as e:
        complaints.append(f"the body is not gzip: {e}")
    return complaints
