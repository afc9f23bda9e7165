/* Everything that programs do with ZooKeeper's C interface, printed: `transcript HOST:PORT`.
 *
 * Needs a fresh server that allows TTL znodes. Nothing printed depends on time, on the run or on the
 * server's past, so two libraries that behave the same print the same.
 */
#include "transcript.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ENTRIES_MAX = 4096, ENTRY_BYTES_MAX = 512 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char entries[ENTRIES_MAX][ENTRY_BYTES_MAX];
static int noted, printed;

const char *code_name(int code) {
    return code == ZOK ? "ok" : zerror(code);
}

void print_code(const char *call, int code) {
    SAY("%s: %s", call, code_name(code));
}

const char *state_name(int state) {
    if (state == ZOO_CONNECTED_STATE) return "connected";
    if (state == ZOO_CONNECTING_STATE) return "connecting";
    if (state == ZOO_ASSOCIATING_STATE) return "associating";
    if (state == ZOO_READONLY_STATE) return "read-only";
    if (state == ZOO_NOTCONNECTED_STATE) return "not connected";
    if (state == ZOO_EXPIRED_SESSION_STATE) return "expired";
    if (state == ZOO_AUTH_FAILED_STATE) return "auth failed";
    return state == 0 ? "closed" : "unknown";
}

static const char *event_name(int type) {
    if (type == ZOO_CREATED_EVENT) return "created";
    if (type == ZOO_DELETED_EVENT) return "deleted";
    if (type == ZOO_CHANGED_EVENT) return "changed";
    if (type == ZOO_CHILD_EVENT) return "child";
    if (type == ZOO_SESSION_EVENT) return "session";
    return type == ZOO_NOTWATCHING_EVENT ? "not watching" : "unknown";
}

static int stat_text(char *into, size_t len, const struct Stat *stat) {
    if (!stat) return snprintf(into, len, "no stat");
    return snprintf(into, len, "v%d c%d a%d, %d bytes, %d children, %s, %s%s", stat->version,
                    stat->cversion, stat->aversion, stat->dataLength, stat->numChildren,
                    stat->czxid == stat->mzxid ? "never set" : "set",
                    stat->pzxid > stat->czxid ? "had children" : "never had children",
                    stat->ephemeralOwner ? ", ephemeral" : "");
}

void print_stat(zhandle_t *zh, const struct Stat *stat) {
    char text[256];
    stat_text(text, sizeof text, stat);
    int own = zh && stat->ephemeralOwner && stat->ephemeralOwner == zoo_client_id(zh)->client_id;
    int sane = stat->czxid > 0 && stat->mtime >= stat->ctime && stat->ctime > 0;
    SAY("  %s%s%s", text, own ? " of this session" : "", sane ? "" : ", of no known time");
}

void print_bytes(const char *bytes, int len) {
    if (len < 0) SAY("  null (%d)", len);
    else SAY("  %d bytes: \"%.*s\"", len, len, bytes);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void print_strings(const struct String_vector *strings) {
    qsort(strings->data, (size_t)strings->count, sizeof *strings->data, by_text);
    printf("  %d:", strings->count);
    for (int i = 0; i < strings->count; i++) printf(" %s", strings->data[i]);
    printf("\n");
}

void print_acl(const struct ACL_vector *acl) {
    for (int i = 0; i < acl->count; i++)
        SAY("  %d %s:%s", acl->data[i].perms, acl->data[i].id.scheme, acl->data[i].id.id);
}

/* --- the journal ------------------------------------------------------------------------------- */

void note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (noted < ENTRIES_MAX) vsnprintf(entries[noted++], ENTRY_BYTES_MAX, format, arguments);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

static void await_entries(int count) {
    struct timespec until;
    int late = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS_MAX;
    while (noted < printed + count && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&changed, &lock, &until);
    if (late == ETIMEDOUT) SAY("  (%d entries of %d did not come)", printed + count - noted, count);
}

static int by_entry(const void *a, const void *b) {
    return strcmp(a, b);
}

static void journal_ordered(int count, int sorted) {
    pthread_mutex_lock(&lock);
    await_entries(count);
    int end = printed + count < noted ? printed + count : noted;
    if (sorted) qsort(entries[printed], (size_t)(end - printed), ENTRY_BYTES_MAX, by_entry);
    for (; printed < end; printed++) SAY("  > %s", entries[printed]);
    pthread_mutex_unlock(&lock);
}

void journal(int count) {
    journal_ordered(count, 0);
}

void journal_sorted(int count) {
    journal_ordered(count, 1);
}

void journal_is_empty(void) {
    pthread_mutex_lock(&lock);
    if (printed < noted) SAY("  %d entries nobody waited for:", noted - printed);
    for (; printed < noted; printed++) SAY("  ? %s", entries[printed]);
    pthread_mutex_unlock(&lock);
}

/* --- callbacks --------------------------------------------------------------------------------- */

static void note_event(const char *who, int type, int state, const char *path, void *context) {
    note("%s(%s): %s, %s, \"%s\"", who, context ? (const char *)context : "no context",
         event_name(type), state_name(state), path ? path : "NULL");
}

void watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh;
    note_event("watcher", type, state, path, context);
}

void second_watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh;
    note_event("second watcher", type, state, path, context);
}

void quiet(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)type, (void)state, (void)path, (void)context;
}

void on_void(int rc, const void *data) {
    note("%s: %s", (const char *)data, code_name(rc));
}

void on_stat(int rc, const struct Stat *stat, const void *data) {
    char text[256];
    stat_text(text, sizeof text, stat);
    note("%s: %s, %s", (const char *)data, code_name(rc), text);
}

void on_data(int rc, const char *value, int len, const struct Stat *stat, const void *data) {
    char text[256];
    stat_text(text, sizeof text, stat);
    if (len < 0 || !value) note("%s: %s, no data (%d), %s", (const char *)data, code_name(rc), len, text);
    else note("%s: %s, %d bytes \"%.*s\", %s", (const char *)data, code_name(rc), len, len, value, text);
}

static int strings_text(char *into, size_t len, const struct String_vector *strings) {
    if (!strings) return snprintf(into, len, "no strings");
    qsort(strings->data, (size_t)strings->count, sizeof *strings->data, by_text);
    int at = snprintf(into, len, "%d:", strings->count);
    for (int i = 0; i < strings->count; i++)
        at += snprintf(into + at, len - (size_t)at, " %s", strings->data[i]);
    return at;
}

void on_strings(int rc, const struct String_vector *strings, const void *data) {
    char text[256];
    strings_text(text, sizeof text, strings);
    note("%s: %s, %s", (const char *)data, code_name(rc), text);
}

void on_strings_stat(int rc, const struct String_vector *strings, const struct Stat *stat,
                     const void *data) {
    char text[256], about[256];
    strings_text(text, sizeof text, strings);
    stat_text(about, sizeof about, stat);
    note("%s: %s, %s, %s", (const char *)data, code_name(rc), text, about);
}

void on_string(int rc, const char *value, const void *data) {
    note("%s: %s, %s", (const char *)data, code_name(rc), value ? value : "NULL");
}

void on_string_stat(int rc, const char *value, const struct Stat *stat, const void *data) {
    char text[256];
    stat_text(text, sizeof text, stat);
    note("%s: %s, %s, %s", (const char *)data, code_name(rc), value ? value : "NULL", text);
}

void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data) {
    char text[256];
    stat_text(text, sizeof text, stat);
    if (!acl || acl->count == 0) note("%s: %s, no acl, %s", (const char *)data, code_name(rc), text);
    else
        note("%s: %s, %d of %s:%s, %d entries, %s", (const char *)data, code_name(rc),
             acl->data[0].perms, acl->data[0].id.scheme, acl->data[0].id.id, acl->count, text);
}

/* --- handles and ports -------------------------------------------------------------------------- */

int state_comes(zhandle_t *zh, int state) {
    struct timespec pause = {0, 2 * 1000 * 1000};
    for (int i = 0; i < WAIT_SECONDS_MAX * 500 && zoo_state(zh) != state; i++)
        nanosleep(&pause, NULL);
    return zoo_state(zh) == state;
}

zhandle_t *open_connected(const char *hosts, const clientid_t *id) {
    zhandle_t *zh = zookeeper_init(hosts, quiet, SESSION_TIMEOUT_MS, id, NULL, 0);
    if (!zh || !state_comes(zh, ZOO_CONNECTED_STATE)) {
        SAY("no session with the server");
        exit(1);
    }
    return zh;
}

int create(zhandle_t *zh, const char *path, const char *data) {
    return zoo_create(zh, path, data, data ? (int)strlen(data) : -1, &ZOO_OPEN_ACL_UNSAFE,
                      ZOO_PERSISTENT, NULL, 0);
}

static int bound(char *hosts, size_t len) {
    struct sockaddr_in address;
    socklen_t address_len = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &address_len) != 0) {
        SAY("no port");
        exit(1);
    }
    snprintf(hosts, len, "127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

int silent_listener(char *hosts, size_t len) {
    int fd = bound(hosts, len);
    if (listen(fd, 16) != 0) exit(1);
    return fd;
}

/* Bound and not listening: it stays refused for as long as the program runs. */
void nobody(char *hosts, size_t len) {
    (void)bound(hosts, len);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: transcript HOST:PORT\n");
        return 2;
    }
    const char *hosts = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    zoo_set_debug_level(0);
    clientid_t orphan = orphaned_session(hosts);
    constants_and_records();
    zhandle_t *zh = open_connected(hosts, NULL);
    creating(zh);
    reading_and_writing(zh);
    listing(zh);
    permissions(zh, hosts);
    transactions(zh);
    configuration(zh);
    paths(zh);
    chroots(zh, hosts);
    watching(zh, hosts);
    removing_watches(zh);
    losses(zh, hosts);
    bad_arguments(zh, hosts);
    RC(zookeeper_close(zh));
    handles(hosts);
    sessions(hosts, &orphan);
    callbacks(hosts);
    closing(hosts);
    dead_handles(hosts);
    unreachable();
    logging(hosts);
    SAY("the end");
    return 0;
}
