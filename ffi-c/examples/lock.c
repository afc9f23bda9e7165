/* Do something that only one process at a time may do.
 * usage: lock [hosts]; without hosts a server is started inside this program. */
#include <stdio.h>
#include <zoowarden.h>

static void on_loss(zoowarden_holding holding, int32_t standing, void *user)
{
    (void)holding, (void)user;
    if (standing != ZOOWARDEN_STANDING_RELEASED)
        fprintf(stderr, "the lock is lost: stop working\n");
}

int main(int argc, char **argv)
{
    zoowarden_node node = {0};
    zoowarden_client client = {0};
    zoowarden_holding holding = {0};
    int64_t token = 0;
    int32_t standing = 0;
    char hosts[64];

    if (argc == 1) {
        zoowarden_node_start(NULL, &node);
        zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL);
    }
    if (zoowarden_connect(argc > 1 ? argv[1] : hosts, 10000, &client) != ZOOWARDEN_OK ||
        zoowarden_lock_acquire(client, "/locks/report", "example", 30000, &holding) !=
            ZOOWARDEN_OK) {
        fprintf(stderr, "%s\n", zoowarden_error_text());
        return 1;
    }
    zoowarden_holding_on_loss(holding, on_loss, NULL);

    /* Whatever is written carries the token, so that a holder of yesterday is refused. */
    zoowarden_holding_token(holding, &token);
    zoowarden_holding_standing(holding, &standing);
    if (standing == ZOOWARDEN_STANDING_HELD && token > 0)
        printf("the report is mine alone\n");

    zoowarden_holding_release(holding, 0);
    zoowarden_client_close(client);
    if (argc == 1)
        zoowarden_node_stop(node);
    return 0;
}
