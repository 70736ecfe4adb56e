"""`eds completion` and `edsctl completion`: the scripts in real shells, with a Tab on a terminal of their own."""
import os
import shutil
import subprocess

import pytest

from helpers import quick
from tests.support.lab import build_dir
from tests.support.terminal import Terminal

SHELLS = ("bash", "zsh", "fish", "powershell")


def run(program, *args, **kw):
    return subprocess.run([os.path.join(build_dir(), program), *args], capture_output=True, text=True, timeout=30,
                          check=False, **kw)


def eds(*args):
    return run("eds", *args)


def candidates(*words, program="eds"):
    """What the shells are told for a line of these words, the last one under the cursor."""
    done = run(program, "__complete", input="".join(word + "\n" for word in words))
    assert done.returncode == 0 and done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("words, wanted", [
    (["ser"], ["server"]),
    (["--verbose", "imp"], ["import"]),
    (["server", "--keep"], ["--keep-logs"]),
    (["server", "--keep-logs", "--data-dir", "x", "h"], ["help"]),
    (["server", "help", "sq"], ["sqlite", "sqlserver"]),
    (["help", "ver"], ["version"]),
    (["completion", ""], list(SHELLS)),
    (["import", "--d"], ["--data-dir", "--dir", "--dry-run"]),
    (["import", "--dir", ""], [":folders"]),
    (["import", "--dir=/v"], [":folders"]),
    (["-vd", ""], [":folders"]),
    (["server", "--config", "/e"], [":files"]),
    (["download", "3.0.2", ""], [":files"]),
    (["download", ""], []),
    (["enroll", "--", "--d"], []),
    (["server", "--url", "file://"], []),
])
def test_what_can_stand_at_the_cursor_is_offered(words, wanted):
    assert candidates(*words) == wanted


def test_hidden_flags_and_commands_are_not_offered():
    assert "--creds" not in candidates("server", "--") and "--data-dir" in candidates("server", "--")
    assert not any(word.startswith("_") for word in candidates(""))


def test_every_listed_command_and_flag_is_offered():
    shown = eds("help").stdout.partition("Available Commands:\n")[2].partition("\n\n")[0]
    listed = [line.split()[0] for line in shown.splitlines() if line[2:3].strip()]
    assert listed and candidates("") == listed
    flags = {word for line in eds("server", "--help").stdout.splitlines() if line.lstrip().startswith("-")
             for word in line.split() if word.startswith("--")}
    assert flags == set(candidates("server", "-"))


def test_a_shell_that_is_unknown_is_named():
    done = eds("completion", "tcsh")
    assert done.returncode == 1 and done.stdout == "" and '"tcsh"; expected bash, zsh, fish or powershell' in done.stderr
    assert eds("completion").returncode == 1


@pytest.mark.parametrize("words, wanted", [
    (["sta"], ["status"]),
    (["--json", "sta"], ["status"]),
    (["restart", ""], ["worker"]),
    (["gap", ""], ["list", "accept"]),
    (["gap", "accept", ""], ["from-start"]),
    (["gap", "list", ""], []),
    (["quarantine", "re"], ["retry"]),
    (["quarantine", "retry", "shop", ""], ["all"]),
    (["quarantine", "show", "shop", ""], []),
    (["journal", ""], ["check"]),
    (["help", "lo"], ["logs"]),
    (["completion", ""], list(SHELLS)),
    (["status", "--w"], ["--watch"]),
    (["import", "shop", "--d"], ["--data-dir", "--dry-run", "--dir"]),
    (["import", "shop", "--dir", ""], [":folders"]),
    (["import", "--only", "order", "--ca"], ["--cancel"]),
    (["import", "--only", ""], []),
    (["-d", ""], [":folders"]),
    (["status", "--data-dir=/v"], [":folders"]),
    (["--timeout", ""], []),
])
def test_verbs_of_edsctl_and_their_arguments_are_offered(words, wanted):
    assert candidates(*words, program="edsctl") == wanted


def test_edsctl_offers_the_destinations_of_the_server_that_is_meant(enrolled):
    lab = enrolled
    lab.start_eds({"files": quick(lab.file_url()), "shop": quick(lab.sqlite_url())})
    lab.wait_running("files", "shop")
    for line in (["-d", lab.data_dir, "restart", "worker"], ["pause", "--data-dir", lab.data_dir],
                 ["--data-dir=" + lab.data_dir, "quarantine", "show"], ["-d", lab.data_dir, "import"]):
        assert candidates(*line, "", program="edsctl") == ["files", "shop"]
        assert candidates(*line, "sh", program="edsctl") == ["shop"]
    assert lab.stop_eds() == 0
    assert candidates("-d", lab.data_dir, "why", "", program="edsctl") == []


@pytest.mark.parametrize("program", ["eds", "edsctl"])
@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_asks_its_program(program, shell):
    done = run(program, "completion", shell)
    assert done.returncode == 0 and "__complete" in done.stdout and done.stderr == ""
    assert f"completion for {program}:" in done.stdout and "@@" not in done.stdout


class Shell(Terminal):
    """An interactive shell with the completion of both programs, and its keys."""

    COMMANDS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"],
                "fish": ["fish", "--private", "-i", "-N"]}
    BEGIN = {"bash": "bind 'set bell-style none'; ", "zsh": "unsetopt beep; autoload -U compinit; compinit -D; ", "fish": ""}

    def __init__(self, name, folder):
        for program in ("eds", "edsctl"):
            (folder / program).write_text(run(program, "completion", name).stdout, encoding="utf-8")
        env = {"PATH": build_dir() + ":" + os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "PS1": "$ ",
               "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder), "LC_ALL": "C.UTF-8"}
        super().__init__(self.COMMANDS[name], str(folder), env, columns=200)
        self.run(self.BEGIN[name] + "source ./eds; source ./edsctl; echo read'y'", "ready")

    def run(self, line, wanted):
        self.type(line + "\r")
        self.wait_for(wanted)


@pytest.mark.parametrize("name", Shell.COMMANDS)
def test_a_tab_completes_in_a_real_shell(name, tmp_path):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / "the folder").mkdir()
    (tmp_path / "theatre").write_text("", encoding="utf-8")
    shell = Shell(name, tmp_path)
    try:
        shell.type("eds vers\t")
        shell.wait_for("version ")
        shell.run("", "\n")
        shell.type("eds server help sqls\t")
        shell.wait_for("sqlserver ")
        shell.run("", "Microsoft SQL Server")
        # a folder, not the file, and its blank is escaped
        shell.type("eds import --dir the\t")
        shell.wait_for("the\\ folder/")
        shell.run("\x15", "\n")       # the line is emptied
        shell.type("edsctl quarantine li\t")
        shell.wait_for("quarantine list ")
    finally:
        shell.close()
