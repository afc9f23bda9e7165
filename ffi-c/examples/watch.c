/* Follow a subtree: a persistent recursive watch, told on the client's own thread.
 * usage: watch [hosts]; without hosts a server is started inside this program. */
#include <pthread.h>
#include <stdio.h>
#include <zoowarden.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int over = 0;

static void on_event(const zoowarden_event *event, void *user)
{
    (void)user;
    switch (event->kind) {
    case ZOOWARDEN_EVENT_CREATED:
        printf("created %s\n", event->path);
        break;
    case ZOOWARDEN_EVENT_DATA_CHANGED:
        printf("changed %s\n", event->path);
        break;
    case ZOOWARDEN_EVENT_DELETED:
        printf("deleted %s\n", event->path);
        break;
    case ZOOWARDEN_EVENT_OVERFLOW:
        printf("too slow: read everything again\n");
        break;
    case ZOOWARDEN_EVENT_ENDED:
        pthread_mutex_lock(&lock);
        over = 1;
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
        break;
    default:
        break;
    }
}

int main(int argc, char **argv)
{
    zoowarden_node node = {0};
    zoowarden_client client = {0};
    zoowarden_answer *answer = NULL;
    zoowarden_watcher watcher = {on_event, NULL};
    char hosts[64];

    if (argc == 1) {
        zoowarden_node_start(NULL, &node);
        zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL);
    }
    if (zoowarden_connect(argc > 1 ? argv[1] : hosts, 10000, &client) != ZOOWARDEN_OK ||
        zoowarden_add_watch(client, "/jobs", ZOOWARDEN_WATCH_PERSISTENT_RECURSIVE, &watcher, 0,
                            &answer) != ZOOWARDEN_OK) {
        fprintf(stderr, "%s\n", zoowarden_error_text());
        return 1;
    }
    zoowarden_ensure_path(client, "/jobs/1", 0, NULL);
    zoowarden_set(client, "/jobs/1", "done", 4, ZOOWARDEN_ANY_VERSION, 0, NULL);
    zoowarden_delete_recursive(client, "/jobs", 0, NULL);

    /* Events that are under way come before the end. */
    zoowarden_sync(client, "/", 0, NULL);
    zoowarden_watch_remove(answer->watch);
    zoowarden_answer_free(&answer);
    pthread_mutex_lock(&lock);
    while (!over)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);

    zoowarden_client_close(client);
    if (argc == 1)
        zoowarden_node_stop(node);
    return 0;
}
