/* A program's own loop runs the callbacks: on its thread, when it wants. */
#include "check.h"

#include <poll.h>

static zoowarden_client client;
static pthread_t main_thread;
static int calls, events, states, last_state, ended, closed;

static void done(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    (void)answer, (void)user;
    CHECK(pthread_equal(pthread_self(), main_thread));
    CHECK_OK(code);
    calls++;
    /* A loop within the loop is refused. */
    CHECK_CODE(ZOOWARDEN_INVALID_STATE, zoowarden_client_dispatch(client, 0, NULL));
}

static void on_closed(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    (void)answer, (void)user;
    CHECK_OK(code);
    CHECK(ended == 1);
    closed = 1;
}

static void on_event(const zoowarden_event *event, void *user)
{
    (void)user;
    CHECK(pthread_equal(pthread_self(), main_thread));
    if (event->kind == ZOOWARDEN_EVENT_ENDED)
        ended++;
    if (event->kind == ZOOWARDEN_EVENT_DATA_CHANGED)
        events++;
}

static void on_state(zoowarden_client of, int32_t state, void *user)
{
    (void)user;
    CHECK(of.id == client.id);
    CHECK(pthread_equal(pthread_self(), main_thread));
    states++;
    last_state = state;
}

/* Waits for the descriptor once and runs at most `max` callbacks. */
static size_t turn(int descriptor, size_t max)
{
    struct pollfd fd = {descriptor, POLLIN, 0};
    size_t count = 0;
    CHECK(poll(&fd, 1, WAIT_SECONDS_MAX * 1000) == 1);
    CHECK_OK(zoowarden_client_dispatch(client, max, &count));
    CHECK(max == 0 || count <= max);
    return count;
}

static void open_client(zoowarden_node node, int *descriptor)
{
    zoowarden_options options = {0};
    CHECK_OK(zoowarden_options_new(&options));
    CHECK_OK(zoowarden_options_node(options, node));
    CHECK_OK(zoowarden_options_dispatch(options, ZOOWARDEN_DISPATCH_LOOP));
    CHECK_OK(zoowarden_options_states(options, on_state, NULL));
    CHECK_OK(zoowarden_client_open(options, &client));
    CHECK_OK(zoowarden_options_free(options));
    CHECK_OK(zoowarden_client_descriptor(client, descriptor));
    CHECK_OK(zoowarden_client_wait_connected(client, 30000));
    CHECK(states == 0);
    while (last_state != ZOOWARDEN_STATE_CONNECTED)
        turn(*descriptor, 0);
}

int main(void)
{
    zoowarden_node node = node_start();
    int descriptor = -1;
    size_t count = 1;
    main_thread = pthread_self();
    open_client(node, &descriptor);
    CHECK_OK(zoowarden_client_dispatch(client, 0, &count));
    CHECK(count == 0);

    zoowarden_watcher watcher = {on_event, NULL};
    CHECK_OK(zoowarden_create(client, "/a", NULL, 0, NULL, 0, NULL));
    CHECK_OK(zoowarden_add_watch(client, "/a", ZOOWARDEN_WATCH_PERSISTENT, &watcher, 0, NULL));
    for (int i = 0; i < 100; i++)
        CHECK_OK(zoowarden_set_async(client, "/a", "x", 1, -1, done, NULL));
    while (calls < 100 || events < 100)
        turn(descriptor, 7);
    CHECK(calls == 100 && events == 100);

    /* Closing runs what waits, here and now. */
    CHECK_OK(zoowarden_set_async(client, "/a", "x", 1, -1, done, NULL));
    CHECK_OK(zoowarden_client_close(client));
    CHECK(calls == 101 && events == 101 && ended == 1);
    CHECK(last_state == ZOOWARDEN_STATE_CLOSED);
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_client_dispatch(client, 0, NULL));

    /* Closing without waiting: the loop goes on until it is done. */
    calls = events = states = ended = last_state = 0;
    open_client(node, &descriptor);
    CHECK_OK(zoowarden_add_watch(client, "/a", ZOOWARDEN_WATCH_PERSISTENT, &watcher, 0, NULL));
    CHECK_OK(zoowarden_client_close_async(client, on_closed, NULL));
    while (!closed)
        turn(descriptor, 0);
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_client_close(client));

    zoowarden_client threaded = connect_to(node);
    CHECK_CODE(ZOOWARDEN_INVALID_STATE, zoowarden_client_descriptor(threaded, &descriptor));
    CHECK_CODE(ZOOWARDEN_INVALID_STATE, zoowarden_client_dispatch(threaded, 0, NULL));
    CHECK_OK(zoowarden_client_close(threaded));
    CHECK_OK(zoowarden_node_stop(node));
    return 0;
}
