/* Numbers, texts, records and logging: what needs no server, or only a handle. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transcript.h"
#include <zookeeper.h>
#include <zookeeper_log.h>

static void numbers(void) {
    SAY("--- numbers");
    SAY("permissions %d %d %d %d %d %d", ZOO_PERM_READ, ZOO_PERM_WRITE, ZOO_PERM_CREATE,
        ZOO_PERM_DELETE, ZOO_PERM_ADMIN, ZOO_PERM_ALL);
    SAY("modes %d %d %d %d %d %d %d, %d", ZOO_PERSISTENT, ZOO_EPHEMERAL, ZOO_PERSISTENT_SEQUENTIAL,
        ZOO_EPHEMERAL_SEQUENTIAL, ZOO_CONTAINER, ZOO_PERSISTENT_WITH_TTL,
        ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, ZOO_SEQUENCE);
    SAY("states %d %d %d %d %d %d %d", ZOO_EXPIRED_SESSION_STATE, ZOO_AUTH_FAILED_STATE,
        ZOO_CONNECTING_STATE, ZOO_ASSOCIATING_STATE, ZOO_CONNECTED_STATE, ZOO_READONLY_STATE,
        ZOO_NOTCONNECTED_STATE);
    SAY("events %d %d %d %d %d %d", ZOO_CREATED_EVENT, ZOO_DELETED_EVENT, ZOO_CHANGED_EVENT,
        ZOO_CHILD_EVENT, ZOO_SESSION_EVENT, ZOO_NOTWATCHING_EVENT);
    SAY("interest %d %d, flags %d %d, %s", ZOOKEEPER_READ, ZOOKEEPER_WRITE, ZOO_READONLY,
        ZOO_NO_LOG_CLIENTENV, ZOO_CONFIG_NODE);
    SAY("identities %s:%s %s:%s", ZOO_ANYONE_ID_UNSAFE.scheme, ZOO_ANYONE_ID_UNSAFE.id,
        ZOO_AUTH_IDS.scheme, ZOO_AUTH_IDS.id);
    print_acl(&ZOO_OPEN_ACL_UNSAFE);
    print_acl(&ZOO_READ_ACL_UNSAFE);
    print_acl(&ZOO_CREATOR_ALL_ACL);
    for (int code = 3; code > -140; code--) SAY("%d: %s", code, zerror(code));
    SAY("%llx", (unsigned long long)zoo_htonll(0x0102030405060708));
}

static char *copy(const char *text) {
    return strcpy(malloc(strlen(text) + 1), text);
}

static void records(void) {
    struct String_vector strings;
    struct ACL_vector acl;
    struct Id_vector ids;
    struct buffer bytes = {3, copy("abc")};
    char *text = copy("text");
    SAY("--- records");
    RC(allocate_String_vector(&strings, 0));
    SAY("  %d, %s", strings.count, strings.data ? "data" : "no data");
    RC(deallocate_String_vector(&strings));
    RC(allocate_String_vector(&strings, 2));
    SAY("  %d, %s", strings.count, strings.data[0] || strings.data[1] ? "dirty" : "zeroed");
    strings.data[1] = copy("b");
    RC(deallocate_String_vector(&strings));
    SAY("  %d, %s", strings.count, strings.data ? "data" : "no data");
    RC(allocate_ACL_vector(&acl, 2));
    acl.data[0].id.scheme = copy("digest"), acl.data[0].id.id = copy("a:b");
    RC(deallocate_ACL_vector(&acl));
    RC(allocate_Id_vector(&ids, 1));
    RC(deallocate_Id_vector(&ids));
    deallocate_String(&text);
    deallocate_Buffer(&bytes);
    SAY("  %s, %s", text ? "text" : "no text", bytes.buff ? "bytes" : "no bytes");
    struct CreateTTLRequest request;
    memset(&request, 0, sizeof request);
    request.path = copy("/a"), request.data.buff = copy("x"), request.data.len = 1;
    allocate_ACL_vector(&request.acl, 1);
    request.acl.data[0].id.id = copy("y");
    deallocate_CreateTTLRequest(&request);
    SAY("  %s, %s, %s", request.path ? "path" : "no path", request.data.buff ? "data" : "no data",
        request.acl.data ? "acl" : "no acl");
}

static void inits(void) {
    zoo_op_t op;
    char room[8];
    struct Stat stat;
    SAY("--- operations of a transaction");
    memset(&op, 0x55, sizeof op);
    zoo_create_op_init(&op, "/p", "data", 4, &ZOO_OPEN_ACL_UNSAFE, 3, room, 8);
    SAY("%d %s %s %d %s %d %s %d", op.type, op.create_op.path, op.create_op.data, op.create_op.datalen,
        op.create_op.buf == room ? "room" : "?", op.create_op.buflen,
        op.create_op.acl == &ZOO_OPEN_ACL_UNSAFE ? "open" : "?", op.create_op.flags);
    zoo_create_op_init(&op, "/p", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, NULL, 0);
    SAY("%d %d %d", op.type, op.create_op.datalen, op.create_op.flags);
    zoo_delete_op_init(&op, "/p", 7);
    SAY("%d %s %d", op.type, op.delete_op.path, op.delete_op.version);
    zoo_set_op_init(&op, "/p", "data", 4, 8, &stat);
    SAY("%d %s %s %d %d %s", op.type, op.set_op.path, op.set_op.data, op.set_op.datalen,
        op.set_op.version, op.set_op.stat == &stat ? "stat" : "?");
    zoo_check_op_init(&op, "/p", 9);
    SAY("%d %s %d", op.type, op.check_op.path, op.check_op.version);
}

void constants_and_records(void) {
    numbers();
    records();
    inits();
}

/* --- logging ------------------------------------------------------------------------------------ */

static void print_line(const char *line) {
    const char *rest = strchr(line, ')');
    long pid = 0;
    unsigned long thread = 0;
    int shape = 0;
    if (rest) shape = sscanf(line, "%*4d-%*2d-%*2d %*2d:%*2d:%*2d,%*3d:%ld(0x%lx)", &pid, &thread);
    int own = shape == 2 && pid == (long)getpid() && thread == (unsigned long)pthread_self();
    SAY("  %s%s", own ? "time:pid(thread)" : "?", rest ? rest + 1 : line);
}

static void on_line(const char *line) {
    print_line(line);
}

static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static int lines_seen;

static void count_line(const char *line) {
    (void)line;
    pthread_mutex_lock(&lines_lock);
    lines_seen++;
    pthread_mutex_unlock(&lines_lock);
}

static int lines(void) {
    pthread_mutex_lock(&lines_lock);
    int seen = lines_seen;
    lines_seen = 0;
    pthread_mutex_unlock(&lines_lock);
    return seen;
}

static void levels(void) {
    const int chosen[] = {0, 1, 2, 3, 4, 5, -1, 3};
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        zoo_set_debug_level((ZooLogLevel)chosen[i]);
        SAY("level %d is %d", chosen[i], (int)logLevel);
        LOG_ERROR(on_line, "error %s %d %.1f", "text", 42, 1.5);
        LOG_WARN(on_line, "warning");
        LOG_INFO(on_line, "information %ld", 1L << 40);
        LOG_DEBUG(on_line, "detail");
    }
}

void logging(const char *hosts) {
    char line[1024], *long_text = malloc(8001);
    SAY("--- logging");
    levels();
    memset(long_text, 'x', 8000), long_text[8000] = 0;
    size_t before = strlen("2000-01-01 00:00:00,000:");
    log_message(count_line, ZOO_LOG_LEVEL_WARN, 1, "f", "%s", long_text);
    SAY("%d line of a long text, after %zu", lines(), before);
    free(long_text);
    FILE *stream = tmpfile();
    zoo_set_log_stream(stream);
    SAY("the stream is %s", zoo_get_log_stream() == stream ? "ours" : "another");
    log_message(NULL, ZOO_LOG_LEVEL_WARN, 77, "function", "to the stream, %c", 'x');
    rewind(stream);
    if (fgets(line, sizeof line, stream)) line[strcspn(line, "\n")] = 0, print_line(line);
    zoo_set_log_stream(NULL);
    SAY("the stream is %s", zoo_get_log_stream() == stderr ? "stderr" : "another");
    fclose(stream);
    SAY("no handle: %s", zoo_get_log_callback(NULL) ? "a callback" : "no callback");
    zhandle_t *zh = zookeeper_init2(hosts, quiet, SESSION_TIMEOUT_MS, NULL, NULL, 0, count_line);
    SAY("opening a handle says %s", lines() > 0 ? "something" : "nothing");
    SAY("callback: %s", LOGCALLBACK(zh) == count_line ? "the one" : "another");
    state_comes(zh, ZOO_CONNECTED_STATE);
    zoo_set_debug_level(0);
    zoo_set_log_callback(zh, on_line);
    SAY("callback: %s", zoo_get_log_callback(zh) == on_line ? "the new one" : "another");
    RC(zookeeper_close(zh));
}
