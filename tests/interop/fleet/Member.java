import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;

/**
 * Curator's half of a mixed fleet: one member, at one task, among others of its kind and of ours.
 *
 * <p>usage: Member ADDRESS TASK PATH ROUNDS [MORE]
 */
public final class Member {
    private static final long PATIENCE_S = 60;

    private final CuratorFramework client;
    private final String path;
    private final int rounds;
    private final String more;

    private Member(CuratorFramework client, String path, int rounds, String more) {
        this.client = client;
        this.path = path;
        this.rounds = rounds;
        this.more = more;
    }

    public static void main(String[] words) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(words[0], new RetryForever(50));
        client.start();
        String more = words.length > 4 ? words[4] : "";
        Member member = new Member(client, words[2], Integer.parseInt(words[3]), more);
        member.waitForAll();
        member.work(words[1]);
        client.close();
    }

    private void work(String task) throws Exception {
        switch (task) {
            case "lock" -> append(new InterProcessMutex(client, path));
            case "write" -> append(new InterProcessReadWriteLock(client, path).writeLock());
            case "read" -> read();
            case "semaphore" -> semaphore();
            case "elect" -> elect();
            case "latch" -> latch();
            case "count" -> count();
            case "barrier" -> barrier();
            case "double" -> doubleBarrier();
            default -> throw new IllegalArgumentException(task);
        }
    }

    private void waitForAll() throws Exception {
        CreateMode mode = CreateMode.EPHEMERAL_SEQUENTIAL;
        client.create().creatingParentsIfNeeded().withMode(mode).forPath(path + "-gate/here-");
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
        while (client.checkExists().forPath(path + "-gate/go") == null) {
            check(System.nanoTime() < end, "the others did not come");
            Thread.sleep(2);
        }
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** Loses what others append at the same time. */
    private void append() throws Exception {
        byte[] data = client.getData().forPath(path + "-value");
        Thread.sleep(2);
        byte[] longer = Arrays.copyOf(data, data.length + 1);
        longer[data.length] = 'f';
        client.setData().forPath(path + "-value", longer);
    }

    private void append(InterProcessLock lock) throws Exception {
        for (int round = 0; round < rounds; round++) {
            lock.acquire();
            append();
            lock.release();
        }
    }

    private void read() throws Exception {
        InterProcessLock lock = new InterProcessReadWriteLock(client, path).readLock();
        for (int round = 0; round < rounds; round++) {
            lock.acquire();
            byte[] before = client.getData().forPath(path + "-value");
            Thread.sleep(4);
            byte[] after = client.getData().forPath(path + "-value");
            check(Arrays.equals(before, after), "a writer beside a reader");
            lock.release();
        }
    }

    private void semaphore() throws Exception {
        int leases = Integer.parseInt(more);
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, path, leases);
        CreateMode mode = CreateMode.EPHEMERAL_SEQUENTIAL;
        for (int round = 0; round < rounds; round++) {
            Lease lease = semaphore.acquire();
            String mine = client.create().withMode(mode).forPath(path + "-inside/");
            List<String> inside = client.getChildren().forPath(path + "-inside");
            check(inside.size() <= leases, inside.size() + " leases");
            Thread.sleep(2);
            client.delete().forPath(mine);
            semaphore.returnLease(lease);
        }
    }

    private void elect() throws Exception {
        for (int round = 0; round < rounds; round++) {
            CountDownLatch done = new CountDownLatch(1);
            LeaderSelectorListenerAdapter listener = new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework client) throws Exception {
                    append();
                    done.countDown();
                }
            };
            LeaderSelector selector = new LeaderSelector(client, path, listener);
            selector.start();
            check(done.await(PATIENCE_S, TimeUnit.SECONDS), "no lead");
            selector.close();
        }
    }

    private void latch() throws Exception {
        for (int round = 0; round < rounds; round++) {
            try (LeaderLatch latch = new LeaderLatch(client, path, "foreign")) {
                latch.start();
                check(latch.await(PATIENCE_S, TimeUnit.SECONDS), "no lead");
                append();
            }
        }
    }

    private void count() throws Exception {
        if (more.equals("long")) {
            RetryNTimes retry = new RetryNTimes(1000, 1);
            DistributedAtomicLong number = new DistributedAtomicLong(client, path, retry);
            // Does nothing if it is there; without it the first of several adds may fail.
            number.initialize(0L);
            for (int round = 0; round < rounds; round++) {
                check(number.increment().succeeded(), "no increment");
            }
            return;
        }
        SharedCount count = new SharedCount(client, path, 0);
        count.start();
        for (int round = 0; round < rounds; round++) {
            VersionedValue<Integer> before = count.getVersionedValue();
            while (!count.trySetCount(before, before.getValue() + 1)) {
                before = count.getVersionedValue();
            }
        }
        count.close();
    }

    private void barrier() throws Exception {
        DistributedBarrier barrier = new DistributedBarrier(client, path);
        if (more.equals("wait")) {
            check(barrier.waitOnBarrier(PATIENCE_S, TimeUnit.SECONDS), "still there");
        } else {
            barrier.removeBarrier();
        }
    }

    private int children(String side) throws Exception {
        return client.getChildren().forPath(path + side).size();
    }

    private void doubleBarrier() throws Exception {
        int members = Integer.parseInt(more);
        CreateMode mode = CreateMode.PERSISTENT_SEQUENTIAL;
        client.create().withMode(mode).forPath(path + "-in/");
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, path, members);
        check(barrier.enter(PATIENCE_S, TimeUnit.SECONDS), "not inside");
        check(children("-in") >= members, "too early in");
        client.create().withMode(mode).forPath(path + "-out/");
        check(barrier.leave(PATIENCE_S, TimeUnit.SECONDS), "not outside");
        check(children("-out") >= members, "too early out");
    }
}
