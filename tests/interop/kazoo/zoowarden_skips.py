"""A pytest plugin that leaves out the tests named in skips.txt, each with its reason.

ZOOWARDEN_SKIPS names another list. The list cannot rot: a line that names no test, or gives no reason, stops the run. To see what the
listed tests do today, run with ZOOWARDEN_RUN_SKIPPED=1.
"""

import logging
import os
import pathlib

import pytest

SKIPS = pathlib.Path(
    os.environ.get("ZOOWARDEN_SKIPS") or pathlib.Path(__file__).with_name("skips.txt")
)
WHOLE_SUITE = ["kazoo.tests"]

# Clients that tests leave behind would log to stderr until the interpreter ends.
logging.getLogger("kazoo").addHandler(logging.NullHandler())


def read_skips():
    """The pairs (test id or its beginning, reason), in the order of the file."""
    skips = []
    for number, line in enumerate(SKIPS.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        test, _, reason = line.partition(" ")
        if not reason.strip():
            raise pytest.UsageError(f"{SKIPS.name}:{number}: {test} is skipped without a reason")
        skips.append((test, reason.strip()))
    return skips


def names(test, item):
    """Whether `test` is this item, its class or its file."""
    item_id = item.nodeid.rsplit("/", 1)[-1]
    return item_id == test or item_id.startswith(test + "::")


# First, so that what -k leaves out still counts as there.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    unmatched = []
    for test, reason in read_skips():
        matched = [item for item in items if names(test, item)]
        if not matched:
            unmatched.append(test)
        for item in matched:
            if not os.environ.get("ZOOWARDEN_RUN_SKIPPED"):
                item.add_marker(pytest.mark.skip(reason=reason))
    if unmatched and config.args == WHOLE_SUITE:
        raise pytest.UsageError(f"{SKIPS.name} names no test: {', '.join(unmatched)}")
