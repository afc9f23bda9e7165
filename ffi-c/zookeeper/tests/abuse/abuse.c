/* What no program should do, and what it must get for it: a code, never a crash.
 *
 * Usage: abuse HOST:PORT. Only for this library: ZooKeeper's own crashes on several of these. Prints
 * what fails, then `N passed, N failed`; the exit code is 1 if anything failed.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

/* Exported, and in the header of the single-threaded interface only. */
int zookeeper_interest(zhandle_t *zh, int *fd, int *interest, struct timeval *tv);
int zookeeper_process(zhandle_t *zh, int events);

enum { SESSION_TIMEOUT_MS = 10000, CALLS = 2000, CYCLES = 200, CLOSERS = 8, WAIT_SECONDS_MAX = 30 };

static int passed, failed;

static void check(int ok, int line, const char *what) {
    if (ok) {
        passed++;
    } else {
        failed++;
        printf("abuse.c:%d: FAILED: %s\n", line, what);
    }
}

#define CHECK(condition) check((condition) != 0, __LINE__, #condition)
#define GIVES(code, call) check((call) == (code), __LINE__, #call " gives " #code)

static zhandle_t *open_connected(const char *hosts) {
    struct timespec pause = {0, 1000 * 1000};
    zhandle_t *zh = zookeeper_init(hosts, NULL, SESSION_TIMEOUT_MS, NULL, NULL, 0);
    for (int i = 0; i < WAIT_SECONDS_MAX * 1000 && zoo_state(zh) != ZOO_CONNECTED_STATE; i++)
        nanosleep(&pause, NULL);
    return zh;
}

/* Every function with a handle of no use: NULL, closed, or never opened. */
static void useless_handle(zhandle_t *zh, int code) {
    struct Stat stat;
    struct String_vector names;
    struct ACL_vector acl;
    struct sockaddr_storage address;
    socklen_t address_len = sizeof address;
    char buffer[8];
    int len = sizeof buffer, fd, interest;
    struct timeval tv;
    zoo_op_t op;
    zoo_op_result_t result;
    const struct ACL_vector *open_acl = &ZOO_OPEN_ACL_UNSAFE;
    zoo_check_op_init(&op, "/", 0);
    GIVES(code, zoo_create(zh, "/a", "", 0, open_acl, 0, buffer, 8));
    GIVES(code, zoo_create_ttl(zh, "/a", "", 0, open_acl, 5, 1, buffer, 8));
    GIVES(code, zoo_create2(zh, "/a", "", 0, open_acl, 0, buffer, 8, &stat));
    GIVES(code, zoo_create2_ttl(zh, "/a", "", 0, open_acl, 5, 1, buffer, 8, &stat));
    GIVES(code, zoo_delete(zh, "/a", 0));
    GIVES(code, zoo_exists(zh, "/a", 1, &stat));
    GIVES(code, zoo_wexists(zh, "/a", NULL, NULL, &stat));
    GIVES(code, zoo_get(zh, "/a", 1, buffer, &len, &stat));
    GIVES(code, zoo_wget(zh, "/a", NULL, NULL, buffer, &len, &stat));
    GIVES(code, zoo_getconfig(zh, 1, buffer, &len, &stat));
    GIVES(code, zoo_wgetconfig(zh, NULL, NULL, buffer, &len, &stat));
    GIVES(code, zoo_reconfig(zh, NULL, NULL, NULL, -1, buffer, &len, &stat));
    GIVES(code, zoo_set(zh, "/a", "", 0, 0));
    GIVES(code, zoo_set2(zh, "/a", "", 0, 0, &stat));
    GIVES(code, zoo_get_children(zh, "/a", 1, &names));
    GIVES(code, zoo_wget_children(zh, "/a", NULL, NULL, &names));
    GIVES(code, zoo_get_children2(zh, "/a", 1, &names, &stat));
    GIVES(code, zoo_wget_children2(zh, "/a", NULL, NULL, &names, &stat));
    GIVES(code, zoo_get_acl(zh, "/a", &acl, &stat));
    GIVES(code, zoo_set_acl(zh, "/a", 0, open_acl));
    GIVES(code, zoo_multi(zh, 1, &op, &result));
    GIVES(code, zoo_remove_watches(zh, "/a", ZWATCHTYPE_ANY, NULL, NULL, 0));
    GIVES(code, zoo_remove_all_watches(zh, "/a", ZWATCHTYPE_ANY, 0));
    GIVES(code, zoo_acreate(zh, "/a", "", 0, open_acl, 0, NULL, NULL));
    GIVES(code, zoo_acreate_ttl(zh, "/a", "", 0, open_acl, 5, 1, NULL, NULL));
    GIVES(code, zoo_acreate2(zh, "/a", "", 0, open_acl, 0, NULL, NULL));
    GIVES(code, zoo_acreate2_ttl(zh, "/a", "", 0, open_acl, 5, 1, NULL, NULL));
    GIVES(code, zoo_adelete(zh, "/a", 0, NULL, NULL));
    GIVES(code, zoo_aexists(zh, "/a", 1, NULL, NULL));
    GIVES(code, zoo_awexists(zh, "/a", NULL, NULL, NULL, NULL));
    GIVES(code, zoo_aget(zh, "/a", 1, NULL, NULL));
    GIVES(code, zoo_awget(zh, "/a", NULL, NULL, NULL, NULL));
    GIVES(code, zoo_agetconfig(zh, 1, NULL, NULL));
    GIVES(code, zoo_awgetconfig(zh, NULL, NULL, NULL, NULL));
    GIVES(code, zoo_areconfig(zh, NULL, NULL, NULL, -1, NULL, NULL));
    GIVES(code, zoo_aset(zh, "/a", "", 0, 0, NULL, NULL));
    GIVES(code, zoo_aget_children(zh, "/a", 1, NULL, NULL));
    GIVES(code, zoo_awget_children(zh, "/a", NULL, NULL, NULL, NULL));
    GIVES(code, zoo_aget_children2(zh, "/a", 1, NULL, NULL));
    GIVES(code, zoo_awget_children2(zh, "/a", NULL, NULL, NULL, NULL));
    GIVES(code, zoo_async(zh, "/a", NULL, NULL));
    GIVES(code, zoo_aget_acl(zh, "/a", NULL, NULL));
    GIVES(code, zoo_aset_acl(zh, "/a", 0, &ZOO_OPEN_ACL_UNSAFE, NULL, NULL));
    GIVES(code, zoo_amulti(zh, 1, &op, &result, NULL, NULL));
    GIVES(code, zoo_aremove_watches(zh, "/a", ZWATCHTYPE_ANY, NULL, NULL, 0, NULL, NULL));
    GIVES(code, zoo_aremove_all_watches(zh, "/a", ZWATCHTYPE_ANY, 0, NULL, NULL));
    GIVES(code, zoo_add_auth(zh, "digest", "a:b", 3, NULL, NULL));
    GIVES(code, zoo_set_servers(zh, "127.0.0.1:1"));
    GIVES(code, zoo_set_servers_resolution_delay(zh, 0));
    GIVES(code, zookeeper_interest(zh, &fd, &interest, &tv));
    GIVES(code, zookeeper_process(zh, 0));
    GIVES(0, zoo_state(zh));
    GIVES(ZINVALIDSTATE, is_unrecoverable(zh));
    GIVES(0, zoo_recv_timeout(zh));
    CHECK(zoo_client_id(zh) == NULL && zoo_get_context(zh) == NULL);
    CHECK(zoo_get_current_server(zh) == NULL && zoo_set_watcher(zh, NULL) == NULL);
    CHECK(!zookeeper_get_connected_host(zh, (struct sockaddr *)&address, &address_len));
    CHECK(zoo_get_log_callback(zh) == NULL);
    zoo_set_context(zh, NULL), zoo_set_log_callback(zh, NULL), zoo_cycle_next_server(zh);
    GIVES(code, zookeeper_close(zh));
}

static void useless_handles(const char *hosts) {
    zhandle_t *zh = open_connected(hosts);
    useless_handle(NULL, ZBADARGUMENTS);
    GIVES(ZOK, zookeeper_close(zh));
    useless_handle(zh, ZINVALIDSTATE);
    useless_handle((zhandle_t *)(size_t)0x123456789, ZINVALIDSTATE);
}

/* Arguments that are missing, on a handle that works. */
static void missing_arguments(const char *hosts) {
    struct Stat stat;
    char buffer[8];
    int len = sizeof buffer;
    zoo_op_t op;
    zoo_op_result_t result;
    zhandle_t *zh = open_connected(hosts);
    GIVES(ZBADARGUMENTS, zoo_create(zh, "/a", NULL, 5, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    GIVES(ZOK, zoo_create(zh, "/null", "x", -7, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    GIVES(ZOK, zoo_get(zh, "/null", 0, buffer, &len, NULL));
    CHECK(len == -1);
    len = -3;
    GIVES(ZOK, zoo_get(zh, "/zookeeper", 0, NULL, &len, &stat));
    CHECK(len == 0);
    GIVES(ZOK, zoo_get_children(zh, "/", 0, NULL));
    GIVES(ZOK, zoo_get_acl(zh, "/", NULL, NULL));
    GIVES(ZOK, zoo_aget(zh, "/", 0, NULL, NULL));
    GIVES(ZBADARGUMENTS, zoo_multi(zh, 1, NULL, &result));
    GIVES(ZBADARGUMENTS, zoo_multi(zh, -1, &op, &result));
    zoo_create_op_init(&op, "/m", "", 0, &ZOO_OPEN_ACL_UNSAFE, 99, NULL, 0);
    GIVES(ZMARSHALLINGERROR, zoo_multi(zh, 1, &op, &result));
    zoo_create_op_init(NULL, "/m", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    GIVES(ZBADARGUMENTS, zoo_remove_watches(zh, "/", (ZooWatcherType)9, NULL, NULL, 0));
    GIVES(ZUNIMPLEMENTED, zookeeper_process(zh, 0));
    CHECK(!zookeeper_get_connected_host(zh, NULL, NULL));
    GIVES(ZOK, zookeeper_close(zh));
}

/* --- closing ------------------------------------------------------------------------------------- */

static int told;

static void count_data(int rc, const char *value, int len, const struct Stat *stat,
                       const void *data) {
    (void)value, (void)len, (void)stat, (void)data;
    if (rc == ZOK || rc == ZCLOSING) __atomic_add_fetch(&told, 1, __ATOMIC_SEQ_CST);
}

/* Debian's library drops completions that wait for their thread when the handle is closed. */
static void every_completion_comes_once(const char *hosts) {
    zhandle_t *zh = open_connected(hosts);
    int accepted = 0;
    for (int i = 0; i < CALLS; i++) accepted += zoo_aget(zh, "/", 0, count_data, NULL) == ZOK;
    CHECK(accepted == CALLS);
    GIVES(ZOK, zookeeper_close(zh));
    CHECK(__atomic_load_n(&told, __ATOMIC_SEQ_CST) == CALLS);
}

/* A server that takes the connection and never answers: what waits gets ZCLOSING. */
static void pending_completions_are_told(void) {
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    char hosts[64];
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET, address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", ntohs(address.sin_port));
    zhandle_t *zh = zookeeper_init(hosts, NULL, SESSION_TIMEOUT_MS, NULL, NULL, 0);
    int connection = accept(listener, NULL, NULL);
    told = 0;
    for (int i = 0; i < 3; i++) GIVES(ZOK, zoo_aget(zh, "/", 0, count_data, NULL));
    GIVES(ZOK, zookeeper_close(zh));
    CHECK(__atomic_load_n(&told, __ATOMIC_SEQ_CST) == 3);
    close(connection), close(listener);
}

static void *calls_until_closed(void *zh) {
    struct Stat stat;
    int rc;
    do rc = zoo_exists(zh, "/", 0, &stat);
    while (rc == ZOK);
    return (void *)(size_t)(rc == ZCLOSING || rc == ZINVALIDSTATE);
}

static void *closes(void *zh) {
    return (void *)(size_t)(zookeeper_close(zh) == ZOK);
}

/* Many threads call, many close: one close wins, and every call gets a code. */
static void closing_from_everywhere(const char *hosts) {
    zhandle_t *zh = open_connected(hosts);
    pthread_t callers[CLOSERS], closers[CLOSERS];
    size_t sane = 0, won = 0;
    for (int i = 0; i < CLOSERS; i++) pthread_create(&callers[i], NULL, calls_until_closed, zh);
    for (int i = 0; i < CLOSERS; i++) pthread_create(&closers[i], NULL, closes, zh);
    for (int i = 0; i < CLOSERS; i++) {
        void *result;
        pthread_join(callers[i], &result), sane += (size_t)result;
        pthread_join(closers[i], &result), won += (size_t)result;
    }
    CHECK(sane == CLOSERS && won == 1);
}

/* A child has none of the parent's threads: its calls fail at once, and a new handle works. */
static void after_a_fork(const char *hosts) {
    struct Stat stat;
    int status = -1;
    zhandle_t *zh = open_connected(hosts);
    pid_t child = fork();
    if (child == 0) {
        int refused = zoo_exists(zh, "/", 0, &stat) == ZINVALIDSTATE;
        zhandle_t *own = open_connected(hosts);
        int works = zoo_exists(own, "/", 0, &stat) == ZOK && zookeeper_close(own) == ZOK;
        _exit(refused && works ? 0 : 1);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    GIVES(ZOK, zoo_exists(zh, "/", 0, &stat));
    GIVES(ZOK, zookeeper_close(zh));
}

static int entries_of(const char *folder) {
    int count = 0;
    DIR *open_folder = opendir(folder);
    while (open_folder && readdir(open_folder)) count++;
    if (open_folder) closedir(open_folder);
    return count;
}

/* A detached thread needs a moment to be gone. */
static int threads_become(int count) {
    struct timespec pause = {0, 1000 * 1000};
    for (int i = 0; i < WAIT_SECONDS_MAX * 1000 && entries_of("/proc/self/task") != count; i++)
        nanosleep(&pause, NULL);
    return entries_of("/proc/self/task") == count;
}

static void nothing_is_left_behind(const char *hosts) {
    int threads = entries_of("/proc/self/task"), files = entries_of("/proc/self/fd");
    for (int i = 0; i < CYCLES; i++) {
        zhandle_t *zh = i % 2 ? open_connected(hosts)
                              : zookeeper_init(hosts, NULL, SESSION_TIMEOUT_MS, NULL, NULL, 0);
        zoo_aget(zh, "/", 0, NULL, NULL);
        if (zookeeper_close(zh) != ZOK) failed++;
    }
    CHECK(threads_become(threads));
    CHECK(entries_of("/proc/self/fd") == files);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: abuse HOST:PORT\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    zoo_set_debug_level((ZooLogLevel)0);
    useless_handles(argv[1]);
    missing_arguments(argv[1]);
    every_completion_comes_once(argv[1]);
    pending_completions_are_told();
    closing_from_everywhere(argv[1]);
    after_a_fork(argv[1]);
    nothing_is_left_behind(argv[1]);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
