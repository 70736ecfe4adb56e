"""What happens around the tables of SQL databases: others change them at the same time; the disk is full."""
import os
import pwd
import threading

import pytest

from helpers import fill_up, quick, small_file_system
from tests.support import postgresd
from tests.support.crafted import NULLABLE, STRING, Crafted, schema

NAME = "shared"
TABLES = [f"t{n:02}" for n in range(10)]
DISK = 64 << 20


class Postgres:
    """A database, and how it is looked at."""

    add_column = 'ALTER TABLE "{}" ADD COLUMN IF NOT EXISTS "{}" TEXT'
    create = 'CREATE TABLE IF NOT EXISTS "{}" ("id" TEXT NOT NULL PRIMARY KEY)'

    def __init__(self, server, database):
        self.server, self.database = server, server.create(database)
        self.url = server.url(database)

    def run(self, *statements):
        return self.server.run(f'SET ROLE "{self.database}"', *statements, database=self.database)

    def rows(self, table):
        link = self.server.connect(self.database)
        try:
            return {r["id"]: r for r in postgresd.rows(link, table)}
        finally:
            link.close()

    def put_on(self, folder):
        """New tables go to that folder."""
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)
        self.server.run(f"CREATE TABLESPACE small LOCATION '{folder}'",
                        f'ALTER DATABASE "{self.database}" SET TABLESPACE small')

    def folder_for_disk(self):
        path = os.path.join(self.server.folder, "small")
        os.mkdir(path, 0o700)
        return path


class MySql:
    add_column = "ALTER TABLE `{}` ADD COLUMN `{}` LONGTEXT"
    create = ("CREATE TABLE IF NOT EXISTS `{}` (`id` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL "
              "PRIMARY KEY) ENGINE=InnoDB CHARACTER SET=utf8mb4")

    def __init__(self, server, database):
        self.server, self.database = server, server.create(database, database)
        self.url = server.url(database, user=database)

    def run(self, *statements):
        return self.server.run(*statements, database=self.database)

    def rows(self, table):
        return self.server.rows(self.database, table)

    def put_on(self, folder):
        """It is that of the database already: what lies on top of it has to be the server's, too."""
        if os.getuid() == 0:
            account = pwd.getpwnam("mysql")
            os.chown(folder, account.pw_uid, account.pw_gid)

    def folder_for_disk(self):
        return os.path.join(self.server.data, self.database)


@pytest.fixture(params=["postgres", "mysql"])
def place(request):
    """A database of its own."""
    if request.param == "postgres":
        return Postgres(request.getfixturevalue("own_postgres"), "places")
    return MySql(request.getfixturevalue("mariadb"), f"places_{request.node.name.split('[')[0][-20:]}")


def start(lab, place, **options):
    lab.start_eds({NAME: quick(place.url, hang_timeout="60s", **options)})
    lab.wait_running(NAME)


# ---- others at the same tables

class Rival(threading.Thread):
    """Makes and widens the same tables by its own statements; errors are its own affair."""

    def __init__(self, place, columns):
        super().__init__()
        self._place, self._columns, self.done = place, columns, 0

    def run(self):
        for table in reversed(TABLES):
            for sql in (self._place.create.format(table), *(self._place.add_column.format(table, c) for c in self._columns)):
                try:
                    self._place.run(sql)
                    self.done += 1
                except Exception:
                    continue        # a column that is there by now, or a deadlock


def version(number):
    return [schema(t, {"id": STRING, "note": NULLABLE, **{f"c{i}": NULLABLE for i in range(4 * number)}}, version=f"v{number}")
            for t in TABLES]


def test_tables_that_several_make_and_widen_at_the_same_time_lose_nothing(make_lab, place):
    labs = [make_lab(), make_lab()]
    crafts = []
    for lab in labs:
        lab.enroll()
        crafts.append(Crafted(lab, *version(0)))
        start(lab, place)
    for number in range(3):
        rival = Rival(place, [f"c{i}" for i in range(4 * number)])
        rival.start()
        for who, craft in enumerate(crafts):
            craft.set(*version(number))
            columns = {"note": "a", **{f"c{i}": str(i) for i in range(4 * number)}}
            craft.send(*(craft.insert(t, {"id": f"{who}-{number}-{n}", **columns}) for n in range(20) for t in TABLES))
        for lab in labs:
            lab.wait_delivered(NAME)
        rival.join()
        assert rival.done > 0
    for lab in labs:
        assert lab.destination(NAME)["quarantined"] == 0 and lab.destination(NAME)["state"] == "running"
    wanted = {f"{who}-{number}-{n}" for who in (0, 1) for number in range(3) for n in range(20)}
    for table in TABLES:
        rows = place.rows(table)
        assert set(rows) == wanted
        assert all(row[f"c{i}"] == (str(i) if i < 4 * int(key.split("-")[1]) else None)
                   for key, row in rows.items() for i in range(8))


# ---- no room

def test_a_database_whose_disk_is_full_is_waited_for(enrolled, place):
    lab, folder = enrolled, place.folder_for_disk()
    craft = Crafted(lab, schema("order", {"id": STRING, "note": NULLABLE}))
    with small_file_system(folder, DISK):
        try:
            place.put_on(folder)
            start(lab, place)
            keys = [str(n) for n in range(1600)]
            events = [craft.insert("order", {"id": k, "note": k + "x" + os.urandom(5000).hex()}) for k in keys]
            craft.send(*events[:400])       # MariaDB itself crashes when it cannot widen a table of less than a megabyte
            lab.wait_delivered(NAME)
            ballast = fill_up(folder)
            craft.send(*events[400:])
            lab.wait_until(lambda: "make room" in lab.edsctl("why", NAME).stdout,
                           lambda: "edsctl why to say that there is no room; it says:\n" + lab.edsctl("why", NAME).stdout)
            assert lab.destination(NAME)["behind"] > 0
            os.remove(ballast)
            lab.wait_delivered(NAME)
            rows = place.rows("order")
            assert set(rows) == set(keys) and all(rows[k]["note"].startswith(k + "x") for k in keys)
            assert lab.destination(NAME)["quarantined"] == 0
        finally:
            lab.stop_eds()
            place.server.close() if isinstance(place, Postgres) else place.run("DROP TABLE `order`")
