/* A program with a poll() loop of its own: all callbacks run in it, without another thread.
 * usage: event_loop [hosts]; without hosts a server is started inside this program. */
#include <poll.h>
#include <stdio.h>
#include <zoowarden.h>

#define ZNODES 10

static zoowarden_client client;
static int created = 0;
static int closed = 0;

static void on_closed(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    (void)code, (void)answer, (void)user;
    closed = 1;
}

static void on_created(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    (void)user;
    if (code == ZOOWARDEN_OK)
        printf("created %s\n", answer->path);
    else
        printf("%s\n", zoowarden_error_text());
    if (++created == ZNODES)
        zoowarden_client_close_async(client, on_closed, NULL);
}

int main(int argc, char **argv)
{
    zoowarden_node node = {0};
    zoowarden_options options = {0};
    zoowarden_create_options numbered = {ZOOWARDEN_EPHEMERAL_SEQUENTIAL, 0, NULL, 0};
    int32_t descriptor = -1;

    zoowarden_options_new(&options);
    zoowarden_options_dispatch(options, ZOOWARDEN_DISPATCH_LOOP);
    if (argc > 1) {
        zoowarden_options_hosts(options, argv[1]);
    } else {
        zoowarden_node_start(NULL, &node);
        zoowarden_options_node(options, node);
    }
    if (zoowarden_client_open(options, &client) != ZOOWARDEN_OK) {
        fprintf(stderr, "%s\n", zoowarden_error_text());
        return 1;
    }
    zoowarden_options_free(options);
    zoowarden_client_descriptor(client, &descriptor);

    /* Sent as soon as the client is connected, all in one go. */
    for (int i = 0; i < ZNODES; i++)
        zoowarden_create_async(client, "/task-", NULL, 0, &numbered, on_created, NULL);

    while (!closed) {
        struct pollfd fd = {descriptor, POLLIN, 0};
        if (poll(&fd, 1, -1) > 0)
            zoowarden_client_dispatch(client, 0, NULL);
    }
    if (argc == 1)
        zoowarden_node_stop(node);
    return 0;
}
