"""The first run as the guide shows it, on a terminal: from the download to streaming, and what is read at each step."""
import os
import re

import pytest

from tests.support import releases
from tests.support.lab import SERVER_ID
from tests.support.terminal import Terminal

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class FirstRun:
    """A new machine: nothing but the programs of a release, and HQ's page in a browser."""

    def __init__(self, lab, published, columns):
        self.lab, self.columns, self.t = lab, columns, None
        published.add(releases.VERSION, releases.our_programs(releases.VERSION))
        self.folder = os.path.join(lab.dir, "programs")
        done = lab.run("eds", "download", releases.VERSION, self.folder, "--release-url", published.url, "--release-key",
                       published.key_file)
        assert done.returncode == 0 and f"download successful, saved to {self.folder}" in done.stdout

    def start(self, conf=None):
        if conf:
            self.lab.write_conf(conf)
        env = self.lab.environment(TERM="xterm-256color")
        self.t = Terminal([os.path.join(self.folder, "eds"), *map(str, self.lab.server_arguments())], self.lab.dir, env,
                          columns=self.columns)

    def reads(self, *lines):
        """These come one behind the other, each at the end of its line's head or as a whole."""
        for line in lines:
            self.t.wait_for(line)

    def hq(self, action, data, **kw):
        session, = self.lab.hq.live_sessions()
        return self.lab.hq.control.notify(session.id, action, data, **kw)

    def status(self):
        done = self.lab.run("edsctl", "--data-dir", self.lab.data_dir, "status",
                            env=self.lab.environment(COLUMNS=self.columns))
        assert max(map(len, done.stdout.splitlines())) <= self.columns
        return done.returncode, done.stdout


@pytest.fixture(params=[80, 60])
def first_run(request, make_lab, published):
    lab = make_lab(tables=["order", "user"], row_limit=300)
    lab.events.batch(400)
    run = FirstRun(lab, published, request.param)
    yield run
    if run.t:
        run.t.close()


def enrolled(run):
    run.start()
    run.reads("Welcome to Shopmonkey EDS!", "Enter one-time enrollment code: ")
    run.t.type("LWRONG\n")
    run.reads("invalid enrollment code or it has already been used", "Enter one-time enrollment code: ")
    run.t.type(run.lab.hq.new_code(SERVER_ID) + "\n")
    run.reads("Enrollment successful!", " started", "Return to HQ and continue with configuring your server.",
              "nats connected: ")


def configured(run, url):
    reply = run.hq("configure", {"url": url, "backfill": True, "updateStrategy": ""}, reply=True)
    assert reply["success"] is True and reply["backfill"] is True
    run.reads("HQ asks for configure ", "configuring the driver, one moment please...", "configure: added destination file",
              "HQ asks for configure ")


def test_from_the_download_to_streaming_with_an_import(first_run):
    run, lab = first_run, first_run.lab
    enrolled(run)
    code, shown = run.status()
    assert code == 4 and "There is no destination yet: configure one in HQ" in " ".join(shown.split())
    assert "edsctl resume" not in shown, "nobody has paused anything"
    # HQ's form, the connection test, first with a mistake
    form = run.hq("validate", {"driver": "file", "config": {"Directory": lab.file_dir()}}, reply=True)
    assert form["success"] is True and form["url"] == lab.file_url()
    wrong = run.hq("configure", {"url": "postgres://u:secret@127.0.0.1:1/x", "backfill": True, "updateStrategy": ""}, reply=True)
    assert wrong["success"] is False and "Connection refused" in wrong["message"] and "tried" not in wrong["message"]
    run.reads("configuring the driver, one moment please...", "which was not done: ")
    configured(run, form["url"])
    # existing data as well
    run.hq("import", {"backfill": True})
    lab.hq.control.wait_answer("import-response")
    run.reads("HQ asks for import backfill: accepted", "import into file", "export job ", "Export Progress: 2/2 (100.00%)",
              "importing 2 tables from ", "👋 Loaded 2 tables in ", "worker is running")
    lab.publish(50)
    lab.wait_until(lambda: lab.destination("file")["committed"] == 50, "what is new")
    code, shown = run.status()
    assert code == 0 and re.search(r"^file +running +0 ", shown, re.M)
    ended(run)


def test_without_an_import_and_beside_a_destination_of_ones_own(first_run):
    run, lab = first_run, first_run.lab
    lab.write_conf({"mine": lab.file_url("mine")})
    run.start()
    run.reads("Enter one-time enrollment code: ")
    run.t.type(run.lab.hq.new_code(SERVER_ID) + "\n")
    run.reads("Enrollment successful!", "server is running version")
    mine = lab.destination("mine")["pid"]
    configured(run, lab.file_url())
    run.hq("import", {"backfill": False})
    lab.hq.control.wait_answer("import-response")
    run.reads("HQ asks for import: accepted", "worker is running")
    lab.publish(50)
    lab.wait_until(lambda: all(lab.destination(n)["committed"] == 50 for n in ("mine", "file")), "both to have everything")
    assert lab.destination("mine")["pid"] == mine and not lab.hq.exports.jobs
    ended(run)


def ended(run):
    """As Ctrl-C ends it; and what is left needs no code the next time."""
    run.t.type("\x03")
    run.reads("SIGINT: ending, workers finish what they hold", "👋 Bye")
    assert run.t.wait() == 0
    assert not run.lab.hq.live_sessions()
    run.start()
    run.reads("server is running version")
    run.t.type("\x03")
    assert run.t.wait() == 0 and "enrollment code" not in ANSI.sub("", run.t.output)
