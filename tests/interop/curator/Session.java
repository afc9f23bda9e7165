// A session of Apache Curator: its calls, its cache and its recipes, each answer asserted.
//
// Usage: java -cp ... Session HOST:PORT, against a fresh server that allows TTL znodes. Prints what
// fails, then `N passed, N failed`; the exit code is 1 if anything failed. Proven on Apache
// ZooKeeper first: `cargo xtask curator --reference`.

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.IOException;
import java.net.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.*;
import org.apache.curator.RetryPolicy;
import org.apache.curator.framework.*;
import org.apache.curator.framework.api.CuratorWatcher;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.*;
import org.apache.curator.framework.recipes.cache.*;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.*;
import org.apache.curator.framework.recipes.nodes.*;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.*;
import org.apache.zookeeper.*;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.data.*;

public final class Session {
    private static final int SESSION_MS = 10_000;
    private static final int CONNECT_MS = 1_000;
    private static final long WAIT_SECONDS_MAX = 20;
    private static final long DEADLINE_SECONDS = 180;
    private static final long TTL_MS = 1_000;
    private static final RetryPolicy BACKOFF = new ExponentialBackoffRetry(50, 10);
    private static final ExecutorService others = Executors.newCachedThreadPool();

    private static String hosts;
    private static int passed;
    private static int failed;

    private interface Body {
        void run(CuratorFramework zk) throws Exception;
    }

    private static synchronized void check(boolean ok, String told) {
        passed += ok ? 1 : 0;
        failed += ok ? 0 : 1;
        if (!ok) System.out.println("FAILED: " + told);
    }

    private static void same(String what, Object got, Object want) {
        check(Objects.equals(got, want), what + ": " + got + ", expected " + want);
    }

    private static void fails(Code want, Callable<?> call) throws Exception {
        try {
            check(false, call.call() + ", expected " + want);
        } catch (KeeperException error) {
            same("error", error.code(), want);
        }
    }

    private static <T> void comes(String what, BlockingQueue<T> queue, T want) throws Exception {
        same(what, queue.poll(WAIT_SECONDS_MAX, SECONDS), want);
    }

    private static void eventually(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + SECONDS.toNanos(WAIT_SECONDS_MAX);
        boolean is;
        while (!(is = condition.call()) && System.nanoTime() < end) {
            LockSupport.parkNanos(MILLISECONDS.toNanos(5));
        }
        check(is, what + " did not come to be");
    }

    private static <T> T done(Future<T> future) throws Exception {
        return future.get(WAIT_SECONDS_MAX, SECONDS);
    }

    private static CuratorFramework client(String address, RetryPolicy policy) {
        CuratorFramework client =
                CuratorFrameworkFactory.newClient(address, SESSION_MS, CONNECT_MS, policy);
        client.start();
        return client;
    }

    private static CuratorFramework client() {
        return client(hosts, BACKOFF);
    }

    private static ZooKeeper raw(CuratorFramework zk) throws Exception {
        return zk.getZookeeperClient().getZooKeeper();
    }

    private static String text(CuratorFramework zk, String path) throws Exception {
        return new String(zk.getData().forPath(path));
    }

    private static long owner(CuratorFramework zk, String path) throws Exception {
        return zk.checkExists().forPath(path).getEphemeralOwner();
    }

    /** A TCP proxy that can be cut: until it is mended it closes what comes. */
    private static final class Proxy {
        private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final List<Socket> sockets = new ArrayList<>();
        private boolean mended;

        Proxy() throws IOException {
            others.submit(() -> {
                while (true) meet(listener.accept());
            });
        }

        String address() {
            return "127.0.0.1:" + listener.getLocalPort();
        }

        private synchronized void meet(Socket near) throws IOException {
            sockets.add(near);
            if (!mended) {
                near.close();
                return;
            }
            String[] server = hosts.split(":");
            Socket far = new Socket(server[0], Integer.parseInt(server[1]));
            sockets.add(far);
            others.submit(() -> pump(near, far));
            others.submit(() -> pump(far, near));
        }

        private static Void pump(Socket from, Socket to) throws IOException {
            try (from; to) {
                from.getInputStream().transferTo(to.getOutputStream());
            }
            return null;
        }

        synchronized void mend() {
            mended = true;
        }

        synchronized void cut() throws IOException {
            mended = false;
            for (Socket socket : sockets) socket.close();
            sockets.clear();
        }
    }

    private static void creating(CuratorFramework zk) throws Exception {
        same("made", zk.create().creatingParentsIfNeeded().forPath("/c/a/b", "x".getBytes()), "/c/a/b");
        fails(Code.NODEEXISTS, () -> zk.create().forPath("/c/a/b"));
        fails(Code.NONODE, () -> zk.create().forPath("/nowhere/child"));
        Stat stat = new Stat();
        zk.create().storingStatIn(stat).withMode(CreateMode.EPHEMERAL).forPath("/c/e");
        same("owner", stat.getEphemeralOwner(), raw(zk).getSessionId());
        fails(Code.NOCHILDRENFOREPHEMERALS, () -> zk.create().forPath("/c/e/child"));
        CreateMode sequential = CreateMode.PERSISTENT_SEQUENTIAL;
        same("made", zk.create().withMode(sequential).forPath("/c/s-"), "/c/s-0000000002");
        CreateMode both = CreateMode.EPHEMERAL_SEQUENTIAL;
        String made = zk.create().withProtection().withMode(both).forPath("/c/p-");
        check(made.matches("/c/_c_[-0-9a-f]+-p-0000000003"), "made " + made);
        zk.create().creatingParentContainersIfNeeded().forPath("/c/box/inside");
        same("owner that a container shows", owner(zk, "/c/box"), 0L);
        zk.create().withTtl(TTL_MS).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/c/ttl");
        same("owner that a TTL shows", owner(zk, "/c/ttl"), 0L);
        fails(Code.NODEEXISTS, () -> zk.create()
                .withTtl(TTL_MS).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/c/ttl"));
        same("made again", zk.create().orSetData().forPath("/c/a/b", "y".getBytes()), "/c/a/b");
        same("written", text(zk, "/c/a/b"), "y");
        zk.usingNamespace("c").create().forPath("/named");
        check(zk.checkExists().forPath("/c/named") != null, "a namespace is not a chroot");
    }

    private static void readingAndWriting(CuratorFramework zk) throws Exception {
        zk.create().forPath("/r", "0".getBytes());
        BlockingQueue<Integer> versions = new LinkedBlockingQueue<>();
        for (int i = 0; i < 200; i++) {
            zk.setData().withVersion(i)
                    .inBackground((client, event) -> versions.add(event.getStat().getVersion()))
                    .forPath("/r", String.valueOf(i).getBytes());
        }
        zk.sync().forPath("/r");
        eventually("200 answers", () -> versions.size() == 200);
        List<Integer> want = IntStream.rangeClosed(1, 200).boxed().collect(Collectors.toList());
        same("versions", new ArrayList<>(versions), want);
        same("read", text(zk, "/r"), "199");
        fails(Code.BADVERSION, () -> zk.setData().withVersion(7).forPath("/r"));
        fails(Code.NOTEMPTY, () -> zk.delete().forPath("/c/a"));
        zk.delete().guaranteed().deletingChildrenIfNeeded().forPath("/c");
        zk.delete().quietly().forPath("/c");
        same("left", zk.checkExists().forPath("/c"), null);
    }

    private static void transactions(CuratorFramework zk) throws Exception {
        var op = zk.transactionOp();
        var results = zk.transaction().forOperations(
                op.create().forPath("/t", "1".getBytes()),
                op.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/t/s-"),
                op.setData().withVersion(0).forPath("/t", "2".getBytes()),
                op.check().withVersion(1).forPath("/t"),
                op.delete().forPath("/t/s-0000000000"));
        same("results", results.size(), 5);
        same("made", results.get(1).getResultPath(), "/t/s-0000000000");
        same("version", results.get(2).getResultStat().getVersion(), 1);
        fails(Code.NONODE, () -> zk.transaction().forOperations(
                op.delete().forPath("/t"), op.create().forPath("/nowhere/child")));
        same("kept", text(zk, "/t"), "2");
    }

    private static void permissions(CuratorFramework stranger) throws Exception {
        try (CuratorFramework alice = CuratorFrameworkFactory.builder().connectString(hosts)
                .authorization("digest", "alice:secret".getBytes()).retryPolicy(BACKOFF).build()) {
            alice.start();
            alice.create().withACL(Ids.CREATOR_ALL_ACL).forPath("/p");
            ACL acl = alice.getACL().forPath("/p").get(0);
            same("id", acl.getId().getId(), "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=");
            fails(Code.NOAUTH, () -> stranger.getData().forPath("/p"));
            same("aversion", alice.setACL().withACL(Ids.READ_ACL_UNSAFE).forPath("/p").getAversion(), 1);
            stranger.getData().forPath("/p");
            fails(Code.NOAUTH, () -> alice.setData().forPath("/p"));
        }
    }

    private static void caching(CuratorFramework zk) throws Exception {
        zk.create().creatingParentsIfNeeded().forPath("/cache/old", "0".getBytes());
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        try (CuratorFramework other = client(); CuratorCache cache = CuratorCache.build(zk, "/cache")) {
            cache.listenable().addListener(CuratorCacheListener.builder()
                    .forCreates(znode -> events.add("created " + znode.getPath()))
                    .forChanges((old, now) -> events.add("changed to " + new String(now.getData())))
                    .forDeletes(znode -> events.add("deleted " + znode.getPath()))
                    .forInitialized(() -> events.add("initialized")).build());
            cache.start();
            comes("event", events, "created /cache");
            comes("event", events, "created /cache/old");
            comes("event", events, "initialized");
            other.create().forPath("/cache/old/new", "1".getBytes());
            comes("event", events, "created /cache/old/new");
            other.setData().forPath("/cache/old/new", "2".getBytes());
            comes("event", events, "changed to 2");
            same("cached", new String(cache.get("/cache/old/new").get().getData()), "2");
            other.delete().forPath("/cache/old/new");
            comes("event", events, "deleted /cache/old/new");
        }
    }

    private static void locking(CuratorFramework zk) throws Exception {
        try (CuratorFramework other = client()) {
            InterProcessMutex mine = new InterProcessMutex(zk, "/lock");
            InterProcessMutex theirs = new InterProcessMutex(other, "/lock");
            mine.acquire();
            check(!theirs.acquire(50, MILLISECONDS), "two hold one lock");
            Future<Boolean> next = others.submit(() -> theirs.acquire(WAIT_SECONDS_MAX, SECONDS));
            eventually("a queue of two", () -> mine.getParticipantNodes().size() == 2);
            mine.release();
            check(done(next), "the lock was not handed on");
        }
        // The thread that holds it never released it; its session has ended.
        InterProcessMutex again = new InterProcessMutex(zk, "/lock");
        check(again.acquire(WAIT_SECONDS_MAX, SECONDS), "the lock outlives its holder");
        again.release();
    }

    private static void sharing(CuratorFramework zk) throws Exception {
        try (CuratorFramework other = client()) {
            InterProcessReadWriteLock mine = new InterProcessReadWriteLock(zk, "/rw");
            InterProcessReadWriteLock theirs = new InterProcessReadWriteLock(other, "/rw");
            mine.readLock().acquire();
            theirs.readLock().acquire();
            check(!theirs.writeLock().acquire(50, MILLISECONDS), "written under a reader");
            Future<Boolean> writer = others.submit(() -> {
                boolean locked = theirs.writeLock().acquire(WAIT_SECONDS_MAX, SECONDS);
                theirs.writeLock().release();
                return locked;
            });
            eventually("a writer that waits", () -> mine.writeLock().getParticipantNodes().size() == 1);
            mine.readLock().release();
            check(!writer.isDone(), "written under the second reader");
            theirs.readLock().release();
            check(done(writer), "the writer was not let in");
        }
    }

    private static void leading(CuratorFramework zk) throws Exception {
        CuratorFramework other = client();
        LeaderLatch first = new LeaderLatch(other, "/leader", "first");
        first.start();
        check(first.await(WAIT_SECONDS_MAX, SECONDS), "nobody leads");
        try (LeaderLatch second = new LeaderLatch(zk, "/leader", "second")) {
            second.start();
            eventually("two candidates", () -> second.getParticipants().size() == 2);
            same("leader", second.getLeader().getId(), "first");
            check(!second.hasLeadership(), "two lead");
            other.close();
            check(second.await(WAIT_SECONDS_MAX, SECONDS), "leadership was not handed over");
            same("leader", second.getLeader().getId(), "second");
        }
    }

    private static void counting(CuratorFramework zk) throws Exception {
        try (CuratorFramework other = client()) {
            List<Future<Boolean>> adders = new ArrayList<>();
            for (CuratorFramework client : List.of(zk, other)) {
                adders.add(others.submit(() -> {
                    RetryPolicy often = new RetryNTimes(1000, 1);
                    DistributedAtomicLong counter = new DistributedAtomicLong(client, "/sum", often);
                    boolean all = true;
                    for (int i = 0; i < 50; i++) all &= counter.increment().succeeded();
                    return all;
                }));
            }
            for (Future<Boolean> adder : adders) check(done(adder), "an increment did not succeed");
            var counter = new DistributedAtomicLong(zk, "/sum", new RetryNTimes(1, 1));
            same("sum", counter.get().postValue(), 100L);
        }
    }

    private static void barring(CuratorFramework zk) throws Exception {
        try (CuratorFramework other = client()) {
            DistributedBarrier barrier = new DistributedBarrier(zk, "/barrier");
            barrier.setBarrier();
            DistributedBarrier theirs = new DistributedBarrier(other, "/barrier");
            check(!theirs.waitOnBarrier(50, MILLISECONDS), "a barrier that does not hold");
            Future<Boolean> waits =
                    others.submit(() -> theirs.waitOnBarrier(WAIT_SECONDS_MAX, SECONDS));
            barrier.removeBarrier();
            check(done(waits), "the barrier stays");
            Future<Boolean> second = others.submit(() -> enterAndLeave(other));
            check(enterAndLeave(zk), "the first of two does not pass");
            check(done(second), "the second of two does not pass");
        }
    }

    private static boolean enterAndLeave(CuratorFramework zk) throws Exception {
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(zk, "/double", 2);
        return barrier.enter(WAIT_SECONDS_MAX, SECONDS) && barrier.leave(WAIT_SECONDS_MAX, SECONDS);
    }

    private static void persisting(CuratorFramework zk) throws Exception {
        BlockingQueue<String> made = new LinkedBlockingQueue<>();
        CuratorFramework other = client();
        try (other; PersistentNode znode =
                new PersistentNode(other, CreateMode.EPHEMERAL, false, "/stays", "x".getBytes())) {
            znode.getListenable().addListener(made::add);
            znode.start();
            comes("made", made, "/stays");
            long before = owner(zk, "/stays");
            end(raw(other));
            eventually("a znode of a new session", () -> {
                Stat stat = zk.checkExists().forPath("/stays");
                return stat != null && stat.getEphemeralOwner() != before;
            });
            same("owner", owner(zk, "/stays"), raw(other).getSessionId());
            same("data", text(zk, "/stays"), "x");
        }
        same("left", zk.checkExists().forPath("/stays"), null);
        try (PersistentTtlNode znode = new PersistentTtlNode(zk, "/alive", TTL_MS, new byte[0])) {
            znode.start();
            check(znode.waitForInitialCreate(WAIT_SECONDS_MAX, SECONDS), "/alive was not made");
            eventually("a touch", () -> {
                Stat stat = zk.checkExists().forPath("/alive/touch");
                return stat != null && stat.getVersion() > 0;
            });
        }
    }

    /** Ends a session behind its client's back: takes it over, then closes it. */
    private static void end(ZooKeeper session) throws Exception {
        CountDownLatch taken = new CountDownLatch(1);
        long id = session.getSessionId();
        try (ZooKeeper twin = new ZooKeeper(
                hosts, SESSION_MS, event -> taken.countDown(), id, session.getSessionPasswd())) {
            check(taken.await(WAIT_SECONDS_MAX, SECONDS), "the session was not taken over");
            same("session", twin.getSessionId(), id);
        }
    }

    private static void gathering(CuratorFramework zk) throws Exception {
        CuratorFramework other = client();
        try (GroupMember here = new GroupMember(zk, "/group", "here", "1".getBytes())) {
            here.start();
            GroupMember there = new GroupMember(other, "/group", "there", "2".getBytes());
            there.start();
            eventually("two members", () -> here.getCurrentMembers().size() == 2);
            eventually("two members", () -> there.getCurrentMembers().size() == 2);
            same("payload", new String(here.getCurrentMembers().get("there")), "2");
            other.close();
            eventually("one member", () -> here.getCurrentMembers().keySet().equals(Set.of("here")));
        }
    }

    /** What cannot be done yet is tried again; a cut connection costs neither session nor events. */
    private static void reconnecting(CuratorFramework zk) throws Exception {
        Proxy proxy = new Proxy();
        CountDownLatch retried = new CountDownLatch(1);
        BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        BlockingQueue<String> changes = new LinkedBlockingQueue<>();
        BlockingQueue<EventType> events = new LinkedBlockingQueue<>();
        try (CuratorFramework other = client(proxy.address(), (count, elapsed, sleeper) -> {
            retried.countDown();
            return true;
        }); CuratorCache cache = CuratorCache.build(other, "/cut")) {
            other.getConnectionStateListenable().addListener((client, state) -> states.add(state));
            Future<String> made = others.submit(
                    () -> other.create().withMode(CreateMode.EPHEMERAL).forPath("/mine"));
            check(retried.await(WAIT_SECONDS_MAX, SECONDS), "nothing is tried again");
            proxy.mend();
            same("made", done(made), "/mine");
            comes("state", states, ConnectionState.CONNECTED);
            long session = raw(other).getSessionId();

            zk.create().forPath("/cut", "0".getBytes());
            cache.listenable().addListener(CuratorCacheListener.builder().forAll((kind, old, now) ->
                    changes.add(kind + " " + (now == null ? old : now).getPath())).build());
            cache.start();
            comes("event", changes, "NODE_CREATED /cut");
            other.getData().usingWatcher((CuratorWatcher) event -> {
                if (event.getType() != EventType.None) events.add(event.getType());
            }).forPath("/cut");

            proxy.cut();
            comes("state", states, ConnectionState.SUSPENDED);
            zk.setData().forPath("/cut", "1".getBytes());
            proxy.mend();
            comes("state", states, ConnectionState.RECONNECTED);
            same("session", raw(other).getSessionId(), session);
            same("owner", owner(zk, "/mine"), session);
            comes("event of a watch", events, EventType.NodeDataChanged);
            comes("event of the cache", changes, "NODE_CHANGED /cut");
            zk.create().forPath("/cut/below");
            comes("event of the watch that was set again", changes, "NODE_CREATED /cut/below");
        }
        same("left", zk.checkExists().forPath("/mine"), null);
    }

    private static void run(String name, CuratorFramework zk, Body body) {
        try {
            body.run(zk);
        } catch (Exception error) {
            error.printStackTrace(System.out);
            check(false, name + ": " + error);
        }
    }

    private static void finish() {
        System.out.println(passed + " passed, " + failed + " failed");
        System.out.flush();
        Runtime.getRuntime().halt(failed == 0 ? 0 : 1);
    }

    public static void main(String[] arguments) throws Exception {
        hosts = arguments[0];
        Executors.newSingleThreadScheduledExecutor().schedule(() -> {
            check(false, "no end after " + DEADLINE_SECONDS + " s");
            finish();
        }, DEADLINE_SECONDS, SECONDS);
        CuratorFramework zk = client();
        check(zk.blockUntilConnected((int) WAIT_SECONDS_MAX, SECONDS), "no connection");
        run("creating", zk, Session::creating);
        run("readingAndWriting", zk, Session::readingAndWriting);
        run("transactions", zk, Session::transactions);
        run("permissions", zk, Session::permissions);
        run("caching", zk, Session::caching);
        run("locking", zk, Session::locking);
        run("sharing", zk, Session::sharing);
        run("leading", zk, Session::leading);
        run("counting", zk, Session::counting);
        run("barring", zk, Session::barring);
        run("persisting", zk, Session::persisting);
        run("gathering", zk, Session::gathering);
        run("reconnecting", zk, Session::reconnecting);
        zk.close();
        finish();
    }
}
