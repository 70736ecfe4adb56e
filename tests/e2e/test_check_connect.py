"""edsctl check --connect: a process of its own asks each destination whether it would take events."""
import json

from tests.e2e.helpers import Fault, quick


def connect(lab):
    done = lab.edsctl("check", "--connect", "--json")
    return done.returncode, {d["name"]: (d["result"], d["reason"]) for d in json.loads(done.stdout)["destinations"]}


def test_each_destination_of_the_file_is_asked(enrolled):
    lab = enrolled
    well, sick = Fault(lab, "well"), Fault(lab, "sick")
    lab.start_eds({"files": lab.file_url(), "well": quick(well.url)})
    # the file is what counts, not what runs
    lab.write_conf({"files": lab.file_url(), "well": quick(well.url), "sick": quick(sick.url),
                    "nowhere": "file:///proc/nowhere"})
    sick.say("test: config the password is wrong")
    status, results = connect(lab)
    assert status == 4
    assert results["files"] == results["well"] == ("fine", "")
    assert results["sick"] == ("config", "the password is wrong")
    assert results["nowhere"][0] == "config" and "/proc/nowhere" in results["nowhere"][1]
    sick.say("test: retry it is away")
    assert connect(lab)[1]["sick"] == ("trouble", "it is away")


def test_a_driver_that_crashes_in_its_test_harms_nobody(enrolled):
    lab = enrolled
    fault = Fault(lab)
    lab.start_eds({"files": lab.file_url(), "fault": quick(fault.url)})
    lab.wait_running()
    pids = {d["name"]: d["pid"] for d in lab.status()["destinations"]}
    fault.say("test: crash")
    status, results = connect(lab)
    assert status == 4 and results["fault"][0] == "trouble" and "signal 6" in results["fault"][1]
    assert {d["name"]: d["pid"] for d in lab.status()["destinations"]} == pids
    fault.be_well()
    assert connect(lab) == (0, {"files": ("fine", ""), "fault": ("fine", "")})
    done = lab.edsctl("check", "--connect")
    assert "2 of 2 destinations can be used" in done.stdout


def test_a_server_that_ends_does_not_wait_for_a_test_that_hangs(enrolled):
    lab = enrolled
    fault = Fault(lab)
    lab.start_eds({"fault": quick(fault.url)})
    lab.wait_running()
    fault.say("test: hang")
    asked = lab.edsctl_process("check", "--connect")
    lab.wait_until(lambda: len(lab.workers_of("fault")) == 2, "the process that tests")
    assert lab.stop_eds() == 0
    assert asked.wait() == 1
    assert "ending" in asked.log()
    # the fixture looks for processes that were left behind
