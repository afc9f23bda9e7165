"""kazoo's client over this one: a program that was written for kazoo changes one import.

::

    from zoowarden.compat.kazoo import KazooClient  # was: from kazoo.client import KazooClient

It builds on an installed kazoo for what has nothing to do with the wire: handlers, retries, recipes,
values and exceptions (``pip install zoowarden[kazoo]``). Errors are instances of kazoo's classes and
of this package's.
"""

try:
    import kazoo as _kazoo  # noqa: F401
except ImportError as error:
    raise ImportError(
        "zoowarden.compat.kazoo builds on kazoo's recipes and exceptions: "
        "pip install zoowarden[kazoo]"
    ) from error

from zoowarden.compat.kazoo.client import KazooClient
from zoowarden.compat.kazoo.transaction import TransactionRequest

__all__ = ["KazooClient", "TransactionRequest"]
