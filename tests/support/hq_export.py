"""HQ's bulk export (contract/hq-api.md section 7): jobs, their state, and files behind signed addresses.

The stand-in owns an Exports; a test gives it `snapshot`, a function that returns
(time in nanoseconds, {table: [row as bytes, ...]}), and says what goes wrong.
"""
import gzip
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timezone

BODY_KEYS = ("timeOffset", "companyIds", "locationIds", "tables")


class Body(bytes):
    """A body that is announced with another length than it has; the connection closes behind it."""
    announced = None


def cut(data, at, announced=None):
    body = Body(data[:at])
    body.announced = len(data) if announced is None else announced
    return body


def time_digits(ns):
    """The 33 digits at the front of a file's name."""
    when = datetime.fromtimestamp(ns // 10**9, timezone.utc).strftime("%Y%m%d%H%M%S")
    return f"{when}{ns % 10**9:09}" + "0" * 10


@dataclass
class Job:
    id: str
    request: dict
    time_ns: int
    tables: dict                                # table -> [file name, ...]
    polls: int = 0
    files: dict = field(default_factory=dict)   # file name -> content


class Exports:
    """Controls: snapshot, rows_per_file, pending_polls, fail_table, cursor_suffix; faults of downloads: cut_every,
    expire_after, broken_files, wrong_length, unavailable.  Records: jobs, downloads."""

    def __init__(self, hq):
        self._hq = hq
        self.snapshot = None
        self.rows_per_file = 50
        self.pending_polls = 0          # so many answers say that it is not complete
        self.fail_table = None          # that table cannot be exported
        self.cursor_suffix = ".0000000000"
        self.extra_tables = {}          # table -> rows, beside those of the snapshot
        self.cut_every = 0              # each n-th download breaks off in the middle
        self.no_range = False           # and the server knows no ranges
        self.expire_after = 0           # addresses are good for so many downloads
        self.broken_files = set()       # names of files whose content is damaged, once each
        self.wrong_length = 0           # so many downloads announce more than they have
        self.unavailable = 0            # so many downloads get 503
        self.jobs, self.downloads = {}, []
        self._signatures = {}           # signature -> how often it was used

    # ---- the API

    def create(self, request, found, body):
        keys = [k for k in BODY_KEYS if k in body]
        if list(body) != keys:
            found.append(f"the body has the keys {', '.join(body)}")
        found += [f"{k} is empty" for k in keys if body[k] in ([], 0)]
        if "timeOffset" in body and type(body["timeOffset"]) is not int:
            found.append("timeOffset is not an integer")
        time_ns, rows = self.snapshot()
        rows = {**rows, **self.extra_tables}
        job = Job(f"job-{secrets.token_hex(4)}", body, time_ns, {})
        for table in sorted(rows):
            if "tables" not in body or table in body["tables"]:
                job.tables[table] = self._files_of(job, table, rows[table])
        self.jobs[job.id] = job
        return {"jobId": job.id}

    def _files_of(self, job, table, rows):
        names = []
        for at in range(0, len(rows), self.rows_per_file):
            name = (f"{time_digits(job.time_ns)}-{secrets.token_hex(8)}-1-{len(job.files)}-00000000-{table}-"
                    f"{at // self.rows_per_file + 1:x}.ndjson.gz")
            text = b"\n".join(rows[at:at + self.rows_per_file]) + b"\n"
            job.files[name] = gzip.compress(text, 6, mtime=0)
            names.append(name)
        return names

    def poll(self, job_id):
        job = self.jobs.get(job_id)
        if job is None:
            return None
        job.polls += 1
        done = job.polls > self.pending_polls
        tables = {}
        for i, (table, names) in enumerate(job.tables.items()):
            ready = done or i < job.polls
            state = "Completed" if ready else "Pending"
            if ready and table == self.fail_table:
                state = "Failed"
            tables[table] = {"error": "no such luck" if state == "Failed" else "", "status": state,
                             "urls": [self._sign(job, n) for n in names] if done else [],
                             "cursor": f"{job.time_ns}{self.cursor_suffix}" if ready else ""}
        return {"completed": done, "tables": tables}

    def _sign(self, job, name):
        signature = secrets.token_hex(16)
        self._signatures[signature] = 0
        return f"{self._hq.url}/exports/{job.id}/{name}?X-Goog-Signature={signature}"

    # ---- files

    def download(self, request, found, job_id, name):
        """(status, body, headers) of one file, or of a part of it."""
        for header in ("Authorization", "Content-Type"):
            if header in request.headers:
                found.append(f"{header} was sent to a signed URL")
        job = self.jobs[job_id]
        signature = request.query.partition("X-Goog-Signature=")[2]
        if signature not in self._signatures:
            found.append("the address is not one that was signed")
            return 403, b"signature does not match", {}
        self._signatures[signature] += 1
        if self.expire_after and self._signatures[signature] > self.expire_after:
            return 403, b"expired", {}
        if self.unavailable:
            self.unavailable -= 1
            return 503, b"not now", {"Retry-After": "0"}
        self.downloads.append((name, request.headers.get("Range")))
        content = job.files[name]
        if name in self.broken_files:
            self.broken_files.discard(name)
            content = content[:20] + b"\0" * 8 + content[28:]      # at the front: a resumed rest would mend it
        if self.wrong_length:
            self.wrong_length -= 1
            return 200, cut(content, len(content), len(content) + 100), {}
        return self._part(request, content)

    def _part(self, request, content):
        headers, status = {"Content-Type": "application/octet-stream"}, 200
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if asked and not self.no_range:
            start = int(asked.group(1))
            if start >= len(content):
                return 416, b"", {"Content-Range": f"bytes */{len(content)}"}
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            content, status = content[start:], 206
        if self.cut_every and len(self.downloads) % self.cut_every == 0 and len(content) > 10:
            return status, cut(content, len(content) // 2), headers
        return status, content, headers
