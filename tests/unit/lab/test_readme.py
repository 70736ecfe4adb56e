"""What README says is there, is there."""
import os
import re
import subprocess

from tests.support.natsd import ROOT

with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
    TEXT = f.read()


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert len(links) >= 8
    assert [link for link in links if not os.path.exists(os.path.join(ROOT, link))] == []


def test_every_folder_it_names_exists():
    named = set(re.findall(r"`([a-z]+/(?:[a-z]+/)?)`", TEXT)) - {"build/"}
    assert {"supervisor/upstream/", "supervisor/window/", "ipc/", "worker/", "drivers/"} <= named
    assert [f for f in named if not os.path.isdir(os.path.join(ROOT, f))] == []


def test_make_knows_every_target_it_names():
    targets = {word for line in re.findall(r"\bmake((?: [a-z][a-z0-9-]*)+)", " ".join(re.findall(r"`make[^`]*`|^    .*$", TEXT, re.M)))
               for word in line.split()}
    assert {"demo", "test", "deps", "install", "unit", "e2e", "fuzz"} <= targets
    phony = " ".join(re.findall(r"^\.PHONY:(.*)$", read("Makefile") + "".join(
        read(os.path.join("etc/mk", name)) for name in os.listdir(os.path.join(ROOT, "etc/mk")) if name.endswith(".mk")),
        re.M)).split()
    assert sorted(targets - set(phony)) == []


def test_edsctl_knows_every_verb_it_names():
    verbs = set(re.findall(r"^    edsctl ([a-z]+)", TEXT, re.M))
    assert len(verbs) >= 7
    known = set(re.findall(r'^COMMAND\("([a-z]+)"', read("supervisor/control/control_commands.def"), re.M))
    assert verbs - known == set()


def test_no_line_is_too_long_for_a_terminal():
    assert [line for line in TEXT.splitlines() if len(line) > 80 and not line.startswith("|")] == []


def test_the_continuous_integration_runs_its_test_line():
    assert "apt-get update && apt-get install -y make && make test" in TEXT
    assert re.search(r"^make test$", read(".ci/run"), re.M)
    assert subprocess.run(["sh", "-n", ".ci/run"], cwd=ROOT, check=False).returncode == 0
