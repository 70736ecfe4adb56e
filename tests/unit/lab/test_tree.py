"""What holds of every file that is kept."""
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def kept():
    if shutil.which("git") is None:
        pytest.skip("there is no git here to tell which files are kept")
    done = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this tree is not a git checkout")
    return [name for name in done.stdout.split("\0") if name and not name.startswith("tests/fuzz/corpus/")]


def test_no_conflict_was_left_unresolved():
    marks = re.compile(rb"^(<{7}|>{7}|\|{7}) ", re.M)
    found = []
    for name in kept():
        path = os.path.join(ROOT, name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                if marks.search(f.read()):
                    found.append(name)
    assert found == []
