/* What the header limits is limited, is told, and goes on afterwards. */
#include "check.h"

#include <poll.h>

#define CALLS_WAITING_MAX 65536
#define EVENTS_WAITING_MAX 4096
#define CHANGES_MAX 1048576

static int calls, refused;
static unsigned long long events, dropped;

static void on_done(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    (void)answer, (void)user;
    CHECK(code == ZOOWARDEN_OK || code == ZOOWARDEN_THROTTLED_OP);
    calls++;
    if (code != ZOOWARDEN_OK)
        refused++;
}

static void on_event(const zoowarden_event *event, void *user)
{
    (void)user;
    if (event->kind == ZOOWARDEN_EVENT_DATA_CHANGED)
        events++;
    if (event->kind == ZOOWARDEN_EVENT_OVERFLOW)
        dropped += event->dropped;
}

static zoowarden_client open_without_thread(zoowarden_node node)
{
    zoowarden_options options = {0};
    zoowarden_client client = {0};
    CHECK_OK(zoowarden_options_new(&options));
    CHECK_OK(zoowarden_options_node(options, node));
    CHECK_OK(zoowarden_options_dispatch(options, ZOOWARDEN_DISPATCH_LOOP));
    CHECK_OK(zoowarden_client_open(options, &client));
    CHECK_OK(zoowarden_options_free(options));
    CHECK_OK(zoowarden_client_wait_connected(client, 30000));
    return client;
}

static void turn(zoowarden_client client)
{
    struct pollfd fd = {-1, POLLIN, 0};
    CHECK_OK(zoowarden_client_descriptor(client, &fd.fd));
    CHECK(poll(&fd, 1, WAIT_SECONDS_MAX * 1000) == 1);
    CHECK_OK(zoowarden_client_dispatch(client, 0, NULL));
}

static void calls_that_wait(zoowarden_client client)
{
    int accepted = 0;
    zoowarden_code code;
    while ((code = zoowarden_exists_async(client, "/", NULL, on_done, NULL)) == ZOOWARDEN_OK)
        accepted++;
    CHECK_CODE(ZOOWARDEN_THROTTLED_OP, code);
    CHECK(zoowarden_error_nothing_changed());
    CHECK(accepted == CALLS_WAITING_MAX);
    while (calls < accepted)
        turn(client);
    CHECK_OK(zoowarden_exists_async(client, "/", NULL, on_done, NULL));
    while (calls < accepted + 1)
        turn(client);
}

static void events_that_wait(zoowarden_client client)
{
    const unsigned long long changes = EVENTS_WAITING_MAX + 500;
    zoowarden_watcher watcher = {on_event, NULL};
    CHECK_OK(zoowarden_create(client, "/often", NULL, 0, NULL, 0, NULL));
    CHECK_OK(zoowarden_add_watch(client, "/often", ZOOWARDEN_WATCH_PERSISTENT, &watcher, 0, NULL));
    for (unsigned long long i = 0; i < changes; i++)
        CHECK_OK(zoowarden_set_async(client, "/often", "x", 1, -1, NULL, NULL));
    /* Behind it, everything has arrived; nothing was run yet. */
    CHECK_OK(zoowarden_sync(client, "/", 0, NULL));
    CHECK(events == 0);
    while (events + dropped < changes)
        turn(client);
    CHECK(events == EVENTS_WAITING_MAX && dropped == changes - EVENTS_WAITING_MAX);
    CHECK_OK(zoowarden_set(client, "/often", "y", 1, -1, 0, NULL));
    while (events < EVENTS_WAITING_MAX + 1)
        turn(client);
}

static void changes_of_a_transaction(void)
{
    zoowarden_transaction transaction = {0};
    CHECK_OK(zoowarden_transaction_new(&transaction));
    for (int i = 0; i < CHANGES_MAX; i++)
        CHECK_OK(zoowarden_transaction_check(transaction, "/", -1));
    CHECK_CODE(ZOOWARDEN_THROTTLED_OP, zoowarden_transaction_check(transaction, "/", -1));
    CHECK_OK(zoowarden_transaction_free(transaction));
}

int main(void)
{
    zoowarden_node node = node_start();
    zoowarden_client client = open_without_thread(node);
    calls_that_wait(client);
    events_that_wait(client);
    changes_of_a_transaction();
    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_node_stop(node));
    return 0;
}
