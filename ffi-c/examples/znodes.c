/* Create, read, change and list znodes, and what an error tells.
 * usage: znodes [hosts]; without hosts a server is started inside this program. */
#include <stdio.h>
#include <zoowarden.h>

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, zoowarden_error_text());
    return 1;
}

int main(int argc, char **argv)
{
    zoowarden_node node = {0};
    zoowarden_client client = {0};
    zoowarden_answer *answer = NULL;
    char hosts[64];
    const char *connect_to = argc > 1 ? argv[1] : hosts;

    if (argc == 1 && (zoowarden_node_start(NULL, &node) != ZOOWARDEN_OK ||
                      zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL) != ZOOWARDEN_OK))
        return fail("start");
    if (zoowarden_connect(connect_to, 10000, &client) != ZOOWARDEN_OK)
        return fail("connect");

    if (zoowarden_create(client, "/config", "blue", 4, NULL, 0, NULL) != ZOOWARDEN_OK)
        return fail("create");
    if (zoowarden_get(client, "/config", NULL, 0, &answer) != ZOOWARDEN_OK)
        return fail("get");
    printf("/config is %.*s, version %d\n", (int)answer->data_length, (const char *)answer->data,
           answer->stat.version);

    /* Change it only if nobody else has: the version says so. */
    int32_t version = answer->stat.version;
    zoowarden_answer_free(&answer);
    if (zoowarden_set(client, "/config", "green", 5, version, 0, NULL) != ZOOWARDEN_OK)
        return fail("set");
    if (zoowarden_set(client, "/config", "red", 3, version, 0, NULL) == ZOOWARDEN_BAD_VERSION)
        printf("too late: %s\n", zoowarden_error_text());

    if (zoowarden_get_children(client, "/", NULL, 0, &answer) != ZOOWARDEN_OK)
        return fail("get_children");
    for (size_t i = 0; i < answer->names_count; i++)
        printf("/%s\n", answer->names[i]);
    zoowarden_answer_free(&answer);

    if (zoowarden_delete(client, "/config", ZOOWARDEN_ANY_VERSION, 0, NULL) != ZOOWARDEN_OK)
        return fail("delete");
    zoowarden_client_close(client);
    if (argc == 1)
        zoowarden_node_stop(node);
    return 0;
}
