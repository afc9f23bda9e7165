"""kazoo's half of a mixed fleet: one member, at one task, among others of its kind and of ours.

usage: member.py ADDRESS TASK PATH ROUNDS [MORE]
"""

import sys
import time

from kazoo.client import KazooClient

PATIENCE = 60


def wait_for_all(zk, path):
    """Says that it is here, and waits until all are."""
    zk.create(path + "-gate/here-", ephemeral=True, sequence=True, makepath=True)
    end = time.monotonic() + PATIENCE
    while not zk.exists(path + "-gate/go"):
        assert time.monotonic() < end, "the others did not come"
        time.sleep(0.002)


def append(zk, path):
    """Loses what others append at the same time."""
    data, _ = zk.get(path + "-value")
    time.sleep(0.002)
    zk.set(path + "-value", data + b"f")


def lock(zk, path, rounds, more):
    patterns = [more] if more else []
    for _ in range(rounds):
        lock = zk.Lock(path, "foreign", extra_lock_patterns=patterns)
        with lock:
            append(zk, path)


def write(zk, path, rounds, _):
    for _ in range(rounds):
        with zk.WriteLock(path, "foreign"):
            append(zk, path)


def read(zk, path, rounds, _):
    for _ in range(rounds):
        with zk.ReadLock(path, "foreign"):
            before, _ = zk.get(path + "-value")
            time.sleep(0.004)
            after, _ = zk.get(path + "-value")
            assert before == after, "a writer beside a reader"


def semaphore(zk, path, rounds, more):
    for _ in range(rounds):
        with zk.Semaphore(path, "foreign", max_leases=int(more)):
            inside = zk.create(path + "-inside/", ephemeral=True, sequence=True)
            count = len(zk.get_children(path + "-inside"))
            assert count <= int(more), "%d leases" % count
            time.sleep(0.002)
            zk.delete(inside)


def elect(zk, path, rounds, _):
    for _ in range(rounds):
        zk.Election(path, "foreign").run(append, zk, path)


def count(zk, path, rounds, more):
    counter = zk.Counter(path, support_curator=more == "curator")
    for _ in range(rounds):
        counter += 1


def put(zk, path, rounds, _):
    queue = zk.Queue(path)
    for number in range(rounds):
        queue.put(b"f%d" % number)


def take(zk, path, rounds, _):
    queue = zk.Queue(path)
    end = time.monotonic() + PATIENCE
    while rounds:
        data = queue.get()
        if data is None:
            assert time.monotonic() < end, "no more entries"
            time.sleep(0.002)
            continue
        print("took", data.decode(), flush=True)
        rounds -= 1


def barrier(zk, path, _, more):
    if more == "wait":
        assert zk.Barrier(path).wait(PATIENCE)
    else:
        assert zk.Barrier(path).remove()


def double(zk, path, _, more):
    barrier = zk.DoubleBarrier(path, int(more))
    zk.create(path + "-in/", sequence=True)
    barrier.enter()
    assert barrier.participating
    assert len(zk.get_children(path + "-in")) >= int(more), "too early in"
    zk.create(path + "-out/", sequence=True)
    barrier.leave()
    assert len(zk.get_children(path + "-out")) >= int(more), "too early out"


def party(zk, path, _, more):
    party = zk.Party(path, "foreign")
    party.join()
    end = time.monotonic() + PATIENCE
    while sorted(party) != sorted(more.split(",")):
        assert time.monotonic() < end, "members: %s" % list(party)
        time.sleep(0.005)
    zk.create(path + "-seen", makepath=True)
    # Whoever leaves at once may never have been seen.
    while "ours" in list(party):
        assert time.monotonic() < end, "ours did not leave"
        time.sleep(0.005)


def main():
    address, task, path, rounds = sys.argv[1:5]
    more = sys.argv[5] if len(sys.argv) > 5 else ""
    zk = KazooClient(address)
    zk.start()
    zk.ensure_path(path + "-gate")
    wait_for_all(zk, path)
    globals()[task](zk, path, int(rounds), more)
    zk.stop()


main()
