/* Every operation, in both forms, does what ZooKeeper's does. */
#include "check.h"

static zoowarden_client client;

/* What a completion was given, copied. */
typedef struct result {
    counter done;
    zoowarden_code code;
    char path[64];
    char data[64];
    size_t data_length;
    int data_is_null;
    size_t names_count;
    size_t acl_count;
    size_t outcomes_count;
    int32_t count;
    zoowarden_stat stat;
    zoowarden_watch watch;
} result;

static void keep(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    result *r = user;
    CHECK(answer != NULL);
    r->code = code;
    if (answer->path != NULL)
        snprintf(r->path, sizeof r->path, "%s", answer->path);
    if (answer->data != NULL && answer->data_length < sizeof r->data)
        memcpy(r->data, answer->data, answer->data_length);
    r->data_length = answer->data_length;
    r->data_is_null = answer->data == NULL;
    r->names_count = answer->names_count;
    r->acl_count = answer->acl_count;
    r->outcomes_count = answer->outcomes_count;
    r->count = answer->count;
    r->stat = answer->stat;
    r->watch = answer->watch;
    counter_raise(&r->done);
}

#define ASYNC(r, expected, call)                                                                   \
    result r = {.done = COUNTER};                                                                  \
    CHECK_OK(call);                                                                                \
    counter_await(&r.done, 1);                                                                     \
    CHECK_CODE(expected, r.code)

static void znodes_block(void)
{
    zoowarden_answer *answer = NULL;
    CHECK_OK(zoowarden_create(client, "/a", "one", 3, NULL, 0, &answer));
    CHECK(strcmp(answer->path, "/a") == 0);
    CHECK(answer->stat.czxid > 0 && answer->stat.data_length == 3);
    zoowarden_answer_free(&answer);
    CHECK(answer == NULL);
    CHECK_CODE(ZOOWARDEN_NODE_EXISTS, zoowarden_create(client, "/a", NULL, 0, NULL, 0, &answer));
    CHECK(answer == NULL);
    CHECK(strcmp(zoowarden_error_path(), "/a") == 0);
    CHECK(zoowarden_error_nothing_changed());

    CHECK_OK(zoowarden_get(client, "/a", NULL, 0, &answer));
    CHECK(answer->data_length == 3 && memcmp(answer->data, "one", 3) == 0);
    CHECK(answer->watch.id == 0);
    zoowarden_answer_free(&answer);

    CHECK_OK(zoowarden_set(client, "/a", "", 0, 0, 0, &answer));
    CHECK(answer->stat.version == 1);
    zoowarden_answer_free(&answer);
    CHECK_CODE(ZOOWARDEN_BAD_VERSION, zoowarden_set(client, "/a", "x", 1, 0, 0, NULL));
    CHECK_OK(zoowarden_get(client, "/a", NULL, 0, &answer));
    CHECK(answer->data != NULL && answer->data_length == 0);
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_set(client, "/a", NULL, 0, ZOOWARDEN_ANY_VERSION, 0, NULL));
    CHECK_OK(zoowarden_get(client, "/a", NULL, 0, &answer));
    CHECK(answer->data == NULL && answer->stat.version == 2);
    zoowarden_answer_free(&answer);

    CHECK_OK(zoowarden_exists(client, "/a", NULL, 0, &answer));
    CHECK(answer->stat.version == 2);
    zoowarden_answer_free(&answer);
    CHECK_CODE(ZOOWARDEN_NO_NODE, zoowarden_exists(client, "/b", NULL, 0, &answer));
    CHECK(answer == NULL);

    CHECK_OK(zoowarden_create(client, "/a/b", NULL, 0, NULL, 0, NULL));
    CHECK_OK(zoowarden_create(client, "/a/c", NULL, 0, NULL, 0, NULL));
    CHECK_OK(zoowarden_get_children(client, "/a", NULL, 0, &answer));
    CHECK(answer->names_count == 2 && answer->stat.num_children == 2);
    CHECK(strlen(answer->names[0]) == 1 && strlen(answer->names[1]) == 1);
    CHECK(answer->names[0][0] + answer->names[1][0] == 'b' + 'c');
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_get_all_children_number(client, "/a", 0, &answer));
    CHECK(answer->count == 2);
    zoowarden_answer_free(&answer);
    CHECK_CODE(ZOOWARDEN_NOT_EMPTY, zoowarden_delete(client, "/a", -1, 0, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_VERSION, zoowarden_delete(client, "/a/b", 7, 0, NULL));
    CHECK_OK(zoowarden_delete(client, "/a/b", 0, 0, NULL));
    CHECK_OK(zoowarden_delete_recursive(client, "/a", 0, NULL));
    CHECK_OK(zoowarden_ensure_path(client, "/x/y/z", 0, NULL));
    CHECK_OK(zoowarden_sync(client, "/", 0, NULL));
    CHECK_OK(zoowarden_exists(client, "/x/y/z", NULL, 0, NULL));
}

static void znodes_async(void)
{
    ASYNC(created, ZOOWARDEN_OK, zoowarden_create_async(client, "/q", "one", 3, NULL, keep, &created));
    CHECK(strcmp(created.path, "/q") == 0 && created.stat.data_length == 3);
    ASYNC(again, ZOOWARDEN_NODE_EXISTS,
          zoowarden_create_async(client, "/q", NULL, 0, NULL, keep, &again));
    CHECK(again.stat.czxid == 0);
    ASYNC(got, ZOOWARDEN_OK, zoowarden_get_async(client, "/q", NULL, keep, &got));
    CHECK(got.data_length == 3 && strcmp(got.data, "one") == 0);
    ASYNC(set, ZOOWARDEN_OK, zoowarden_set_async(client, "/q", NULL, 0, 0, keep, &set));
    CHECK(set.stat.version == 1);
    ASYNC(null, ZOOWARDEN_OK, zoowarden_get_async(client, "/q", NULL, keep, &null));
    CHECK(null.data_is_null);
    ASYNC(exists, ZOOWARDEN_OK, zoowarden_exists_async(client, "/q", NULL, keep, &exists));
    CHECK(exists.stat.version == 1);
    ASYNC(absent, ZOOWARDEN_NO_NODE, zoowarden_exists_async(client, "/none", NULL, keep, &absent));
    ASYNC(ensured, ZOOWARDEN_OK, zoowarden_ensure_path_async(client, "/q/r/s", keep, &ensured));
    ASYNC(names, ZOOWARDEN_OK, zoowarden_get_children_async(client, "/q", NULL, keep, &names));
    CHECK(names.names_count == 1 && names.stat.num_children == 1);
    ASYNC(number, ZOOWARDEN_OK,
          zoowarden_get_all_children_number_async(client, "/q", keep, &number));
    CHECK(number.count == 2);
    ASYNC(full, ZOOWARDEN_NOT_EMPTY, zoowarden_delete_async(client, "/q", -1, keep, &full));
    ASYNC(gone, ZOOWARDEN_OK, zoowarden_delete_recursive_async(client, "/q", keep, &gone));
    ASYNC(synced, ZOOWARDEN_OK, zoowarden_sync_async(client, "/", keep, &synced));
    /* Without a completion nobody is told, and it is done all the same, in order. */
    CHECK_OK(zoowarden_create_async(client, "/silent", NULL, 0, NULL, NULL, NULL));
    CHECK_OK(zoowarden_delete(client, "/silent", 0, 0, NULL));
}

static void modes(void)
{
    zoowarden_answer *answer = NULL;
    zoowarden_create_options options = {0};
    options.mode = ZOOWARDEN_EPHEMERAL;
    CHECK_OK(zoowarden_create(client, "/eph", NULL, 0, &options, 0, &answer));
    CHECK(answer->stat.ephemeral_owner != 0);
    zoowarden_answer_free(&answer);
    CHECK_CODE(ZOOWARDEN_NO_CHILDREN_FOR_EPHEMERALS,
               zoowarden_create(client, "/eph/x", NULL, 0, NULL, 0, NULL));
    CHECK_OK(zoowarden_get_ephemerals(client, NULL, 0, &answer));
    CHECK(answer->names_count == 1 && strcmp(answer->names[0], "/eph") == 0);
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_get_ephemerals(client, "/other", 0, &answer));
    CHECK(answer->names_count == 0 && answer->names == NULL);
    zoowarden_answer_free(&answer);
    ASYNC(listed, ZOOWARDEN_OK, zoowarden_get_ephemerals_async(client, "/eph", keep, &listed));
    CHECK(listed.names_count == 1);

    options.mode = ZOOWARDEN_PERSISTENT_SEQUENTIAL;
    CHECK_OK(zoowarden_create(client, "/seq-", NULL, 0, &options, 0, &answer));
    CHECK(strlen(answer->path) == strlen("/seq-") + 10);
    zoowarden_answer_free(&answer);
    options.mode = ZOOWARDEN_EPHEMERAL_SEQUENTIAL;
    CHECK_OK(zoowarden_create(client, "/eseq-", NULL, 0, &options, 0, NULL));
    options.mode = ZOOWARDEN_CONTAINER;
    CHECK_OK(zoowarden_create(client, "/container", NULL, 0, &options, 0, &answer));
    CHECK(strcmp(answer->path, "/container") == 0);
    zoowarden_answer_free(&answer);
    options.ttl_ms = 1000;
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_create(client, "/t", NULL, 0, &options, 0, NULL));
    options.mode = 7;
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_create(client, "/t", NULL, 0, &options, 0, NULL));
    options.mode = ZOOWARDEN_PERSISTENT_WITH_TTL;
    /* Servers have it switched off, unless configured otherwise; see nodes.c. */
    CHECK_CODE(ZOOWARDEN_UNIMPLEMENTED, zoowarden_create(client, "/t", NULL, 0, &options, 0, NULL));
}

static void acls(void)
{
    zoowarden_answer *answer = NULL;
    CHECK_OK(zoowarden_add_auth(client, "digest", "ann:secret", 10, 0, NULL));
    ASYNC(added, ZOOWARDEN_OK,
          zoowarden_add_auth_async(client, "digest", "bob:secret", 10, keep, &added));
    CHECK_OK(zoowarden_who_am_i(client, 0, &answer));
    CHECK(answer->acl_count == 3);
    int found = 0;
    for (size_t i = 0; i < answer->acl_count; i++)
        found += strcmp(answer->acl[i].scheme, "digest") == 0 && answer->acl[i].perms == 0;
    CHECK(found == 2);
    zoowarden_answer_free(&answer);
    ASYNC(me, ZOOWARDEN_OK, zoowarden_who_am_i_async(client, keep, &me));
    CHECK(me.acl_count == 3);

    zoowarden_acl acl[2] = {
        {ZOOWARDEN_PERM_ALL, "auth", ""},
        {ZOOWARDEN_PERM_READ, "world", "anyone"},
    };
    zoowarden_create_options options = {0};
    options.acl = acl;
    options.acl_count = 2;
    CHECK_OK(zoowarden_create(client, "/acl", NULL, 0, &options, 0, NULL));
    CHECK_OK(zoowarden_get_acl(client, "/acl", 0, &answer));
    CHECK(answer->acl_count == 3 && answer->stat.aversion == 0);
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_set_acl(client, "/acl", acl + 1, 1, 0, 0, &answer));
    CHECK(answer->stat.aversion == 1);
    zoowarden_answer_free(&answer);
    ASYNC(told, ZOOWARDEN_OK, zoowarden_get_acl_async(client, "/acl", keep, &told));
    CHECK(told.acl_count == 1 && told.stat.aversion == 1);
    CHECK_CODE(ZOOWARDEN_NO_AUTH, zoowarden_set(client, "/acl", "x", 1, -1, 0, NULL));
    ASYNC(denied, ZOOWARDEN_NO_AUTH,
          zoowarden_set_acl_async(client, "/acl", NULL, 0, -1, keep, &denied));
    acl[0].scheme = "nonsense";
    CHECK_CODE(ZOOWARDEN_INVALID_ACL, zoowarden_create(client, "/acl2", NULL, 0, &options, 0, NULL));
}

static zoowarden_transaction two_changes(int32_t version)
{
    zoowarden_transaction transaction = {0};
    CHECK_OK(zoowarden_transaction_new(&transaction));
    CHECK_OK(zoowarden_transaction_create(transaction, "/tx", "1", 1, NULL));
    CHECK_OK(zoowarden_transaction_set(transaction, "/tx", "22", 2, version));
    CHECK_OK(zoowarden_transaction_check(transaction, "/tx", 1));
    CHECK_OK(zoowarden_transaction_delete(transaction, "/tx", 1));
    return transaction;
}

static void transactions(void)
{
    zoowarden_answer *answer = NULL;
    zoowarden_transaction transaction = two_changes(0);
    CHECK_OK(zoowarden_transaction_commit(transaction, client, 0, &answer));
    CHECK(answer->outcomes_count == 4);
    CHECK(strcmp(answer->outcomes[0].path, "/tx") == 0 && answer->outcomes[0].stat.czxid > 0);
    CHECK(answer->outcomes[1].stat.version == 1 && answer->outcomes[1].path == NULL);
    zoowarden_answer_free(&answer);
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_transaction_commit(transaction, client, 0, &answer));
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_transaction_free(transaction));

    transaction = two_changes(5);
    CHECK_CODE(ZOOWARDEN_BAD_VERSION, zoowarden_transaction_commit(transaction, client, 0, &answer));
    CHECK(zoowarden_error_nothing_changed());
    CHECK(answer->outcomes_count == 4);
    CHECK(answer->outcomes[0].code == ZOOWARDEN_OK);
    CHECK(answer->outcomes[1].code == ZOOWARDEN_BAD_VERSION);
    CHECK(answer->outcomes[3].code == ZOOWARDEN_RUNTIME_INCONSISTENCY);
    zoowarden_answer_free(&answer);
    CHECK_CODE(ZOOWARDEN_NO_NODE, zoowarden_exists(client, "/tx", NULL, 0, NULL));

    transaction = two_changes(0);
    ASYNC(done, ZOOWARDEN_OK,
          zoowarden_transaction_commit_async(transaction, client, keep, &done));
    CHECK(done.outcomes_count == 4);
    CHECK_OK(zoowarden_transaction_new(&transaction));
    CHECK_OK(zoowarden_transaction_free(transaction));
}

static void several_reads(void)
{
    zoowarden_answer *answer = NULL;
    CHECK_OK(zoowarden_create(client, "/m", "data", 4, NULL, 0, NULL));
    CHECK_OK(zoowarden_create(client, "/m/child", NULL, 0, NULL, 0, NULL));
    zoowarden_read reads[3] = {{"/m", false}, {"/m", true}, {"/none", false}};
    CHECK_OK(zoowarden_multi_read(client, reads, 3, 0, &answer));
    CHECK(answer->outcomes_count == 3);
    CHECK(answer->outcomes[0].data_length == 4);
    CHECK(memcmp(answer->outcomes[0].data, "data", 4) == 0);
    CHECK(answer->outcomes[1].names_count == 1);
    CHECK(strcmp(answer->outcomes[1].names[0], "child") == 0);
    CHECK(answer->outcomes[2].code == ZOOWARDEN_NO_NODE);
    zoowarden_answer_free(&answer);
    ASYNC(read, ZOOWARDEN_OK, zoowarden_multi_read_async(client, reads, 3, keep, &read));
    CHECK(read.outcomes_count == 3);
}

static void ensemble(void)
{
    zoowarden_answer *answer = NULL;
    CHECK_OK(zoowarden_get_config(client, NULL, 0, &answer));
    zoowarden_answer_free(&answer);
    ASYNC(config, ZOOWARDEN_OK, zoowarden_get_config_async(client, NULL, keep, &config));
    CHECK_CODE(ZOOWARDEN_RECONFIG_DISABLED,
               zoowarden_reconfig(client, NULL, "3", NULL, -1, 0, &answer));
    CHECK(answer == NULL);
    ASYNC(refused, ZOOWARDEN_RECONFIG_DISABLED,
          zoowarden_reconfig_async(client, NULL, "3", NULL, -1, keep, &refused));
}

int main(void)
{
    zoowarden_node node = node_start();
    client = connect_to(node);
    znodes_block();
    znodes_async();
    modes();
    acls();
    transactions();
    several_reads();
    ensemble();
    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_node_stop(node));
    return 0;
}
