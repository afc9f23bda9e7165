"""Recipes: locks, elections, barriers, counters, queues, groups and caches.

Each exists twice: for :class:`zoowarden.Client`, and with ``Async`` before its name for
:class:`zoowarden.AsyncClient`.

::

    with zoowarden.recipes.Lock(client, "/locks/report").acquire() as holding:
        write_report(fencing_token=holding.token)

What is acquired is a *holding*: it can be asked whether it still is one, and carries a fencing
token that is greater than that of every earlier holder. A holding is lost when the session ends, and
declared lost while it is still ours when the connection stays away. Everything waits through lost
connections; a session that ends raises SessionExpiredError.

The znodes are kazoo's, and Curator's where the layout says so: a mixed fleet shares its locks.
"""

from zoowarden.recipes.aio import (
    AsyncBarrier,
    AsyncCounter,
    AsyncDoubleBarrier,
    AsyncElection,
    AsyncGroup,
    AsyncHolding,
    AsyncLock,
    AsyncQueue,
    AsyncReadWriteLock,
    AsyncSemaphore,
    AsyncTreeCache,
    AsyncZnodeCache,
)
from zoowarden.recipes.sync import (
    Barrier,
    Counter,
    DoubleBarrier,
    Election,
    Group,
    Holding,
    Lock,
    Queue,
    ReadWriteLock,
    Semaphore,
    TreeCache,
    ZnodeCache,
)
from zoowarden.recipes.values import (
    ChangeType,
    Contender,
    CounterEncoding,
    Entry,
    Layout,
    Standing,
    TreeChange,
)

__all__ = [
    "AsyncBarrier",
    "AsyncCounter",
    "AsyncDoubleBarrier",
    "AsyncElection",
    "AsyncGroup",
    "AsyncHolding",
    "AsyncLock",
    "AsyncQueue",
    "AsyncReadWriteLock",
    "AsyncSemaphore",
    "AsyncTreeCache",
    "AsyncZnodeCache",
    "Barrier",
    "ChangeType",
    "Contender",
    "Counter",
    "CounterEncoding",
    "DoubleBarrier",
    "Election",
    "Entry",
    "Group",
    "Holding",
    "Layout",
    "Lock",
    "Queue",
    "ReadWriteLock",
    "Semaphore",
    "Standing",
    "TreeCache",
    "TreeChange",
    "ZnodeCache",
]
