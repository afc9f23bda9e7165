"""kazoo's client over this one: a program that was written for kazoo changes one import.

::

    from zoowarden.compat.kazoo import KazooClient  # was: from kazoo.client import KazooClient

It builds on an installed kazoo for what has nothing to do with the wire: handlers, retries, recipes,
values and exceptions (``pip install zoowarden[kazoo]``). Errors are instances of kazoo's classes and
of this package's.
"""

from importlib.util import find_spec as _find_spec

if _find_spec("kazoo") is None:
    raise ImportError(
        "zoowarden.compat.kazoo builds on kazoo's recipes and exceptions: "
        "pip install zoowarden[kazoo]"
    )

from zoowarden.compat.kazoo.client import KazooClient
from zoowarden.compat.kazoo.transaction import TransactionRequest

__all__ = ["KazooClient", "TransactionRequest"]
