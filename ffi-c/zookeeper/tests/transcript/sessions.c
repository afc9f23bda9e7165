/* Handles, sessions, callbacks that call, and the ways in which it all ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "transcript.h"

static void open_and_print(const char *hosts, int timeout) {
    errno = 0;
    zhandle_t *zh = zookeeper_init(hosts, quiet, timeout, NULL, NULL, 0);
    SAY("init(\"%s\"): %s%s", hosts ? hosts : "NULL", zh ? "a handle" : "NULL, errno ",
        zh ? "" : strerror(errno));
    if (zh) zookeeper_close(zh);
}

static void hosts_that_are_none(void) {
    const char *const all[] = {"",          "nothing",        "127.0.0.1",        "127.0.0.1:x",
                               "127.0.0.1:", "127.0.0.1:1/a/", "127.0.0.1:1/a//b", "127.0.0.1:1/a/..",
                               "127.0.0.1:1,", " 127.0.0.1:1",  "127.0.0.1:1,127.0.0.1:2/a",
                               "127.0.0.1:0", "127.0.0.1:-1", "no.such.host.invalid:1"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) open_and_print(all[i], 4000);
    open_and_print(NULL, 4000);
}

static void print_server(zhandle_t *zh, const char *hosts) {
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    char text[64] = "nothing";
    const char *server = zoo_get_current_server(zh);
    struct sockaddr *got = zookeeper_get_connected_host(zh, (struct sockaddr *)&address, &len);
    if (got) snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
    SAY("  current server %s, connected host %s",
        server && strcmp(server, hosts) == 0 ? "is the server" : server ? "is another" : "is none",
        strcmp(text, hosts) == 0 ? "is the server" : got ? "is another" : "is none");
}

static void before_the_connection(void) {
    char dead[64];
    clientid_t id = {77, "password"};
    nobody(dead, sizeof dead);
    zhandle_t *zh = zookeeper_init(dead, quiet, 4321, NULL, "context", 0);
    SAY("client id %lld, timeout %d, context %s", (long long)zoo_client_id(zh)->client_id,
        zoo_recv_timeout(zh), (const char *)zoo_get_context(zh));
    RC(is_unrecoverable(zh));
    RC(zookeeper_close(zh));
    zh = zookeeper_init(dead, quiet, 4321, &id, "context", 0);
    SAY("client id %lld", (long long)zoo_client_id(zh)->client_id);
    RC(zookeeper_close(zh));
}

static void lists_of_servers(zhandle_t *zh, const char *hosts) {
    char dead[64], both[160];
    struct Stat stat;
    nobody(dead, sizeof dead);
    RC(zoo_set_servers(zh, NULL));
    RC(zoo_set_servers(zh, hosts));
    RC(zoo_exists(zh, "/", 0, &stat));
    snprintf(both, sizeof both, "%s,%s", hosts, dead);
    RC(zoo_set_servers(zh, hosts));
    RC(zoo_exists(zh, "/", 0, &stat));
    RC(zoo_set_servers_resolution_delay(zh, -1));
    RC(zoo_set_servers_resolution_delay(zh, 0));
    RC(zoo_set_servers_resolution_delay(zh, 1000));
    RC(zoo_set_servers_resolution_delay(zh, -2));
    zoo_deterministic_conn_order(1);
    zhandle_t *other = open_connected(both, NULL);
    print_server(other, hosts);
    zoo_deterministic_conn_order(0);
    RC(zookeeper_close(other));
}

void handles(const char *hosts) {
    SAY("--- handles");
    hosts_that_are_none();
    before_the_connection();
    zhandle_t *zh = zookeeper_init(hosts, quiet, SESSION_TIMEOUT_MS, NULL, "context", 0);
    SAY("it connects: %d", state_comes(zh, ZOO_CONNECTED_STATE));
    const clientid_t *id = zoo_client_id(zh);
    char nothing[16] = {0};
    SAY("a client id: %d, a password: %d, timeout %d", id->client_id != 0,
        memcmp(id->passwd, nothing, 16) != 0, zoo_recv_timeout(zh));
    RC(is_unrecoverable(zh));
    SAY("context %s", (const char *)zoo_get_context(zh));
    zoo_set_context(zh, "another");
    SAY("context %s", (const char *)zoo_get_context(zh));
    print_server(zh, hosts);
    lists_of_servers(zh, hosts);
    RC(zookeeper_close(zh));
    zh = zookeeper_init(hosts, NULL, SESSION_TIMEOUT_MS, NULL, NULL, 0);
    SAY("without a watcher it connects: %d", state_comes(zh, ZOO_CONNECTED_STATE));
    RC(zookeeper_close(zh));
    zh = zookeeper_init(hosts, quiet, 2000, NULL, NULL, ZOO_READONLY | ZOO_NO_LOG_CLIENTENV);
    SAY("it connects: %d", state_comes(zh, ZOO_CONNECTED_STATE));
    SAY("the shortest timeout is %d", zoo_recv_timeout(zh));
    RC(zookeeper_close(zh));
}

/* --- sessions ----------------------------------------------------------------------------------- */

/* A process of its own opens a session and dies without a word. To be called before any thread is
 * started: the child of a process with threads may not call the library. */
clientid_t orphaned_session(const char *hosts) {
    int ends[2];
    clientid_t id;
    memset(&id, 0, sizeof id);
    if (pipe(ends) != 0) exit(1);
    pid_t child = fork();
    if (child == 0) {
        zhandle_t *zh = open_connected(hosts, NULL);
        if (zoo_create(zh, "/orphan", "", 0, &ZOO_OPEN_ACL_UNSAFE, 1, NULL, 0) == ZOK)
            id = *zoo_client_id(zh);
        _exit(write(ends[1], &id, sizeof id) != sizeof id);
    }
    SAY("an orphaned session: %d", read(ends[0], &id, sizeof id) == sizeof id && id.client_id != 0);
    close(ends[0]), close(ends[1]);
    waitpid(child, NULL, 0);
    return id;
}

static void a_wrong_password(const char *hosts, const clientid_t *id) {
    clientid_t forged = *id;
    struct Stat stat;
    forged.passwd[0] ^= 1;
    zhandle_t *thief = zookeeper_init(hosts, watcher, SESSION_TIMEOUT_MS, &forged, "thief", 0);
    journal(1);
    SAY("state: %s", state_name(zoo_state(thief)));
    RC(is_unrecoverable(thief));
    RC(zoo_exists(thief, "/", 0, &stat));
    RC(zookeeper_close(thief));
    journal_is_empty();
}

static void taking_over(const char *hosts, const clientid_t *orphan) {
    struct Stat stat;
    SAY("--- a session taken over");
    a_wrong_password(hosts, orphan);
    zhandle_t *heir = open_connected(hosts, orphan);
    SAY("the same session: %d, password: %d", zoo_client_id(heir)->client_id == orphan->client_id,
        memcmp(zoo_client_id(heir)->passwd, orphan->passwd, sizeof orphan->passwd) == 0);
    RC(zoo_exists(heir, "/orphan", 0, &stat));
    print_stat(heir, &stat);
    RC(zookeeper_close(heir));
    heir = open_connected(hosts, NULL);
    RC(zoo_exists(heir, "/orphan", 0, &stat));
    RC(zookeeper_close(heir));
    SAY("--- a session that is no more");
    a_wrong_password(hosts, orphan);
}

static void expired(zhandle_t *zh, int type, int state, const char *path, void *context) {
    if (state == ZOO_EXPIRED_SESSION_STATE) watcher(zh, type, state, path, context);
}

static void expired_too(zhandle_t *zh, int type, int state, const char *path, void *context) {
    if (state == ZOO_EXPIRED_SESSION_STATE) second_watcher(zh, type, state, path, context);
}

/* Ends the session of a handle that is open, by a second handle: the two take it from each other. */
static void expire(const char *hosts, zhandle_t *zh) {
    clientid_t id = *zoo_client_id(zh);
    struct timespec pause = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 100 && !is_unrecoverable(zh); i++) {
        zhandle_t *other = zookeeper_init(hosts, quiet, SESSION_TIMEOUT_MS, &id, NULL, 0);
        for (int j = 0; j < 50 && zoo_state(other) != ZOO_CONNECTED_STATE && !is_unrecoverable(other);
             j++)
            nanosleep(&pause, NULL);
        zookeeper_close(other);
        for (int j = 0; j < 50 && zoo_state(zh) != ZOO_EXPIRED_SESSION_STATE; j++)
            nanosleep(&pause, NULL);
    }
}

void sessions(const char *hosts, const clientid_t *orphan) {
    struct Stat stat;
    taking_over(hosts, orphan);
    SAY("--- an expired session");
    zhandle_t *zh = zookeeper_init(hosts, expired, SESSION_TIMEOUT_MS, NULL, "own", 0);
    state_comes(zh, ZOO_CONNECTED_STATE);
    RC(zoo_create(zh, "/eph", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    RC(zoo_wexists(zh, "/never", expired_too, "left behind", &stat));
    RC(zoo_exists(zh, "/never", 1, &stat));
    clientid_t id = *zoo_client_id(zh);
    expire(hosts, zh);
    SAY("state: %s", state_name(zoo_state(zh)));
    journal_sorted(2);
    RC(is_unrecoverable(zh));
    RC(zoo_exists(zh, "/eph", 0, &stat));
    RC(zoo_aexists(zh, "/eph", 0, on_stat, "never"));
    SAY("the session is still told: %d", zoo_client_id(zh)->client_id == id.client_id);
    RC(zookeeper_close(zh));
    zh = open_connected(hosts, NULL);
    RC(zoo_exists(zh, "/eph", 0, &stat));
    RC(zookeeper_close(zh));
    journal_is_empty();
}

/* --- callbacks that call ------------------------------------------------------------------------- */

static void calls_and_waits(int rc, const char *value, const void *data) {
    zhandle_t *zh = (zhandle_t *)(size_t)data;
    struct Stat stat;
    char buffer[8];
    int len = sizeof buffer;
    note("in a completion: %s %s", code_name(rc), value);
    note("in a completion, exists: %s", code_name(zoo_exists(zh, "/cb", 0, &stat)));
    note("in a completion, set: %s", code_name(zoo_set(zh, "/cb", "12", 2, -1)));
    note("in a completion, get: %s", code_name(zoo_get(zh, "/cb", 0, buffer, &len, NULL)));
    note("in a completion, %d bytes", len);
    note("in a completion, aget: %s", code_name(zoo_aget(zh, "/cb", 0, on_data, "get")));
}

static void watcher_that_calls(zhandle_t *zh, int type, int state, const char *path, void *context) {
    struct Stat stat;
    if (type == ZOO_SESSION_EVENT) return;
    watcher(zh, type, state, path, context);
    note("in a watcher: %s", code_name(zoo_wexists(zh, path, watcher, "left in a watcher", &stat)));
}

static void in_order(zhandle_t *zh) {
    SAY("--- completions and events in one order");
    for (int i = 0; i < 3; i++) {
        zoo_awget(zh, "/cb", watcher, "w", on_data, "get");
        zoo_aset(zh, "/cb", "x", 1, -1, on_stat, "set");
        zoo_aget_children(zh, "/cb", 0, on_strings, "children");
    }
    journal(12);
}

void callbacks(const char *hosts) {
    struct Stat stat;
    SAY("--- callbacks that call");
    zhandle_t *zh = open_connected(hosts, NULL);
    RC(zoo_acreate(zh, "/cb", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, calls_and_waits, zh));
    journal(7);
    RC(zoo_wexists(zh, "/cb", watcher_that_calls, "calling", &stat));
    RC(zoo_set(zh, "/cb", "", 0, -1));
    journal(2);
    RC(zoo_set(zh, "/cb", "", 0, -1));
    journal(1);
    in_order(zh);
    RC(zookeeper_close(zh));
}

/* --- closing ------------------------------------------------------------------------------------- */

static void closes(int rc, const struct Stat *stat, const void *data) {
    (void)stat;
    note("before closing: %s", code_name(rc));
    note("closing in a completion: %s", code_name(zookeeper_close((zhandle_t *)(size_t)data)));
}

static void watcher_that_closes(zhandle_t *zh, int type, int state, const char *path, void *context) {
    watcher(zh, type, state, path, context);
    if (state == ZOO_CONNECTED_STATE)
        note("closing in a watcher: %s", code_name(zookeeper_close(zh)));
}

static pthread_t waiting_thread;

static void *waits_for_ever(void *zh) {
    struct Stat stat;
    note("waiting call: %s", code_name(zoo_exists(zh, "/", 0, &stat)));
    return NULL;
}

/* The server takes the connection and never answers, so the call stays pending. What becomes of
 * completions is not told: Debian's library drops those that it has not begun to run. */
static void with_pending_calls(void) {
    char silent[64];
    struct timespec pause = {0, 200 * 1000 * 1000};
    int listener = silent_listener(silent, sizeof silent);
    SAY("--- closing with pending calls");
    zhandle_t *zh = zookeeper_init(silent, watcher, 60000, NULL, "pending", 0);
    int connection = accept(listener, NULL, NULL);
    pthread_create(&waiting_thread, NULL, waits_for_ever, zh);
    nanosleep(&pause, NULL);
    RC(zookeeper_close(zh));
    pthread_join(waiting_thread, NULL);
    journal(1);
    journal_is_empty();
    close(connection), close(listener);
}

void closing(const char *hosts) {
    char silent[64];
    SAY("--- closing");
    zhandle_t *zh = open_connected(hosts, NULL);
    RC(zoo_aexists(zh, "/", 0, closes, zh));
    journal(2);
    zh = zookeeper_init(hosts, watcher_that_closes, SESSION_TIMEOUT_MS, NULL, "closing", 0);
    journal(2);
    int listener = silent_listener(silent, sizeof silent);
    zh = zookeeper_init(silent, watcher, SESSION_TIMEOUT_MS, NULL, "never connected", 0);
    RC(zookeeper_close(zh));
    journal_is_empty();
    close(listener);
    with_pending_calls();
}

/* --- what cannot work ------------------------------------------------------------------------------ */

static void without_a_handle(void) {
    struct Stat stat;
    struct String_vector names;
    struct ACL_vector acl;
    char buffer[8];
    int len = sizeof buffer;
    RC(zoo_create(NULL, "/a", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    RC(zoo_delete(NULL, "/a", 0));
    RC(zoo_wexists(NULL, "/a", watcher, NULL, &stat));
    RC(zoo_wget(NULL, "/a", watcher, NULL, buffer, &len, &stat));
    RC(zoo_set(NULL, "/a", "", 0, 0));
    RC(zoo_wget_children(NULL, "/a", watcher, NULL, &names));
    RC(zoo_wget_children2(NULL, "/a", watcher, NULL, &names, &stat));
    RC(zoo_get_acl(NULL, "/a", &acl, &stat));
    RC(zoo_set_acl(NULL, "/a", 0, &ZOO_OPEN_ACL_UNSAFE));
    RC(zoo_async(NULL, "/a", on_string, "never"));
    RC(zoo_awget(NULL, "/a", watcher, NULL, on_data, "never"));
    RC(zoo_add_auth(NULL, "digest", "a:b", 3, on_void, "never"));
    RC(zookeeper_close(NULL));
}

void bad_arguments(zhandle_t *zh, const char *hosts) {
    struct Stat stat;
    char buffer[8];
    (void)hosts;
    SAY("--- bad arguments");
    without_a_handle();
    RC(zoo_get(zh, "/c", 0, buffer, NULL, &stat));
    RC(zoo_getconfig(zh, 0, buffer, NULL, &stat));
    RC(zoo_remove_watches(zh, NULL, ZWATCHTYPE_ANY, watcher, NULL, 0));
    RC(zoo_remove_watches(zh, "/a", ZWATCHTYPE_ANY, NULL, NULL, 0));
    RC(zoo_remove_watches(zh, "no-slash", ZWATCHTYPE_ANY, watcher, NULL, 0));
    RC(zoo_exists(zh, "/c", 0, &stat));
}

/* The handle whose credential the server refuses. */
void dead_handles(const char *hosts) {
    struct Stat stat;
    char buffer[8];
    int len = sizeof buffer;
    zoo_op_t op;
    zoo_op_result_t result;
    SAY("--- a refused credential");
    zhandle_t *zh = zookeeper_init(hosts, watcher, SESSION_TIMEOUT_MS, NULL, "dead", 0);
    journal(1);
    RC(zoo_add_auth(zh, "nonsense", "", 0, on_void, "auth"));
    journal_sorted(2);
    SAY("it dies: %d", state_comes(zh, ZOO_AUTH_FAILED_STATE));
    RC(is_unrecoverable(zh));
    RC(zoo_create(zh, "/a", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    RC(zoo_delete(zh, "/a", 0));
    RC(zoo_get(zh, "/a", 0, buffer, &len, &stat));
    RC(zoo_set(zh, "/a", "", 0, 0));
    RC(zoo_acreate(zh, "/a", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, "never"));
    zoo_check_op_init(&op, "/", 0);
    RC(zoo_multi(zh, 1, &op, &result));
    RC(zoo_async(zh, "/", on_string, "never"));
    RC(zoo_add_auth(zh, "digest", "a:b", 3, on_void, "never"));
    RC(zoo_exists(zh, "no-slash", 0, &stat));
    RC(zookeeper_close(zh));
    journal_is_empty();
}

/* Requests wait for a connection, and fail with the attempt that fails. */
void unreachable(void) {
    char dead[64];
    struct Stat stat;
    SAY("--- nobody listens");
    nobody(dead, sizeof dead);
    zhandle_t *zh = zookeeper_init(dead, watcher, 1500, NULL, "unreachable", 0);
    RC(zoo_exists(zh, "/", 0, &stat));
    RC(zoo_aexists(zh, "/", 0, on_stat, "exists"));
    journal(1);
    RC(is_unrecoverable(zh));
    SAY("the session is %d", (int)zoo_client_id(zh)->client_id);
    RC(zookeeper_close(zh));
    journal_is_empty();
}
