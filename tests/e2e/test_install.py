"""`make install`: what a package of it would hold, and that the installed programs work where they lie."""
import contextlib
import glob
import os
import re
import shutil
import sqlite3
import subprocess

import pytest

from tests.support.lab import ROOT, build_dir

MAN_PAGES = ("man8/eds.8", "man8/edsctl.8", "man5/eds.conf.5")


def make_install(prefix, destdir=""):
    """make install of the build under test; returns the folder that stands for `prefix`."""
    sanitized = ["SAN=1"] if os.path.basename(build_dir()) == "build-san" else []
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DESTDIR", "PREFIX")}
    done = subprocess.run(["make", "install", f"PREFIX={prefix}", f"DESTDIR={destdir}", *sanitized], cwd=ROOT, env=env,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return destdir + prefix


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """As a package would be made: for /usr, below another folder."""
    return make_install("/usr", str(tmp_path_factory.mktemp("stage")))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Programs in a folder that nothing was compiled for; the laboratory takes them from there."""
    prefix = make_install(str(tmp_path / "opt" / "eds"))
    monkeypatch.setenv("EDS_BUILD", prefix + "/bin")
    return prefix


def test_everything_is_where_a_package_has_it(staged):
    found = {os.path.relpath(os.path.join(folder, name), staged)
             for folder, _, names in os.walk(staged) for name in names}
    modules = [os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(ROOT, "drivers/*/module.mk"))]
    assert len(modules) >= 4
    wanted = {"bin/eds", "bin/edsctl", "libexec/eds/eds-worker", "lib/systemd/system/eds.service",
              *(f"lib/eds/drivers/{d}.so" for d in modules if d != "fault"),
              *(f"share/doc/eds/{f}" for f in ("README.md", "LICENSE", "eds.conf")),
              *(f"share/man/{page}" for page in MAN_PAGES), *(f"share/{path}" for p in ("eds", "edsctl") for path in (
                  f"bash-completion/completions/{p}", f"zsh/vendor-completions/_{p}", f"fish/vendor_completions.d/{p}.fish"))}
    assert found == wanted
    executable = {f for f in found if os.access(os.path.join(staged, f), os.X_OK) and
                  os.stat(os.path.join(staged, f)).st_mode & 0o111}
    assert executable == {f for f in wanted if f.startswith(("bin/", "libexec/", "lib/eds/"))}


@pytest.mark.parametrize("page", MAN_PAGES)
def test_a_manual_page_is_clean(staged, page):
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", f"{staged}/share/man/{page}"], capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_starts_the_installed_program(staged):
    with open(staged + "/lib/systemd/system/eds.service", encoding="utf-8") as f:
        unit = f.read()
    assert re.search(r"^ExecStart=/usr/bin/eds server ", unit, re.M)
    assert not re.search(r"@[A-Z]+@", unit)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to check the unit")
def test_systemd_finds_nothing_wrong_with_the_unit(installed):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", installed + "/lib/systemd/system/eds.service"],
                          capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "eds.service" in line]
    assert (done.returncode, complaints) == (0, [])


def test_installed_programs_answer(installed):
    with open(os.path.join(ROOT, "etc/VERSION"), encoding="utf-8") as f:
        version = f.read().strip()

    def run(*args):
        return subprocess.run([f"{installed}/bin/{args[0]}", *args[1:]], capture_output=True, text=True, check=False)
    done = run("eds", "version")
    assert (done.returncode, done.stdout, done.stderr) == (0, version + "\n", "")
    done = run("eds", "server", "help")
    assert done.returncode == 0 and "SQLite" in done.stdout and "Example url: file://" in done.stdout
    assert run("edsctl", "version").stdout.split() == ["edsctl", version]


def readme_configuration(lab):
    """The first configuration of README, with the laboratory's folder for the one it names, as far as it is of this machine."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        blocks = re.findall(r"^```ini\n(.*?)^```$", f.read(), re.M | re.S)
    assert len(blocks) == 1
    sections = re.findall(r"^\[[^[]*", blocks[0], re.M)
    return "".join(s for s in sections if re.search(r"^url = (file|sqlite):", s, re.M)).replace("/var/lib/eds/", lab.dir + "/")


def test_readmes_configuration_delivers_with_the_installed_programs(installed, make_lab):
    lab = make_lab()
    lab.enroll()
    lab.start_eds(readme_configuration(lab))
    lab.wait_running()
    assert [d["name"] for d in lab.status()["destinations"]] == ["archive", "shop", "sales"]
    for name, driver in (("archive", "file"), ("shop", "sqlite"), ("sales", "sqlite")):
        with open(f"/proc/{lab.worker_pid(name)}/maps", encoding="utf-8") as f:
            mapped = f.read()
        assert f"{installed}/libexec/eds/eds-worker" in mapped
        assert f"{installed}/lib/eds/drivers/{driver}.so" in mapped
    events = lab.publish(600)
    lab.wait_delivered()
    assert lab.differences(files="archive", sqlite="shop") == []
    wanted = [e for e in events if e.table in ("order", "customer") and e.operation in ("INSERT", "UPDATE")]
    assert wanted and lab.destination("sales")["committed"] == len(wanted)
    with contextlib.closing(sqlite3.connect(lab.sqlite_path("sales"))) as db:
        assert sorted(name for name, in db.execute("select name from sqlite_master where type = 'table'")
                      if name in lab.events.tables) == ["customer", "order"]
        for table in ("customer", "order"):
            assert {key for key, in db.execute(f'select id from "{table}"')} == {e.key for e in wanted if e.table == table}
