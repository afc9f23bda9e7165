/* A session of the C client, libzookeeper_mt, with every family of calls; each result is asserted.
 *
 * Usage: session HOST:PORT, against a fresh server that allows TTL znodes. Prints what fails, then
 * `N passed, N failed`; the exit code is 1 if anything failed. Proven on Apache ZooKeeper first:
 * `cargo xtask libzookeeper --reference`.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

enum { SESSION_TIMEOUT_MS = 10000, WAIT_SECONDS_MAX = 20, EVENTS_MAX = 256, PIPELINE_LEN = 500 };

static int passed, failed;

static void check(int ok, int line, const char *what) {
    if (ok) {
        passed++;
    } else {
        failed++;
        printf("session.c:%d: FAILED: %s\n", line, what);
    }
}

static void check_code(int got, int want, int line, const char *call) {
    char what[512];
    snprintf(what, sizeof what, "%s: %s, expected %s", call, zerror(got), zerror(want));
    check(got == want, line, what);
}

#define CHECK(condition) check((condition) != 0, __LINE__, #condition)
#define OK(call) check_code((call), ZOK, __LINE__, #call)
#define FAILS(code, call) check_code((call), (code), __LINE__, #call)

/* --- events: watchers record, the main thread waits ------------------------------------------- */

struct event {
    int type, state, taken;
    char path[128];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct event events[EVENTS_MAX];
static int event_count, completions, order_broken;

static void record(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)context;
    pthread_mutex_lock(&lock);
    if (event_count < EVENTS_MAX) {
        struct event *event = &events[event_count++];
        event->type = type, event->state = state, event->taken = 0;
        snprintf(event->path, sizeof event->path, "%s", path ? path : "");
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* The index of the first event of this kind that nobody took, or -1. Under `lock`. */
static int find_event(int type, int state, const char *path) {
    for (int i = 0; i < event_count; i++) {
        int same = events[i].type == type && (state == 0 || events[i].state == state);
        if (!events[i].taken && same && strcmp(events[i].path, path) == 0) return i;
    }
    return -1;
}

static struct timespec deadline(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += WAIT_SECONDS_MAX;
    return at;
}

/* Takes one such event, waiting for it; 0 if it does not come. */
static int event_comes(int type, int state, const char *path) {
    struct timespec until = deadline();
    int found, late = 0;
    pthread_mutex_lock(&lock);
    while ((found = find_event(type, state, path)) < 0 && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&changed, &lock, &until);
    if (found >= 0) events[found].taken = 1;
    pthread_mutex_unlock(&lock);
    return found >= 0;
}

/* Whether an event is there that nobody took; a round trip must have gone before. */
static int event_is_there(int type, const char *path) {
    pthread_mutex_lock(&lock);
    int found = find_event(type, 0, path);
    pthread_mutex_unlock(&lock);
    return found >= 0;
}

static int completions_reach(int count) {
    struct timespec until = deadline();
    int late = 0;
    pthread_mutex_lock(&lock);
    while (completions < count && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&changed, &lock, &until);
    int reached = completions >= count;
    completions = 0;
    pthread_mutex_unlock(&lock);
    return reached;
}

static void completed(void) {
    pthread_mutex_lock(&lock);
    completions++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static zhandle_t *open_session(const char *hosts, const clientid_t *id) {
    zhandle_t *zh = zookeeper_init(hosts, record, SESSION_TIMEOUT_MS, id, NULL, 0);
    if (!zh || !event_comes(ZOO_SESSION_EVENT, ZOO_CONNECTED_STATE, "")) {
        printf("no session with %s\n0 passed, 1 failed\n", hosts);
        exit(1);
    }
    return zh;
}

static int create(zhandle_t *zh, const char *path, const char *data, int mode, char *made) {
    return zoo_create(zh, path, data, data ? (int)strlen(data) : -1, &ZOO_OPEN_ACL_UNSAFE, mode, made,
                      made ? 128 : 0);
}

static int data_is(zhandle_t *zh, const char *path, const char *want) {
    char buffer[256];
    int len = sizeof buffer;
    if (zoo_get(zh, path, 0, buffer, &len, NULL) != ZOK) return 0;
    return want ? len == (int)strlen(want) && memcmp(buffer, want, (size_t)len) == 0 : len == -1;
}

/* --- the families ------------------------------------------------------------------------------ */

static void creating(zhandle_t *zh) {
    char made[128];
    struct Stat stat;
    OK(create(zh, "/c", "root", ZOO_PERSISTENT, made));
    CHECK(strcmp(made, "/c") == 0);
    FAILS(ZNODEEXISTS, create(zh, "/c", "again", ZOO_PERSISTENT, NULL));
    FAILS(ZNONODE, create(zh, "/nowhere/child", "", ZOO_PERSISTENT, NULL));
    OK(create(zh, "/c/null", NULL, ZOO_PERSISTENT, NULL));
    CHECK(data_is(zh, "/c/null", NULL));
    OK(create(zh, "/c/empty", "", ZOO_PERSISTENT, NULL));
    CHECK(data_is(zh, "/c/empty", ""));
    OK(create(zh, "/c/s-", "1", ZOO_PERSISTENT_SEQUENTIAL, made));
    CHECK(strcmp(made, "/c/s-0000000002") == 0);
    OK(create(zh, "/c/es-", "2", ZOO_EPHEMERAL_SEQUENTIAL, made));
    CHECK(strcmp(made, "/c/es-0000000003") == 0);
    OK(create(zh, "/c/e", "3", ZOO_EPHEMERAL, NULL));
    FAILS(ZNOCHILDRENFOREPHEMERALS, create(zh, "/c/e/child", "", ZOO_PERSISTENT, NULL));
    OK(create(zh, "/c/box", "4", ZOO_CONTAINER, NULL));
    OK(zoo_create_ttl(zh, "/c/ttl", "5", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 3600000,
                      NULL, 0));
    OK(zoo_create2(zh, "/c/two", "12", 2, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, made, 128, &stat));
    CHECK(stat.dataLength == 2 && stat.version == 0 && stat.czxid == stat.mzxid);
    OK(zoo_create2_ttl(zh, "/c/ttl-", "6", 1, &ZOO_OPEN_ACL_UNSAFE,
                       ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 3600000, made, 128, &stat));
    CHECK(strcmp(made, "/c/ttl-0000000008") == 0);
    OK(zoo_create2(zh, "/c/e2", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, made, 128, &stat));
    CHECK(stat.ephemeralOwner == zoo_client_id(zh)->client_id);
    OK(zoo_exists(zh, "/c", 0, &stat));
    CHECK(stat.cversion == 10 && stat.numChildren == 10 && stat.version == 0);
}

static void reading_and_writing(zhandle_t *zh) {
    struct Stat before, after;
    char buffer[8];
    int len = sizeof buffer;
    OK(create(zh, "/d", "one", ZOO_PERSISTENT, NULL));
    OK(zoo_get(zh, "/d", 0, buffer, &len, &before));
    CHECK(len == 3 && memcmp(buffer, "one", 3) == 0 && before.dataLength == 3);
    OK(zoo_set2(zh, "/d", "three", 5, 0, &after));
    CHECK(after.version == 1 && after.mzxid > before.mzxid && after.czxid == before.czxid);
    FAILS(ZBADVERSION, zoo_set(zh, "/d", "x", 1, 0));
    OK(zoo_set(zh, "/d", NULL, -1, -1));
    CHECK(data_is(zh, "/d", NULL));
    FAILS(ZNONODE, zoo_set(zh, "/nowhere", "x", 1, -1));
    FAILS(ZNONODE, zoo_get(zh, "/nowhere", 0, buffer, &len, NULL));
    FAILS(ZNONODE, zoo_exists(zh, "/nowhere", 0, &after));
    OK(create(zh, "/d/child", "", ZOO_PERSISTENT, NULL));
    FAILS(ZNOTEMPTY, zoo_delete(zh, "/d", -1));
    FAILS(ZBADVERSION, zoo_delete(zh, "/d/child", 9));
    OK(zoo_delete(zh, "/d/child", 0));
    OK(zoo_delete(zh, "/d", -1));
    FAILS(ZNONODE, zoo_delete(zh, "/d", -1));
    FAILS(ZBADARGUMENTS, zoo_exists(zh, "no-slash", 0, &after));
}

static void large_data(zhandle_t *zh) {
    enum { LEN = 1000 * 1000 };
    char *sent = malloc(LEN), *received = malloc(LEN);
    int len = LEN;
    for (int i = 0; i < LEN; i++) sent[i] = (char)(i * 31);
    OK(zoo_create(zh, "/large", sent, LEN, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0));
    OK(zoo_get(zh, "/large", 0, received, &len, NULL));
    CHECK(len == LEN && memcmp(sent, received, LEN) == 0);
    OK(zoo_delete(zh, "/large", 0));
    free(sent), free(received);
}

static int holds(const struct String_vector *names, const char *name) {
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->data[i], name) == 0) return 1;
    return 0;
}

static void children(zhandle_t *zh) {
    struct String_vector names;
    struct Stat stat;
    OK(create(zh, "/l", "", ZOO_PERSISTENT, NULL));
    OK(zoo_get_children(zh, "/l", 0, &names));
    CHECK(names.count == 0);
    deallocate_String_vector(&names);
    OK(create(zh, "/l/a", "", ZOO_PERSISTENT, NULL));
    OK(create(zh, "/l/b", "", ZOO_EPHEMERAL, NULL));
    OK(zoo_get_children2(zh, "/l", 0, &names, &stat));
    CHECK(names.count == 2 && holds(&names, "a") && holds(&names, "b"));
    CHECK(stat.numChildren == 2 && stat.cversion == 2);
    deallocate_String_vector(&names);
    FAILS(ZNONODE, zoo_get_children(zh, "/nowhere", 0, &names));
    OK(zoo_get_children(zh, "/", 0, &names));
    CHECK(holds(&names, "zookeeper"));
    deallocate_String_vector(&names);
    OK(zoo_get_children(zh, "/zookeeper", 0, &names));
    CHECK(names.count == 2 && holds(&names, "config") && holds(&names, "quota"));
    deallocate_String_vector(&names);
}

static void watching(zhandle_t *zh) {
    struct String_vector names;
    struct Stat stat;
    char buffer[8];
    int len = sizeof buffer;
    FAILS(ZNONODE, zoo_wexists(zh, "/w", record, NULL, &stat));
    OK(create(zh, "/w", "", ZOO_PERSISTENT, NULL));
    CHECK(event_comes(ZOO_CREATED_EVENT, 0, "/w"));
    OK(zoo_wget(zh, "/w", record, NULL, buffer, &len, &stat));
    OK(zoo_wget_children(zh, "/w", record, NULL, &names));
    deallocate_String_vector(&names);
    OK(zoo_set(zh, "/w", "x", 1, -1));
    CHECK(event_comes(ZOO_CHANGED_EVENT, 0, "/w"));
    OK(create(zh, "/w/child", "", ZOO_PERSISTENT, NULL));
    CHECK(event_comes(ZOO_CHILD_EVENT, 0, "/w"));
    OK(zoo_set(zh, "/w", "y", 1, -1));
    OK(zoo_delete(zh, "/w/child", -1));
    OK(zoo_exists(zh, "/w", 1, &stat));
    CHECK(!event_is_there(ZOO_CHANGED_EVENT, "/w") && !event_is_there(ZOO_CHILD_EVENT, "/w"));
    OK(zoo_delete(zh, "/w", -1));
    CHECK(event_comes(ZOO_DELETED_EVENT, 0, "/w"));
}

static void removing_watches(zhandle_t *zh) {
    struct Stat stat;
    char buffer[8];
    int len = sizeof buffer;
    OK(create(zh, "/r", "", ZOO_PERSISTENT, NULL));
    FAILS(ZNOWATCHER, zoo_remove_watches(zh, "/r", ZWATCHTYPE_DATA, record, NULL, 0));
    OK(zoo_wget(zh, "/r", record, NULL, buffer, &len, &stat));
    OK(zoo_remove_watches(zh, "/r", ZWATCHTYPE_DATA, record, NULL, 0));
    OK(zoo_wexists(zh, "/r", record, NULL, &stat));
    OK(zoo_remove_all_watches(zh, "/r", ZWATCHTYPE_ANY, 0));
    OK(zoo_set(zh, "/r", "x", 1, -1));
    OK(zoo_exists(zh, "/r", 0, &stat));
    CHECK(!event_is_there(ZOO_CHANGED_EVENT, "/r"));
}

static void transactions(zhandle_t *zh) {
    char made[128];
    struct Stat stat;
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    zoo_create_op_init(&ops[0], "/m", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made);
    zoo_create_op_init(&ops[1], "/m/e-", "2", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL,
                       made, sizeof made);
    zoo_set_op_init(&ops[2], "/m", "3", 1, 0, &stat);
    zoo_check_op_init(&ops[3], "/m", 1);
    OK(zoo_multi(zh, 4, ops, results));
    for (int i = 0; i < 4; i++) CHECK(results[i].err == ZOK);
    CHECK(strcmp(made, "/m/e-0000000000") == 0);
    CHECK(stat.version == 1 && stat.numChildren == 1);
    zoo_set_op_init(&ops[0], "/m", "4", 1, 1, &stat);
    zoo_check_op_init(&ops[1], "/m", 1);
    zoo_delete_op_init(&ops[2], "/m/e-0000000000", -1);
    FAILS(ZBADVERSION, zoo_multi(zh, 3, ops, results));
    CHECK(results[0].err == ZOK);
    CHECK(results[1].err == ZBADVERSION);
    CHECK(results[2].err == ZRUNTIMEINCONSISTENCY);
    CHECK(data_is(zh, "/m", "3"));
    zoo_delete_op_init(&ops[0], "/m/e-0000000000", -1);
    zoo_delete_op_init(&ops[1], "/m", 1);
    OK(zoo_multi(zh, 2, ops, results));
    FAILS(ZNONODE, zoo_exists(zh, "/m", 0, &stat));
}

static void auth_completed(int rc, const void *context) {
    *(int *)(intptr_t)context = rc;
    completed();
}

static void permissions(zhandle_t *zh, const char *hosts) {
    struct ACL_vector acl;
    struct Stat stat;
    int code = 1;
    OK(zoo_add_auth(zh, "digest", "alice:secret", 12, auth_completed, &code));
    CHECK(completions_reach(1) && code == ZOK);
    OK(zoo_create(zh, "/p", "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, NULL, 0));
    OK(zoo_get_acl(zh, "/p", &acl, &stat));
    CHECK(acl.count == 1 && acl.data[0].perms == ZOO_PERM_ALL);
    CHECK(strcmp(acl.data[0].id.scheme, "digest") == 0);
    CHECK(strcmp(acl.data[0].id.id, "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=") == 0);
    deallocate_ACL_vector(&acl);
    zhandle_t *stranger = open_session(hosts, NULL);
    FAILS(ZNOAUTH, zoo_set(stranger, "/p", "x", 1, -1));
    FAILS(ZNOAUTH, zoo_set_acl(stranger, "/p", -1, &ZOO_OPEN_ACL_UNSAFE));
    FAILS(ZBADVERSION, zoo_set_acl(zh, "/p", 5, &ZOO_READ_ACL_UNSAFE));
    OK(zoo_set_acl(zh, "/p", 0, &ZOO_READ_ACL_UNSAFE));
    CHECK(data_is(stranger, "/p", ""));
    FAILS(ZNOAUTH, zoo_set(zh, "/p", "x", 1, -1));
    OK(zoo_exists(stranger, "/p", 0, &stat));
    CHECK(stat.aversion == 1);
    struct ACL_vector none = {0, NULL};
    FAILS(ZINVALIDACL, zoo_create(zh, "/p2", "", 0, &none, ZOO_PERSISTENT, NULL, 0));
    FAILS(ZINVALIDACL,
          zoo_create(stranger, "/p2", "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, NULL, 0));
    OK(zookeeper_close(stranger));
}

static void synced(int rc, const char *path, const void *context) {
    *(int *)(intptr_t)context = rc == ZOK && strcmp(path, "/c") == 0;
    completed();
}

static void set_completed(int rc, const struct Stat *stat, const void *context) {
    int want = (int)(intptr_t)context;
    if (rc != ZOK || stat->version != want) order_broken = 1;
    completed();
}

static void pipelining(zhandle_t *zh) {
    int is_synced = 0;
    char text[16];
    OK(create(zh, "/o", "", ZOO_PERSISTENT, NULL));
    for (int i = 1; i <= PIPELINE_LEN; i++) {
        int len = snprintf(text, sizeof text, "%d", i);
        if (zoo_aset(zh, "/o", text, len, i - 1, set_completed, (void *)(intptr_t)i) != ZOK)
            order_broken = 1;
    }
    CHECK(completions_reach(PIPELINE_LEN) && !order_broken);
    snprintf(text, sizeof text, "%d", PIPELINE_LEN);
    CHECK(data_is(zh, "/o", text));
    OK(zoo_async(zh, "/c", synced, &is_synced));
    CHECK(completions_reach(1) && is_synced);
}

static void configuration(zhandle_t *zh) {
    char buffer[1024];
    int len = sizeof buffer;
    struct Stat stat;
    OK(zoo_getconfig(zh, 0, buffer, &len, &stat));
    OK(zoo_wgetconfig(zh, record, NULL, buffer, &len, &stat));
}

static void ephemerals_end_with_their_session(zhandle_t *zh, const char *hosts) {
    struct Stat stat;
    zhandle_t *other = open_session(hosts, NULL);
    OK(create(other, "/gone", "", ZOO_EPHEMERAL, NULL));
    OK(zoo_wexists(zh, "/gone", record, NULL, &stat));
    CHECK(stat.ephemeralOwner == zoo_client_id(other)->client_id);
    OK(zookeeper_close(other));
    CHECK(event_comes(ZOO_DELETED_EVENT, 0, "/gone"));
    FAILS(ZNONODE, zoo_exists(zh, "/gone", 0, &stat));
}

/* --- a session that outlives its process --------------------------------------------------------- */

/* A child process opens a session, makes an ephemeral and dies without closing. */
static clientid_t orphaned_session(const char *hosts) {
    int ends[2];
    clientid_t id;
    memset(&id, 0, sizeof id);
    if (pipe(ends) != 0) exit(1);
    pid_t child = fork();
    if (child == 0) {
        zhandle_t *zh = open_session(hosts, NULL);
        if (create(zh, "/orphan", "", ZOO_EPHEMERAL, NULL) == ZOK) id = *zoo_client_id(zh);
        _exit(write(ends[1], &id, sizeof id) != sizeof id);
    }
    CHECK(read(ends[0], &id, sizeof id) == sizeof id && id.client_id != 0);
    close(ends[0]), close(ends[1]);
    waitpid(child, NULL, 0);
    return id;
}

static void attaching(const char *hosts, const clientid_t *orphan) {
    struct Stat stat;
    clientid_t forged = *orphan;
    forged.passwd[0] ^= 1;
    zhandle_t *thief = zookeeper_init(hosts, record, SESSION_TIMEOUT_MS, &forged, NULL, 0);
    CHECK(event_comes(ZOO_SESSION_EVENT, ZOO_EXPIRED_SESSION_STATE, ""));
    zookeeper_close(thief);
    zhandle_t *heir = open_session(hosts, orphan);
    CHECK(zoo_client_id(heir)->client_id == orphan->client_id);
    CHECK(memcmp(zoo_client_id(heir)->passwd, orphan->passwd, sizeof orphan->passwd) == 0);
    CHECK(zoo_recv_timeout(heir) == SESSION_TIMEOUT_MS);
    OK(zoo_exists(heir, "/orphan", 0, &stat));
    CHECK(stat.ephemeralOwner == orphan->client_id);
    OK(zookeeper_close(heir));
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: session HOST:PORT\n");
        return 2;
    }
    const char *hosts = argv[1];
    struct Stat stat;
    setvbuf(stdout, NULL, _IOLBF, 0);
    zoo_set_debug_level(0);
    /* Before the first thread: the child of a threaded process may not call the library. */
    clientid_t orphan = orphaned_session(hosts);
    attaching(hosts, &orphan);
    zhandle_t *zh = open_session(hosts, NULL);
    CHECK(zoo_state(zh) == ZOO_CONNECTED_STATE && zoo_client_id(zh)->client_id != 0);
    FAILS(ZNONODE, zoo_exists(zh, "/orphan", 0, &stat));
    creating(zh);
    reading_and_writing(zh);
    large_data(zh);
    children(zh);
    watching(zh);
    removing_watches(zh);
    transactions(zh);
    permissions(zh, hosts);
    pipelining(zh);
    configuration(zh);
    ephemerals_end_with_their_session(zh, hosts);
    OK(zookeeper_close(zh));
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
