"""Every example of the README runs, and prints what its comments say."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

import zoowarden
import zoowarden.testing

README = pathlib.Path(__file__).parents[1] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
QUICK_START_LINES_MAX = 10
HOSTS = "127.0.0.1:2181"


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(at) for at in range(len(EXAMPLES))])
def test_example_does_what_it_says(example: str, hosts: str, tmp_path: pathlib.Path) -> None:
    if "compat.kazoo" in example:
        pytest.importorskip("kazoo")
    chrooted = example.replace(HOSTS, hosts)
    command = [sys.executable, "-W", "error", "-c", chrooted]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    printed = [line for line in done.stdout.splitlines() if not line.startswith("127.0.0.1:")]
    promised = re.findall(r"^ *print\(.*\)  # (.*)$", example, re.MULTILINE)
    # The printing callback of a watch is a thread of its own and may come at any time.
    told = [line for line in printed if line in promised]
    assert told == promised


def test_first_example_is_short() -> None:
    assert len(EXAMPLES[0].strip().splitlines()) <= QUICK_START_LINES_MAX


def test_public_names_are_documented() -> None:
    for name in zoowarden.__all__:
        thing = getattr(zoowarden, name)
        if isinstance(thing, type):
            assert thing.__doc__, name
            public = [each for each in vars(thing) if not each.startswith("_")]
            for each in public:
                member = getattr(thing, each)
                if callable(member) or isinstance(member, property):
                    assert member.__doc__, f"{name}.{each}"
