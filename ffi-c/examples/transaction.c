/* Move a task from one queue to another: both changes, or none.
 * usage: transaction [hosts]; without hosts a server is started inside this program. */
#include <stdio.h>
#include <zoowarden.h>

static zoowarden_code move_task(zoowarden_client client, zoowarden_answer **answer)
{
    zoowarden_transaction transaction = {0};
    zoowarden_transaction_new(&transaction);
    zoowarden_transaction_check(transaction, "/done", ZOOWARDEN_ANY_VERSION);
    zoowarden_transaction_delete(transaction, "/todo/1", 0);
    zoowarden_transaction_create(transaction, "/done/1", "result", 6, NULL);
    return zoowarden_transaction_commit(transaction, client, 0, answer);
}

int main(int argc, char **argv)
{
    zoowarden_node node = {0};
    zoowarden_client client = {0};
    zoowarden_answer *answer = NULL;
    char hosts[64];

    if (argc == 1) {
        zoowarden_node_start(NULL, &node);
        zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL);
    }
    if (zoowarden_connect(argc > 1 ? argv[1] : hosts, 10000, &client) != ZOOWARDEN_OK ||
        zoowarden_ensure_path(client, "/todo/1", 0, NULL) != ZOOWARDEN_OK ||
        zoowarden_ensure_path(client, "/done", 0, NULL) != ZOOWARDEN_OK ||
        move_task(client, &answer) != ZOOWARDEN_OK) {
        fprintf(stderr, "%s\n", zoowarden_error_text());
        return 1;
    }
    printf("created %s\n", answer->outcomes[2].path);
    zoowarden_answer_free(&answer);

    /* A second time there is nothing to move: the outcomes tell which change failed. */
    if (move_task(client, &answer) == ZOOWARDEN_NO_NODE)
        for (size_t i = 0; i < answer->outcomes_count; i++)
            printf("change %d: %s\n", (int)i, zoowarden_code_name(answer->outcomes[i].code));
    zoowarden_answer_free(&answer);

    zoowarden_delete_recursive(client, "/todo", 0, NULL);
    zoowarden_delete_recursive(client, "/done", 0, NULL);
    zoowarden_client_close(client);
    if (argc == 1)
        zoowarden_node_stop(node);
    return 0;
}
