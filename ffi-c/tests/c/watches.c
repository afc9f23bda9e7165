/* Watches tell what happened, in order, and say once that they have ended. */
#include "check.h"

#define EVENTS_MAX 64

typedef struct heard {
    counter count;
    int32_t kinds[EVENTS_MAX];
    char paths[EVENTS_MAX][32];
    int ended;
} heard;

static void listen_to(const zoowarden_event *event, void *user)
{
    heard *h = user;
    int at = counter_value(&h->count);
    CHECK(at < EVENTS_MAX && !h->ended);
    h->kinds[at] = event->kind;
    if (event->path != NULL)
        snprintf(h->paths[at], sizeof h->paths[at], "%s", event->path);
    if (event->kind == ZOOWARDEN_EVENT_ENDED)
        h->ended = 1;
    counter_raise(&h->count);
}

static void one_shots(zoowarden_client client)
{
    static heard data = {.count = COUNTER}, absent = {.count = COUNTER}, children = {.count = COUNTER};
    zoowarden_watcher of_data = {listen_to, &data};
    zoowarden_watcher of_absent = {listen_to, &absent};
    zoowarden_watcher of_children = {listen_to, &children};
    zoowarden_answer *answer = NULL;

    CHECK_CODE(ZOOWARDEN_NO_NODE, zoowarden_get(client, "/a", &of_data, 0, &answer));
    CHECK(answer == NULL);
    CHECK_CODE(ZOOWARDEN_NO_NODE, zoowarden_exists(client, "/a", &of_absent, 0, &answer));
    CHECK(answer != NULL && answer->watch.id != 0);
    zoowarden_watch fired = answer->watch;
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_create(client, "/a", "1", 1, NULL, 0, NULL));
    counter_await(&absent.count, 2);
    CHECK(absent.kinds[0] == ZOOWARDEN_EVENT_CREATED && strcmp(absent.paths[0], "/a") == 0);
    CHECK(absent.kinds[1] == ZOOWARDEN_EVENT_ENDED);
    CHECK_CODE(ZOOWARDEN_NO_WATCHER, zoowarden_watch_remove(fired));

    CHECK_OK(zoowarden_get(client, "/a", &of_data, 0, NULL));
    CHECK_OK(zoowarden_get_children(client, "/a", &of_children, 0, NULL));
    CHECK_OK(zoowarden_set(client, "/a", "2", 1, -1, 0, NULL));
    CHECK_OK(zoowarden_create(client, "/a/b", NULL, 0, NULL, 0, NULL));
    counter_await(&data.count, 2);
    counter_await(&children.count, 2);
    CHECK(data.kinds[0] == ZOOWARDEN_EVENT_DATA_CHANGED && data.ended);
    CHECK(children.kinds[0] == ZOOWARDEN_EVENT_CHILDREN_CHANGED && children.ended);
    /* The get of a znode that was not there set no watch: nothing was told twice. */
    CHECK(counter_value(&data.count) == 2);
}

static void stays_until_removed(zoowarden_client client)
{
    static heard tree = {.count = COUNTER};
    zoowarden_watcher of_tree = {listen_to, &tree};
    zoowarden_answer *answer = NULL;
    CHECK_OK(zoowarden_add_watch(client, "/r", ZOOWARDEN_WATCH_PERSISTENT_RECURSIVE, &of_tree, 0,
                                 &answer));
    zoowarden_watch watch = answer->watch;
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_ensure_path(client, "/r/s/t", 0, NULL));
    CHECK_OK(zoowarden_set(client, "/r/s", "x", 1, -1, 0, NULL));
    CHECK_OK(zoowarden_delete(client, "/r/s/t", -1, 0, NULL));
    counter_await(&tree.count, 5);
    CHECK(tree.kinds[0] == ZOOWARDEN_EVENT_CREATED && strcmp(tree.paths[0], "/r") == 0);
    CHECK(tree.kinds[2] == ZOOWARDEN_EVENT_CREATED && strcmp(tree.paths[2], "/r/s/t") == 0);
    CHECK(tree.kinds[3] == ZOOWARDEN_EVENT_DATA_CHANGED && strcmp(tree.paths[3], "/r/s") == 0);
    CHECK(tree.kinds[4] == ZOOWARDEN_EVENT_DELETED);
    CHECK_OK(zoowarden_watch_remove(watch));
    counter_await(&tree.count, 6);
    CHECK(tree.ended);
    CHECK_CODE(ZOOWARDEN_NO_WATCHER, zoowarden_watch_remove(watch));
    CHECK_OK(zoowarden_set(client, "/r/s", "y", 1, -1, 0, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_add_watch(client, "/r", 5, &of_tree, 0, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_add_watch(client, "/r", 0, NULL, 0, NULL));
    CHECK(counter_value(&tree.count) == 6);
}

static void two_of_one_path(zoowarden_client client)
{
    static heard first = {.count = COUNTER}, second = {.count = COUNTER};
    zoowarden_watcher one = {listen_to, &first}, other = {listen_to, &second};
    zoowarden_answer *answer = NULL;
    CHECK_OK(zoowarden_create(client, "/two", NULL, 0, NULL, 0, NULL));
    CHECK_OK(zoowarden_get(client, "/two", &one, 0, &answer));
    CHECK_OK(zoowarden_get(client, "/two", &other, 0, NULL));
    CHECK_OK(zoowarden_watch_remove(answer->watch));
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_set(client, "/two", "x", 1, -1, 0, NULL));
    counter_await(&second.count, 2);
    counter_await(&first.count, 1);
    CHECK(first.kinds[0] == ZOOWARDEN_EVENT_ENDED);
    CHECK(second.kinds[0] == ZOOWARDEN_EVENT_DATA_CHANGED);
}

/* A watch hears of its session's end, and of its client's. */
static void ends_with_session_and_client(zoowarden_node node)
{
    static heard expired = {.count = COUNTER}, closed = {.count = COUNTER};
    zoowarden_client client = connect_to(node);
    zoowarden_watcher of_expired = {listen_to, &expired}, of_closed = {listen_to, &closed};
    CHECK_OK(zoowarden_add_watch(client, "/e", 0, &of_expired, 0, NULL));
    zoowarden_session session;
    CHECK_OK(zoowarden_client_session(client, &session));
    CHECK(session.id != 0 && session.timeout_ms > 0 && session.last_zxid > 0);
    CHECK_OK(zoowarden_node_expire_session(node, session.id));
    for (int at = 0; !expired.ended; at++)
        counter_await(&expired.count, at + 1);
    CHECK_CODE(ZOOWARDEN_SESSION_EXPIRED, zoowarden_get(client, "/", NULL, 0, NULL));
    CHECK_OK(zoowarden_client_close(client));

    client = connect_to(node);
    CHECK_OK(zoowarden_add_watch(client, "/e", 0, &of_closed, 0, NULL));
    CHECK_OK(zoowarden_client_close(client));
    /* Everything was told before close returned. */
    CHECK(closed.ended);
}

int main(void)
{
    zoowarden_node node = node_start();
    zoowarden_client client = connect_to(node);
    one_shots(client);
    stays_until_removed(client);
    two_of_one_path(client);
    ends_with_session_and_client(node);
    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_node_stop(node));
    return 0;
}
