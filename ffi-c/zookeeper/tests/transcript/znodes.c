/* Requests about znodes: each family, waiting and with a completion. */
#include <stdio.h>
#include <string.h>

#include "transcript.h"

static struct ACL_vector *open_acl = &ZOO_OPEN_ACL_UNSAFE;

static void creating_and_waiting(zhandle_t *zh) {
    char made[64], small[6];
    struct Stat stat;
    memset(made, 0, sizeof made);
    RC(zoo_create(zh, "/c", "root", 4, open_acl, ZOO_PERSISTENT, made, sizeof made));
    SAY("  %s", made);
    RC(zoo_create(zh, "/c", "again", 5, open_acl, ZOO_PERSISTENT, made, sizeof made));
    RC(zoo_create(zh, "/nowhere/child", "", 0, open_acl, ZOO_PERSISTENT, NULL, 0));
    RC(zoo_create(zh, "/c/null", NULL, -1, open_acl, ZOO_PERSISTENT, NULL, 0));
    RC(zoo_create(zh, "/c/empty", "", 0, open_acl, ZOO_PERSISTENT, NULL, 0));
    RC(zoo_create(zh, "/c/nothing", NULL, 0, open_acl, ZOO_PERSISTENT, NULL, 0));
    memset(small, '#', sizeof small);
    RC(zoo_create(zh, "/c/s-", "1", 1, open_acl, ZOO_PERSISTENT_SEQUENTIAL, small, sizeof small));
    SAY("  cut to \"%s\"", small);
    RC(zoo_create(zh, "/c/", "1", 1, open_acl, ZOO_PERSISTENT_SEQUENTIAL, made, sizeof made));
    SAY("  %s", made);
    RC(zoo_create(zh, "/c/e-", "2", 1, open_acl, ZOO_EPHEMERAL_SEQUENTIAL, made, 0));
    RC(zoo_create(zh, "/c/e", "3", 1, open_acl, ZOO_EPHEMERAL, made, sizeof made));
    RC(zoo_create(zh, "/c/e/child", "", 0, open_acl, ZOO_PERSISTENT, NULL, 0));
    RC(zoo_create(zh, "/c/box", "4", 1, open_acl, ZOO_CONTAINER, made, sizeof made));
    SAY("  %s", made);
    RC(zoo_create(zh, "/c/t", "", 0, open_acl, ZOO_PERSISTENT_WITH_TTL, made, sizeof made));
    RC(zoo_create_ttl(zh, "/c/t1", "5", 1, open_acl, ZOO_PERSISTENT_WITH_TTL, 3600000, made, 64));
    SAY("  %s", made);
    RC(zoo_create_ttl(zh, "/c/t2", "", 0, open_acl, ZOO_PERSISTENT_WITH_TTL, 0, NULL, 0));
    RC(zoo_create_ttl(zh, "/c/t2", "", 0, open_acl, ZOO_PERSISTENT_WITH_TTL, -5, NULL, 0));
    RC(zoo_create_ttl(zh, "/c/t3", "", 0, open_acl, ZOO_PERSISTENT, 10, NULL, 0));
    RC(zoo_create_ttl(zh, "/c/t4", "", 0, open_acl, ZOO_EPHEMERAL, -1, NULL, 0));
    RC(zoo_create(zh, "/c/m", "", 0, open_acl, 77, NULL, 0));
    RC(zoo_create(zh, "/c/m", "", 0, open_acl, -1, NULL, 0));
    RC(zoo_create2(zh, "/c/2", "12", 2, open_acl, ZOO_PERSISTENT, made, sizeof made, &stat));
    SAY("  %s", made), print_stat(zh, &stat);
    RC(zoo_create2(zh, "/c/2", "12", 2, open_acl, ZOO_PERSISTENT, made, sizeof made, &stat));
    RC(zoo_create2(zh, "/c/2e", "", 0, open_acl, ZOO_EPHEMERAL, NULL, 0, NULL));
    RC(zoo_create2(zh, "/c/2b", "", 0, open_acl, ZOO_CONTAINER, made, sizeof made, &stat));
    print_stat(NULL, &stat);
    RC(zoo_create2_ttl(zh, "/c/2t-", "6", 1, open_acl, ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 3600000,
                       made, sizeof made, &stat));
    SAY("  %s", made);
    RC(zoo_exists(zh, "/c", 0, &stat));
    print_stat(zh, &stat);
    RC(zoo_exists(zh, "/c/e", 0, &stat));
    print_stat(zh, &stat);
}

static void creating_with_completions(zhandle_t *zh) {
    RC(zoo_acreate(zh, "/a", "x", 1, open_acl, 0, on_string, "create"));
    RC(zoo_acreate(zh, "/a", "x", 1, open_acl, 0, on_string, "create again"));
    RC(zoo_acreate(zh, "/a/box", "x", 1, open_acl, ZOO_CONTAINER, on_string, "container"));
    RC(zoo_acreate_ttl(zh, "/a/ttl", "x", 1, open_acl, 5, 3600000, on_string, "ttl"));
    RC(zoo_acreate2(zh, "/a/two", "x", 1, open_acl, 0, on_string_stat, "two"));
    RC(zoo_acreate2(zh, "/a/two", "x", 1, open_acl, 0, on_string_stat, "two again"));
    RC(zoo_acreate2_ttl(zh, "/a/2t", NULL, -1, open_acl, 5, 9000, on_string_stat, "two ttl"));
    RC(zoo_acreate(zh, "/a/s-", "x", 1, open_acl, 2, on_string, "sequential"));
    RC(zoo_acreate(zh, "no-slash", "x", 1, open_acl, 0, on_string, "never"));
    RC(zoo_adelete(zh, "/a/two", 3, on_void, "delete of a wrong version"));
    RC(zoo_adelete(zh, "/a/two", 0, on_void, "delete"));
    RC(zoo_adelete(zh, "/a", -1, on_void, "delete with children"));
    journal(11);
}

void creating(zhandle_t *zh) {
    SAY("--- creating");
    creating_and_waiting(zh);
    SAY("--- creating with completions");
    creating_with_completions(zh);
}

static void get(zhandle_t *zh, const char *path, int room) {
    char buffer[64];
    struct Stat stat;
    int len = room;
    memset(buffer, '#', sizeof buffer);
    int code = zoo_get(zh, path, 0, buffer, &len, &stat);
    SAY("get %s into %d bytes: %s", path, room, code_name(code));
    if (code != ZOK) return;
    print_bytes(buffer, len);
    SAY("  then %s", len < 0 || buffer[len] == '#' ? "untouched" : "overwritten");
    print_stat(zh, &stat);
}

void reading_and_writing(zhandle_t *zh) {
    struct Stat stat;
    int len = 64;
    char buffer[64];
    SAY("--- reading and writing");
    RC(create(zh, "/d", "one two three"));
    get(zh, "/d", 64);
    get(zh, "/d", 13);
    get(zh, "/d", 5);
    get(zh, "/d", 0);
    get(zh, "/c/null", 64);
    get(zh, "/c/empty", 64);
    get(zh, "/c/nothing", 64);
    get(zh, "/nowhere", 64);
    RC(zoo_get(zh, "/d", 0, buffer, &len, NULL));
    RC(zoo_set(zh, "/d", "x", 1, 0));
    RC(zoo_set(zh, "/d", "x", 1, 0));
    RC(zoo_set2(zh, "/d", "yy", 2, -1, &stat));
    print_stat(zh, &stat);
    RC(zoo_set2(zh, "/d", "yy", 2, -1, NULL));
    RC(zoo_set(zh, "/d", NULL, -1, -1));
    get(zh, "/d", 64);
    RC(zoo_set(zh, "/d", "", 0, -1));
    get(zh, "/d", 64);
    RC(zoo_set(zh, "/nowhere", "", 0, -1));
    RC(zoo_exists(zh, "/d", 0, &stat));
    RC(zoo_exists(zh, "/d", 0, NULL));
    RC(zoo_exists(zh, "/nowhere", 0, &stat));
    RC(zoo_delete(zh, "/d", 100));
    RC(zoo_delete(zh, "/c", -1));
    RC(zoo_delete(zh, "/nowhere", -1));
    RC(zoo_aset(zh, "/d", "12345", 5, -1, on_stat, "set"));
    RC(zoo_aset(zh, "/d", "12345", 5, 0, on_stat, "set of an old version"));
    RC(zoo_aget(zh, "/d", 0, on_data, "get"));
    RC(zoo_aget(zh, "/c/null", 0, on_data, "get null"));
    RC(zoo_aget(zh, "/c/empty", 0, on_data, "get empty"));
    RC(zoo_aget(zh, "/nowhere", 0, on_data, "get nothing"));
    RC(zoo_aexists(zh, "/d", 0, on_stat, "exists"));
    RC(zoo_aexists(zh, "/nowhere", 0, on_stat, "exists not"));
    RC(zoo_async(zh, "/d", on_string, "sync"));
    RC(zoo_async(zh, "/nowhere", on_string, "sync of nothing"));
    journal(10);
}

void listing(zhandle_t *zh) {
    struct String_vector names;
    struct Stat stat;
    SAY("--- listing");
    RC(zoo_get_children(zh, "/a", 0, &names));
    print_strings(&names), deallocate_String_vector(&names);
    RC(zoo_get_children(zh, "/d", 0, &names));
    print_strings(&names), deallocate_String_vector(&names);
    RC(zoo_get_children2(zh, "/a", 0, &names, &stat));
    print_strings(&names), deallocate_String_vector(&names), print_stat(zh, &stat);
    RC(zoo_get_children(zh, "/zookeeper", 0, &names));
    print_strings(&names), deallocate_String_vector(&names);
    names.count = 77;
    RC(zoo_get_children(zh, "/nowhere", 0, &names));
    RC(zoo_get_children2(zh, "/nowhere", 0, &names, &stat));
    RC(zoo_aget_children(zh, "/a", 0, on_strings, "children"));
    RC(zoo_aget_children(zh, "/d", 0, on_strings, "no children"));
    RC(zoo_aget_children(zh, "/nowhere", 0, on_strings, "children of nothing"));
    RC(zoo_aget_children2(zh, "/a", 0, on_strings_stat, "children and stat"));
    RC(zoo_aget_children2(zh, "/nowhere", 0, on_strings_stat, "children and stat of nothing"));
    journal(5);
}

static void authenticating(zhandle_t *zh) {
    RC(zoo_add_auth(zh, "digest", "alice:secret", 12, on_void, "digest"));
    journal(1);
    RC(zoo_add_auth(zh, "digest", "bob:secret", 10, NULL, NULL));
    RC(zoo_add_auth(zh, NULL, "bob:secret", 10, on_void, "never"));
    RC(zoo_add_auth(zh, "ip", NULL, -1, on_void, "ip"));
    journal(1);
}

void permissions(zhandle_t *zh, const char *hosts) {
    struct ACL_vector acl, none = {0, NULL};
    struct Stat stat;
    SAY("--- permissions");
    authenticating(zh);
    RC(zoo_create(zh, "/p", "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    RC(zoo_get_acl(zh, "/p", &acl, &stat));
    print_acl(&acl), deallocate_ACL_vector(&acl), print_stat(zh, &stat);
    RC(zoo_get_acl(zh, "/c", &acl, NULL));
    print_acl(&acl), deallocate_ACL_vector(&acl);
    RC(zoo_get_acl(zh, "/nowhere", &acl, &stat));
    zhandle_t *stranger = open_connected(hosts, NULL);
    RC(zoo_set(stranger, "/p", "x", 1, -1));
    RC(zoo_create(stranger, "/p/x", "x", 1, open_acl, 0, NULL, 0));
    RC(zoo_get_acl(stranger, "/p", &acl, &stat));
    RC(zoo_set_acl(stranger, "/p", -1, open_acl));
    RC(zoo_set_acl(zh, "/p", 5, open_acl));
    RC(zoo_set_acl(zh, "/p", 0, &ZOO_READ_ACL_UNSAFE));
    RC(zoo_set_acl(zh, "/p", -1, open_acl));
    RC(zoo_exists(stranger, "/p", 0, &stat));
    print_stat(zh, &stat);
    RC(zoo_create(zh, "/p2", "", 0, &none, 0, NULL, 0));
    RC(zoo_create(zh, "/p2", "", 0, NULL, 0, NULL, 0));
    RC(zoo_create(stranger, "/p2", "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    RC(zoo_aget_acl(zh, "/c", on_acl, "acl"));
    RC(zoo_aget_acl(zh, "/nowhere", on_acl, "acl of nothing"));
    RC(zoo_aset_acl(zh, "/c", -1, &ZOO_CREATOR_ALL_ACL, on_void, "set acl"));
    RC(zoo_aset_acl(zh, "/c", 99, open_acl, on_void, "set acl of an old version"));
    RC(zoo_aget_acl(zh, "/c", on_acl, "acl"));
    RC(zoo_aset_acl(zh, "/c", -1, open_acl, on_void, "set acl"));
    journal(6);
    RC(zookeeper_close(stranger));
}

static void print_results(const zoo_op_result_t *results, int count) {
    for (int i = 0; i < count; i++) SAY("  %d: %s", i, code_name(results[i].err));
}

static void failing_transactions(zhandle_t *zh) {
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    struct Stat stat;
    zoo_set_op_init(&ops[0], "/m", "4", 1, 1, &stat);
    zoo_check_op_init(&ops[1], "/m", 7);
    zoo_delete_op_init(&ops[2], "/m/e-0000000000", -1);
    RC(zoo_multi(zh, 3, ops, results));
    print_results(results, 3);
    zoo_create_op_init(&ops[0], "/m/new", "", 0, open_acl, 0, NULL, 0);
    zoo_delete_op_init(&ops[1], "/nowhere", -1);
    RC(zoo_multi(zh, 2, ops, results));
    print_results(results, 2);
    RC(zoo_exists(zh, "/m/new", 0, NULL));
    zoo_check_op_init(&ops[0], "no-slash", 0);
    RC(zoo_multi(zh, 1, ops, results));
    ops[0].type = 99;
    RC(zoo_multi(zh, 1, ops, results));
}

static void transactions_with_completions(zhandle_t *zh) {
    static zoo_op_t ops[2];
    static zoo_op_result_t results[2];
    static char made[64];
    static struct Stat stat;
    zoo_set_op_init(&ops[0], "/m", "5", 1, -1, &stat);
    zoo_create_op_init(&ops[1], "/m/s-", NULL, -1, open_acl, 2, made, sizeof made);
    RC(zoo_amulti(zh, 2, ops, results, on_void, "multi"));
    journal(1);
    print_results(results, 2);
    SAY("  %s", made), print_stat(zh, &stat);
    zoo_check_op_init(&ops[0], "/m", 1000);
    RC(zoo_amulti(zh, 2, ops, results, on_void, "multi that fails"));
    journal(1);
    print_results(results, 2);
}

void transactions(zhandle_t *zh) {
    char made[64], small[5];
    struct Stat stat;
    zoo_op_t ops[6];
    zoo_op_result_t results[6];
    SAY("--- transactions");
    memset(results, 0x55, sizeof results);
    zoo_create_op_init(&ops[0], "/m", "1", 1, open_acl, 0, small, sizeof small);
    zoo_create_op_init(&ops[1], "/m/e-", "2", 1, open_acl, ZOO_EPHEMERAL_SEQUENTIAL, made, 64);
    zoo_set_op_init(&ops[2], "/m", "3", 1, 0, &stat);
    zoo_check_op_init(&ops[3], "/m", 1);
    zoo_create_op_init(&ops[4], "/m/null", NULL, -1, open_acl, 0, NULL, 0);
    zoo_delete_op_init(&ops[5], "/m/null", 0);
    RC(zoo_multi(zh, 6, ops, results));
    print_results(results, 6);
    SAY("  %s, cut %s", made, small), print_stat(zh, &stat);
    SAY("  the result of a create is %s",
        results[1].value == made ? "the path buffer" : "something else");
    SAY("  the stat of a set is %s", results[2].stat == &stat ? "the stat" : "something else");
    RC(zoo_multi(zh, 0, ops, results));
    failing_transactions(zh);
    transactions_with_completions(zh);
}

void configuration(zhandle_t *zh) {
    char buffer[1024];
    int len = sizeof buffer;
    struct Stat stat;
    SAY("--- configuration");
    RC(zoo_getconfig(zh, 0, buffer, &len, &stat));
    SAY("  %s", len >= 0 ? "something" : "null");
    len = sizeof buffer;
    RC(zoo_wgetconfig(zh, watcher, "config", buffer, &len, &stat));
    RC(zoo_agetconfig(zh, 1, on_data, "config"));
    RC(zoo_awgetconfig(zh, watcher, "config", on_data, "config"));
    journal(2);
    len = sizeof buffer;
    RC(zoo_reconfig(zh, "server.1=localhost:1:2;3", NULL, NULL, -1, buffer, &len, &stat));
    RC(zoo_reconfig(zh, NULL, NULL, NULL, -1, buffer, &len, &stat));
    RC(zoo_areconfig(zh, NULL, "3", NULL, -1, on_data, "reconfig"));
    journal(1);
}

static void path(zhandle_t *zh, const char *path) {
    struct Stat stat;
    int exists = zoo_exists(zh, path, 0, &stat);
    int sequential = zoo_create(zh, path, "", 0, open_acl, ZOO_EPHEMERAL_SEQUENTIAL, NULL, 0);
    SAY("\"%s\": exists %s; create %s", path ? path : "NULL", code_name(exists),
        code_name(sequential));
}

void paths(zhandle_t *zh) {
    const char *const all[] = {
        "/",      "",       "a",        "//",         "/a/",        "/a//b",  "/.",
        "/..",    "/a/.",   "/a/..",    "/a/./b",     "/a/../b",    "/a/.b",  "/a/..b",
        "/a/b.",  "/a/b..", "/a/\x01",  "/a/\x1e",    "/a/ b",
        "/a/...", "/./a",   "/../a",    "/a/.\x01/b", "/a/\xc3\xa4", "/a/b/", "/zookeeper/x",
    };
    SAY("--- paths");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) path(zh, all[i]);
    path(zh, NULL);
}

void chroots(zhandle_t *zh, const char *hosts) {
    char rooted[256], made[64];
    struct Stat stat;
    struct String_vector names;
    SAY("--- chroots");
    snprintf(rooted, sizeof rooted, "%s/chroot/deep", hosts);
    zhandle_t *inside = open_connected(rooted, NULL);
    RC(create(inside, "/x", "too early"));
    RC(create(zh, "/chroot", ""));
    RC(create(zh, "/chroot/deep", "top"));
    RC(zoo_create(inside, "/x", "", 0, open_acl, 0, made, sizeof made));
    SAY("  %s", made);
    RC(zoo_create(inside, "/s-", "", 0, open_acl, 2, made, sizeof made));
    SAY("  %s", made);
    RC(zoo_exists(zh, "/chroot/deep/x", 0, &stat));
    RC(zoo_get_children(inside, "/", 0, &names));
    print_strings(&names), deallocate_String_vector(&names);
    get(inside, "/", 64);
    RC(zoo_wexists(inside, "/x", watcher, "inside", &stat));
    RC(zoo_wget_children(inside, "/", watcher, "root inside", &names));
    deallocate_String_vector(&names);
    RC(zoo_delete(zh, "/chroot/deep/x", -1));
    journal_sorted(2);
    RC(zoo_acreate(inside, "/y", "", 0, open_acl, 0, on_string, "create inside"));
    RC(zoo_acreate2(inside, "/z", "", 0, open_acl, 0, on_string_stat, "create2 inside"));
    RC(zoo_async(inside, "/y", on_string, "sync inside"));
    journal(3);
    zoo_op_t op;
    zoo_op_result_t result;
    zoo_create_op_init(&op, "/m", "", 0, open_acl, 0, made, sizeof made);
    RC(zoo_multi(inside, 1, &op, &result));
    SAY("  %s", made);
    RC(zoo_delete(inside, "/", -1));
    RC(zookeeper_close(inside));
    snprintf(rooted, sizeof rooted, "%s/", hosts);
    inside = open_connected(rooted, NULL);
    RC(zoo_exists(inside, "/chroot", 0, &stat));
    RC(zookeeper_close(inside));
}
