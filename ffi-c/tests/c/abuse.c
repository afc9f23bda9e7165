/* Whatever a program does wrong, it gets a code and goes on. */
#include "check.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static zoowarden_node node;
static const zoowarden_client NO_CLIENT = {0};

/* A call that is refused at the door leaves no answer, whatever stood in its place. */
#define CHECK_NO_ANSWER(expected, call)                                                            \
    do {                                                                                           \
        answer = (void *)1;                                                                        \
        CHECK_CODE(expected, call);                                                                \
        CHECK(answer == NULL);                                                                     \
    } while (0)

static void never(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    (void)code, (void)answer, (void)user;
    CHECK(!"called for a call that was not accepted");
}

static void never_watch(const zoowarden_event *event, void *user)
{
    (void)event, (void)user;
    CHECK(!"called for a watch that was not set");
}

static void nulls(void)
{
    zoowarden_client client = connect_to(node);
    zoowarden_client none = {1};
    zoowarden_options no_options = {0};
    zoowarden_holding holding = {1};
    zoowarden_answer *answer = NULL;
    zoowarden_watcher no_function = {NULL, NULL};
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_connect(NULL, 0, &none));
    CHECK(none.id == 0);
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_connect("localhost:1", 10, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_connect("a:b:c,,", 10, &none));
    none.id = 1;
    no_options.id = 1;
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_client_open(no_options, &none));
    CHECK(none.id == 0);
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_lock_acquire(client, NULL, NULL, 0, &holding));
    CHECK(holding.id == 0);
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_client_open((zoowarden_options){0}, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_new(NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_transaction_new(NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_node_start(NULL, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_client_state(client, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_client_session(client, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_client_server(client, NULL, 64, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_client_set_hosts(client, NULL));
    CHECK_NO_ANSWER(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_get(client, NULL, NULL, 0, &answer));
    CHECK_NO_ANSWER(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_get(client, "/", &no_function, 0, &answer));
    CHECK_NO_ANSWER(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_get(client, "relative", NULL, 0, &answer));
    CHECK_NO_ANSWER(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_get(client, "/\xff\xfe", NULL, 0, &answer));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_get_async(client, NULL, NULL, never, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_create(client, "/x", NULL, 5, NULL, 0, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_create(client, "/x", "x", SIZE_MAX, NULL, 0, NULL));
    CHECK_NO_ANSWER(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_multi_read(client, NULL, 3, 0, &answer));
    CHECK_NO_ANSWER(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_multi_read(client, NULL, SIZE_MAX, 0, &answer));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_set_acl(client, "/", NULL, 2, -1, 0, NULL));
    zoowarden_acl acl = {31, NULL, NULL};
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_set_acl(client, "/", &acl, 1, -1, 0, NULL));
    zoowarden_answer_free(NULL);
    zoowarden_answer_free(&answer);

    char tiny[3];
    size_t length = 0;
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS,
               zoowarden_node_connect_string(node, tiny, sizeof tiny, &length));
    CHECK(length > sizeof tiny);
    CHECK(strcmp(zoowarden_code_name(12345), "unknown code") == 0);
    CHECK(strcmp(zoowarden_code_name(-101), "ZOOWARDEN_NO_NODE") == 0);
    CHECK_OK(zoowarden_client_close(client));
}

/* Every function that takes a client, with a handle that is none, or was closed. */
static void every_call(zoowarden_client client, zoowarden_code expected)
{
    zoowarden_answer *answer = NULL;
    zoowarden_watcher watcher = {never_watch, NULL};
    zoowarden_session session;
    zoowarden_read read = {"/", false};
    char text[64];
    int32_t number = 0;
    zoowarden_transaction transaction = {0};
    CHECK_OK(zoowarden_transaction_new(&transaction));
    CHECK_CODE(expected, zoowarden_client_wait_connected(client, 10));
    CHECK_CODE(expected, zoowarden_client_wait_connected_async(client, never, NULL));
    CHECK_CODE(expected, zoowarden_client_state(client, &number));
    CHECK_CODE(expected, zoowarden_client_session(client, &session));
    CHECK_CODE(expected, zoowarden_client_server(client, text, sizeof text, NULL));
    CHECK_CODE(expected, zoowarden_client_chroot(client, text, sizeof text, NULL));
    CHECK_CODE(expected, zoowarden_client_set_hosts(client, "localhost"));
    CHECK_NO_ANSWER(expected, zoowarden_create(client, "/", NULL, 0, NULL, 0, &answer));
    CHECK_CODE(expected, zoowarden_create_async(client, "/", NULL, 0, NULL, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_set(client, "/", NULL, 0, -1, 0, &answer));
    CHECK_CODE(expected, zoowarden_set_async(client, "/", NULL, 0, -1, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_delete(client, "/a", -1, 0, &answer));
    CHECK_CODE(expected, zoowarden_delete_async(client, "/a", -1, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_get(client, "/", &watcher, 0, &answer));
    CHECK_CODE(expected, zoowarden_get_async(client, "/", &watcher, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_exists(client, "/", &watcher, 0, &answer));
    CHECK_CODE(expected, zoowarden_exists_async(client, "/", &watcher, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_get_children(client, "/", &watcher, 0, &answer));
    CHECK_CODE(expected, zoowarden_get_children_async(client, "/", &watcher, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_get_acl(client, "/", 0, &answer));
    CHECK_CODE(expected, zoowarden_get_acl_async(client, "/", never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_set_acl(client, "/", NULL, 0, -1, 0, &answer));
    CHECK_CODE(expected, zoowarden_set_acl_async(client, "/", NULL, 0, -1, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_get_all_children_number(client, "/", 0, &answer));
    CHECK_CODE(expected, zoowarden_get_all_children_number_async(client, "/", never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_get_ephemerals(client, NULL, 0, &answer));
    CHECK_CODE(expected, zoowarden_get_ephemerals_async(client, NULL, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_multi_read(client, &read, 1, 0, &answer));
    CHECK_CODE(expected, zoowarden_multi_read_async(client, &read, 1, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_ensure_path(client, "/a", 0, &answer));
    CHECK_CODE(expected, zoowarden_ensure_path_async(client, "/a", never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_delete_recursive(client, "/a", 0, &answer));
    CHECK_CODE(expected, zoowarden_delete_recursive_async(client, "/a", never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_add_watch(client, "/", 0, &watcher, 0, &answer));
    CHECK_CODE(expected, zoowarden_add_watch_async(client, "/", 0, &watcher, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_sync(client, "/", 0, &answer));
    CHECK_CODE(expected, zoowarden_sync_async(client, "/", never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_add_auth(client, "digest", "a:b", 3, 0, &answer));
    CHECK_CODE(expected, zoowarden_add_auth_async(client, "digest", "a:b", 3, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_who_am_i(client, 0, &answer));
    CHECK_CODE(expected, zoowarden_who_am_i_async(client, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_get_config(client, &watcher, 0, &answer));
    CHECK_CODE(expected, zoowarden_get_config_async(client, &watcher, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_reconfig(client, NULL, NULL, NULL, -1, 0, &answer));
    CHECK_CODE(expected, zoowarden_reconfig_async(client, NULL, NULL, NULL, -1, never, NULL));
    CHECK_NO_ANSWER(expected, zoowarden_transaction_commit(transaction, client, 0, &answer));
    CHECK_CODE(expected, zoowarden_transaction_commit_async(transaction, client, never, NULL));
    CHECK_CODE(expected, zoowarden_client_close(client));
    CHECK_CODE(expected, zoowarden_client_close_async(client, never, NULL));
    CHECK_OK(zoowarden_transaction_free(transaction));
}

static void other_handles(void)
{
    zoowarden_client client = connect_to(node);
    zoowarden_node second = node_start();
    zoowarden_options options = {0};
    zoowarden_client none = {0};
    bool leads = false;
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_free(options));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_hosts(options, "localhost"));
    CHECK_OK(zoowarden_options_new(&options));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_dispatch(options, 9));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_on_expiry(options, 9));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_call_timeout(options, 0));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_session(options, 1, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_sasl(options, "bob", NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_sasl(options, NULL, "secret"));
    CHECK_OK(zoowarden_options_sasl(options, NULL, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_tls(options, "/none.pem", NULL, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_options_tls(options, NULL, "/none.pem", NULL));
    CHECK_OK(zoowarden_options_free(options));
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_options_free(options));
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_client_open(options, &none));
    /* A node is no client. */
    none.id = second.id;
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_client_close(none));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_watch_remove((zoowarden_watch){client.id}));
    CHECK_CODE(ZOOWARDEN_UNKNOWN_SESSION, zoowarden_node_expire_session(second, 77));
    CHECK_OK(zoowarden_node_stop(second));
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_node_stop(second));
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_node_wait_ready(second, 10));
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_node_is_leader(second, &leads));
    zoowarden_node_options wrong = {0};
    wrong.zoo_cfg = "tickTime=many\n";
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_node_start(&wrong, &second));
    wrong.zoo_cfg = NULL;
    wrong.client_address = "nowhere";
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_node_start(&wrong, &second));
    wrong.client_address = NULL;
    wrong.sasl_user_count = 1;
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_node_start(&wrong, &second));
    zoowarden_sasl_user users[] = {{"bob", NULL}, {NULL, "canary"}, {"", "canary"}};
    for (int i = 0; i < 3; i++) {
        wrong.sasl_users = &users[i];
        CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_node_start(&wrong, &second));
        CHECK(strstr(zoowarden_error_text(), "canary") == NULL);
    }
    CHECK_OK(zoowarden_client_close(client));
}

static zoowarden_node lonely;

static int free_port(void)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    CHECK(close(fd) == 0);
    return ntohs(address.sin_port);
}

static void *wait_for_lonely(void *user)
{
    (void)user;
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_node_wait_ready(lonely, ZOOWARDEN_FOREVER));
    return NULL;
}

/* A member without the others never serves; stopping it frees those who wait. */
static void stops_while_waited_for(void)
{
    char folder[] = "/tmp/zoowarden-c-XXXXXX", command[64], cfg[512];
    zoowarden_node_options options = {0};
    pthread_t thread;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(cfg, sizeof cfg,
             "dataDir=/nowhere\nclientPort=2181\ninitLimit=5\nsyncLimit=5\nserver.1=127.0.0.1:%d:%d\n"
             "server.2=127.0.0.1:%d:%d\nserver.3=127.0.0.1:%d:%d\n",
             free_port(), free_port(), free_port(), free_port(), free_port(), free_port());
    options.zoo_cfg = cfg;
    options.my_id = 1;
    options.data_dir = folder;
    options.client_address = "127.0.0.1:0";
    CHECK_OK(zoowarden_node_start(&options, &lonely));
    CHECK_CODE(ZOOWARDEN_OPERATION_TIMEOUT, zoowarden_node_wait_ready(lonely, 20));
    CHECK(pthread_create(&thread, NULL, wait_for_lonely, NULL) == 0);
    CHECK_OK(zoowarden_node_stop(lonely));
    CHECK(pthread_join(thread, NULL) == 0);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0);
}

typedef struct inside {
    zoowarden_client client;
    counter done;
} inside;

static void blocks(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    inside *in = user;
    zoowarden_answer *mine = NULL;
    (void)answer;
    CHECK_OK(code);
    CHECK_OK(zoowarden_create(in->client, "/inside", NULL, 0, NULL, 0, &mine));
    zoowarden_answer_free(&mine);
    CHECK_OK(zoowarden_delete(in->client, "/inside", -1, 0, NULL));
    counter_raise(&in->done);
}

static void closes(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    inside *in = user;
    (void)answer;
    CHECK_OK(code);
    CHECK_OK(zoowarden_client_close(in->client));
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_client_close(in->client));
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_get(in->client, "/", NULL, 0, NULL));
    counter_raise(&in->done);
}

static void counts(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    (void)code, (void)answer;
    counter_raise(&((inside *)user)->done);
}

static void from_callbacks(void)
{
    inside in = {connect_to(node), COUNTER};
    CHECK_OK(zoowarden_get_async(in.client, "/", NULL, blocks, &in));
    counter_await(&in.done, 1);
    CHECK_OK(zoowarden_get_async(in.client, "/", NULL, closes, &in));
    counter_await(&in.done, 2);
    every_call(in.client, ZOOWARDEN_CLOSING);

    inside last = {connect_to(node), COUNTER};
    for (int i = 0; i < 100; i++)
        CHECK_OK(zoowarden_get_async(last.client, "/", NULL, counts, &last));
    CHECK_OK(zoowarden_client_close_async(last.client, counts, &last));
    counter_await(&last.done, 101);
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_client_close(last.client));
}

static void *close_it(void *user)
{
    inside *in = user;
    if (zoowarden_client_close(in->client) == ZOOWARDEN_OK)
        counter_raise(&in->done);
    return NULL;
}

/* Many threads close one client while calls are on their way: one of them does it. */
static void closes_at_once(void)
{
    for (int round = 0; round < 20; round++) {
        inside in = {connect_to(node), COUNTER}, calls = {{0}, COUNTER};
        int accepted = 0;
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            CHECK(pthread_create(&threads[i], NULL, close_it, &in) == 0);
        while (zoowarden_get_async(in.client, "/", NULL, counts, &calls) == ZOOWARDEN_OK)
            accepted++;
        for (int i = 0; i < 4; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(counter_value(&in.done) == 1);
        /* Each accepted call was called back before close returned. */
        CHECK(counter_value(&calls.done) == accepted);
    }
}

static void timeouts(void)
{
    zoowarden_client client = {0};
    zoowarden_options options = {0};
    CHECK_CODE(ZOOWARDEN_OPERATION_TIMEOUT, zoowarden_connect("127.0.0.1:1", 50, &client));
    CHECK(client.id == 0);
    CHECK_OK(zoowarden_options_new(&options));
    CHECK_OK(zoowarden_options_hosts(options, "127.0.0.1:1"));
    CHECK_OK(zoowarden_options_call_timeout(options, 20));
    CHECK_OK(zoowarden_client_open(options, &client));
    zoowarden_watcher watcher = {never_watch, NULL};
    zoowarden_answer *answer = NULL;
    CHECK_CODE(ZOOWARDEN_OPERATION_TIMEOUT, zoowarden_get(client, "/", &watcher, 0, &answer));
    CHECK(answer == NULL && !zoowarden_error_nothing_changed());
    CHECK_CODE(ZOOWARDEN_OPERATION_TIMEOUT, zoowarden_client_wait_connected(client, 0));
    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_options_free(options));
}

static void forks(void)
{
    zoowarden_client client = connect_to(node);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        zoowarden_client other = {1};
        zoowarden_answer *answer = (void *)1;
        if (zoowarden_get(client, "/", NULL, 0, &answer) != ZOOWARDEN_INVALID_STATE ||
            answer != NULL ||
            zoowarden_client_close(client) != ZOOWARDEN_INVALID_STATE ||
            zoowarden_client_open((zoowarden_options){0}, &other) != ZOOWARDEN_INVALID_STATE ||
            other.id != 0 ||
            zoowarden_node_stop(node) != ZOOWARDEN_INVALID_STATE ||
            strstr(zoowarden_error_text(), "fork") == NULL)
            _exit(1);
        /* What the threads that are not here held is no leak: leave before valgrind looks. */
        execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The parent's session lives. */
    CHECK_OK(zoowarden_get(client, "/", NULL, 0, NULL));
    CHECK_OK(zoowarden_client_close(client));
}

int main(void)
{
    zoowarden_client garbage = {0x0102030405060708};
    every_call(NO_CLIENT, ZOOWARDEN_BAD_ARGUMENTS);
    every_call(garbage, ZOOWARDEN_BAD_ARGUMENTS);
    node = node_start();
    zoowarden_client closed = connect_to(node);
    CHECK_OK(zoowarden_client_close(closed));
    every_call(closed, ZOOWARDEN_CLOSING);
    nulls();
    other_handles();
    stops_while_waited_for();
    from_callbacks();
    closes_at_once();
    timeouts();
    forks();
    CHECK_OK(zoowarden_node_stop(node));
    return 0;
}
