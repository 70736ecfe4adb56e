"""The command line of eds: what users of the earlier server type, and what they see."""
import os
import re
import signal
import subprocess

import pytest

from tests.support import proc
from tests.support.lab import SERVER_ID, build_dir
from tests.support.terminal import Terminal

EDS = os.path.join(build_dir(), "eds")


# ---- help, version, mistakes: these need no server

@pytest.fixture(scope="module")
def eds(tmp_path_factory):
    """Runs eds in an empty folder."""
    folder = tmp_path_factory.mktemp("commands")

    def run(*args, **kw):
        env = {k: v for k, v in os.environ.items() if not k.startswith("SM_")}
        return subprocess.run([EDS, *args], capture_output=True, text=True, cwd=folder, env=env, timeout=30,
                              stdin=subprocess.DEVNULL, **kw)
    return run


@pytest.mark.parametrize("args", [(), ("help",), ("-h",), ("--help",)])
def test_help_is_printed_with_every_command(eds, args):
    done = eds(*args)
    assert done.returncode == 0 and done.stderr == ""
    for word in ("enroll", "server", "version", "import", "download", "https://github.com/shopmonkeyus/eds",
                 "https://shopmonkey.dev/eds"):
        assert word in done.stdout


def test_help_of_a_command_lists_its_flags(eds):
    done = eds("help", "server")
    assert done.returncode == 0
    for flag in ("--url", "--api-key", "--port", "--data-dir", "--verbose", "--config"):
        assert flag in done.stdout
    assert eds("server", "--help").stdout == done.stdout


def test_version_is_bare(eds):
    done = eds("version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", done.stdout)


def test_an_unknown_command_is_named(eds):
    done = eds("serve")
    assert done.returncode == 1
    assert done.stdout == ""
    assert 'Error: unknown command "serve" for "eds"' in done.stderr
    assert "Run 'eds --help' for usage." in done.stderr


@pytest.mark.parametrize("args, text", [
    (("server", "--nope"), "unknown flag: --nope"),
    (("version", "--nope=1"), "unknown flag: --nope"),
    (("server", "-x"), "unknown shorthand flag: 'x' in -x"),
    (("server", "--port"), "flag needs an argument: --port"),
    (("server", "--port", "many"), 'invalid argument "many" for "--port" flag'),
    (("server", "--renew-interval", "soon"), 'invalid argument "soon" for "--renew-interval" flag'),
    (("enroll",), "accepts 1 arg(s), received 0"),
    (("enroll", "L1", "L2"), "accepts 1 arg(s), received 2"),
])
def test_a_wrong_line_gets_the_reason_and_the_usage(eds, args, text):
    done = eds(*args)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and text in done.stderr.splitlines()[0]
    assert "Usage:" in done.stderr and "Global Flags:" in done.stderr


def test_server_help_lists_the_drivers(eds):
    done = eds("server", "help")
    assert done.returncode == 0
    assert done.stdout.startswith("Shopmonkey Enterprise Data Streaming (EDS) Server\nversion: ")
    for text in ("File", "SQLite", "Example url: file://", "Example url: sqlite://", "server help"):
        assert text in done.stdout
    assert "fault://" not in done.stdout, "a driver for tests is nothing for users"


@pytest.mark.parametrize("name", ["File", "SQLite", "sqlite"])
def test_h60_server_help_explains_one_driver_by_name_or_scheme(eds, name):
    done = eds("server", "help", name)
    assert done.returncode == 0
    assert "Example url: " in done.stdout and name.lower() in done.stdout.lower()


def test_server_help_of_an_unknown_driver_fails(eds):
    done = eds("server", "help", "carrier pigeon")
    assert done.returncode == 1
    assert "No integration named carrier pigeon is not found." in done.stdout + done.stderr


# ---- enrolling

def config_toml(lab):
    with open(os.path.join(lab.data_dir, "config.toml"), encoding="utf-8") as f:
        return f.read()


def test_enroll_stores_token_and_server_id(lab):
    done = lab.enroll()
    assert "Enrollment successful!" in done.stdout + done.stderr
    assert re.search(r"run `\S*eds server` to start the server", done.stdout + done.stderr)
    text = config_toml(lab)
    assert lab.hq.token(SERVER_ID) in text and SERVER_ID in text
    assert os.stat(os.path.join(lab.data_dir, "config.toml")).st_mode & 0o777 == 0o600
    assert os.stat(lab.data_dir).st_mode & 0o777 == 0o700
    assert lab.hq.token(SERVER_ID) not in done.stdout + done.stderr


def enroll(lab, code, *args):
    return lab.run("eds", "enroll", code, "--data-dir", lab.data_dir, "--api-url", lab.hq.url, *args)


def test_a_wrong_code_is_refused_and_leaves_nothing(lab):
    done = enroll(lab, "LWRONG")
    assert done.returncode == 1
    assert "invalid enrollment code or it has already been used" in done.stdout + done.stderr
    assert not os.path.exists(os.path.join(lab.data_dir, "config.toml"))


def test_h61_a_code_is_trimmed_and_an_empty_one_is_told(lab):
    assert enroll(lab, "").returncode == 1 and lab.hq.requests == []
    assert enroll(lab, f"  {lab.hq.new_code(SERVER_ID)}\n").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_h57_a_folder_of_somebody_else_is_good_when_it_can_be_written_to(lab):
    os.mkdir(lab.data_dir, 0o700)
    os.chown(lab.data_dir, 65534, 65534)
    assert enroll(lab, lab.hq.new_code(SERVER_ID)).returncode == 0
    os.unlink(os.path.join(lab.data_dir, "config.toml"))
    os.chown(lab.data_dir, 0, 0)
    os.chmod(lab.dir, 0o755)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    refused = lab.run("eds", "enroll", "L1", "--data-dir", lab.data_dir, "--api-url", lab.hq.url, before=nobody)
    assert refused.returncode == 1 and f"nothing can be written to the data directory {lab.data_dir}" in refused.stdout
    os.chmod(lab.data_dir, 0o777)
    done = lab.run("eds", "enroll", lab.hq.new_code(SERVER_ID), "--data-dir", lab.data_dir, "--api-url", lab.hq.url, before=nobody)
    assert done.returncode == 0, done.stdout


def test_a_code_works_once(lab):
    code = lab.hq.new_code(SERVER_ID)
    assert enroll(lab, code).returncode == 0
    before = config_toml(lab)
    assert enroll(lab, code).returncode == 1
    assert config_toml(lab) == before, "the first enrollment stays"


def test_a_code_whose_letter_names_no_api_is_refused(lab):
    done = lab.run("eds", "enroll", "XABC", "--data-dir", lab.data_dir)
    assert done.returncode == 1
    assert "error getting api url: invalid code" in done.stdout + done.stderr
    assert lab.hq.requests == []


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b'{"success":true}', b'{"success":true,"data":{"token":5}}',
                                  b'{"success":false,"message":"not today"}'])
def test_garbage_at_enrolling_is_said_and_leaves_nothing(lab, body):
    lab.hq.override("GET .*/enroll/", 200, body)
    done = enroll(lab, lab.hq.new_code())
    assert done.returncode == 1
    assert "[ERROR]" in done.stdout + done.stderr and "enroll" in done.stdout + done.stderr
    if b"not today" in body:
        assert "not today" in done.stdout + done.stderr
    assert not os.path.exists(os.path.join(lab.data_dir, "config.toml"))


def test_enrolling_waits_for_an_api_that_is_just_starting(lab):
    lab.hq.override("GET .*/enroll/", 503, times=2)
    assert enroll(lab, lab.hq.new_code()).returncode == 0
    assert len(lab.hq.requests_to("/enroll/")) == 3


# ---- the prompt

@pytest.fixture
def terminal(lab):
    opened = []

    def open_terminal(**options):
        terminal = options.pop("terminal", True)
        opened.append(Terminal([EDS, *map(str, lab.server_arguments())], lab.dir, lab.environment(**options), terminal))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def stop_by_signal(t):
    os.kill(t.child.pid, signal.SIGTERM)
    assert t.wait() == 0


@pytest.mark.parametrize("on_terminal", [True, False])
def test_h58_the_first_start_asks_for_the_code_and_keeps_what_it_gets_in_the_data_directory(lab, terminal, on_terminal):
    lab.write_conf({"files": lab.file_url()})
    t = terminal(terminal=on_terminal, TERM="xterm")
    if on_terminal:
        t.wait_for("Welcome to Shopmonkey EDS!")
        t.wait_for("Enter one-time enrollment code: ")
    t.type("LWRONG\n")
    t.wait_for("invalid enrollment code or it has already been used")
    t.wait_for("Enter one-time enrollment code: ")
    t.type(lab.hq.new_code(SERVER_ID) + "\n")
    t.wait_for("server is running version")
    assert SERVER_ID in config_toml(lab)
    assert len(lab.hq.live_sessions()) == 1
    stop_by_signal(t)
    assert not lab.hq.live_sessions()


def test_the_prompt_has_no_colours_on_a_dumb_terminal(terminal):
    t = terminal(TERM="dumb")
    t.wait_for("Enter one-time enrollment code: ")
    assert "\x1b" not in t.output
    t.type("\n")
    assert t.wait() == 1


@pytest.mark.parametrize("typed, words", [("\n", ""), (None, "failed to read enrollment code"),
                                          ("two words\n", "failed to read enrollment code")])
def test_no_code_no_server(lab, terminal, typed, words):
    t = terminal(TERM="dumb")
    t.wait_for("Enter one-time enrollment code: ")
    t.type(typed) if typed else t.hang_up()
    assert t.wait() == 1
    assert words in t.output
    assert not os.path.exists(os.path.join(lab.data_dir, "config.toml"))
    assert lab.hq.requests == []


def test_without_anybody_to_ask_it_says_how_to_enroll(lab):
    done = lab.run("eds", *lab.server_arguments())
    assert done.returncode == 1
    assert "not enrolled" in done.stdout + done.stderr and "enroll CODE" in done.stdout + done.stderr


def test_a_server_id_without_token_is_refused_in_words(lab):
    done = lab.run("eds", *lab.server_arguments(), "--eds-id", SERVER_ID)
    assert done.returncode == 1
    assert "API key not found. Make sure you run `" in done.stdout + done.stderr


@pytest.mark.parametrize("key, why", [("abc", "invalid API key"), ("a.b.c", "invalid API key")])
def test_a_token_that_is_none_is_refused_without_repeating_it(lab, key, why):
    done = lab.run("eds", "server", "--data-dir", lab.data_dir, "--eds-id", SERVER_ID, "--api-key", key + ".secret",
                   "--port", "0")
    assert done.returncode == 1
    assert why in done.stdout + done.stderr
    assert ".secret" not in done.stdout + done.stderr


# ---- running

def test_a_server_without_destination_waits_and_says_so(enrolled):
    lab = enrolled
    lab.start_eds(wait=False)
    lab.wait_log("Return to HQ and continue with configuring your server")
    lab.wait_until(lambda: lab.hq.live_sessions(), "a session with HQ")
    done = lab.edsctl("status", "--json")
    assert done.returncode == 4
    assert "no destination is configured" in done.stdout
    assert lab.stop_eds() == 0


def test_a_url_on_the_command_line_is_a_destination_named_after_its_driver(enrolled):
    lab = enrolled
    lab.start_eds(args=("--url", lab.file_url()))
    lab.wait_running("file")
    lab.publish(60)
    lab.wait_delivered("file")
    assert lab.differences(sqlite=None) == []


def test_the_url_that_hq_configured_is_a_destination(enrolled):
    lab = enrolled
    with open(os.path.join(lab.data_dir, "config.toml"), "a", encoding="utf-8") as f:
        f.write(f"\nurl = '{lab.sqlite_url()}'\n")
    lab.start_eds({"files": lab.file_url()})
    lab.wait_running("files", "sqlite")
    lab.publish(60)
    lab.wait_delivered()
    assert lab.differences() == []
    start = lab.hq.live_sessions()[0].start
    assert start["driver"]["id"] == "sqlite"


def test_the_deprecated_health_port_still_works(enrolled):
    lab = enrolled
    port = proc.free_port()
    lab.start_eds({"files": lab.file_url()}, args=("--health-port", port))
    assert "Flag --health-port has been deprecated, use --port instead" in lab.whole_log()
    lab.http_port = port
    assert lab.get("/")[0] == 200


def test_restart_flag_makes_a_new_consumer_start_at_the_beginning(enrolled):
    lab = enrolled
    lab.publish(100)
    lab.start_eds({"files": lab.file_url()}, args=("--restart",))
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []


def test_silent_verbose_and_timestamps(enrolled):
    lab = enrolled
    lab.start_eds({"files": lab.file_url()}, args=("-s",))
    assert lab.stop_eds() == 0
    assert lab.eds.log() == "", "nothing went wrong, so --silent says nothing"
    lab.start_eds(args=("-vt", "--log-label", "blue"))
    assert lab.stop_eds() == 0
    assert re.search(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", lab.eds.log(), re.M)
    assert re.search(r"\[(TRACE|DEBUG)\]", lab.eds.log())
    assert "[blue]" in lab.eds.log()


@pytest.mark.parametrize("text", ["token = \n", "token = 'a", "token = 5\nserver_id = true\n", "\x00\x01"])
def test_a_broken_config_toml_is_said_on_stdout(enrolled, text):
    lab = enrolled
    path = os.path.join(lab.data_dir, "config.toml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    done = lab.run("eds", *lab.server_arguments())
    assert done.returncode == 3
    assert done.stdout.startswith(f"error loading {path}: ") and len(done.stdout.splitlines()) == 1
