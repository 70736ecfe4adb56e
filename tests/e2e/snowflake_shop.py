"""The Snowflake peer and the driver by hand, for one test."""
import json
import os

from tests.support.crafted import Crafted, schema
from tests.support.drive import Drive, schemas_by_version
from tests.support.snowflake import Snowflake


class _NoHq:
    """What Crafted wants of a laboratory, when there is none."""

    def set_schemas(self, schemas):
        pass


class _NoLab:
    hq = _NoHq()


class Shop:
    """`craft` makes events of the schemas given; start() opens the driver."""

    def __init__(self, folder, *schemas, environment=None, **peer):
        self.folder = str(folder)
        self.peer = Snowflake(os.path.join(self.folder, "peer"), **peer)
        self.schemas = schemas or (schema("order"),)
        self.craft = Crafted(_NoLab(), *self.schemas)
        self.log_path = os.path.join(self.folder, "driver.log")
        self.drives, self._environment = [], environment or {}
        self.drive = self.another()

    def another(self):
        """One more driver process, as a restarted worker would be."""
        drive = Drive(schemas_by_version({s["table"] + s["modelVersion"]: s for s in self.schemas}), self.folder,
                      self.log_path, **self._environment)
        self.drives.append(drive)
        return drive

    def start(self, drive=None, url=None, result="stored", **options):
        drive = drive or self.drive
        return drive.must(drive.open(url or self.peer.url(), **options), result)

    def deliver(self, *events, result="stored"):
        return self.drive.must(self.drive.deliver(*events), result)

    def rows(self, table="order"):
        return self.peer.database.rows(table)

    def row(self, key="1", table="order"):
        return self.rows(table)[key]

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def close(self):
        """Ends everything; what the peer complained of is an error of the driver."""
        try:
            for drive in self.drives:
                drive.__exit__()
        finally:
            self.peer.close()
        assert self.peer.violations == []
        assert "Sanitizer" not in self.log() and "runtime error" not in self.log(), self.log()
        for secret in ("s3cret/pass", "s3cret%2Fpass"):
            assert secret not in self.log()


def order(key="1", **columns):
    return {"id": key, **columns}


def jsons(row, *columns):
    return [json.loads(row[c]) for c in columns]
