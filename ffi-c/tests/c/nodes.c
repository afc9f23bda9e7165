/* A node with a directory keeps what it acknowledged; a configuration is heard; errors say why. */
#include "check.h"

#include <unistd.h>

static void remove_tree(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0);
}

static void keeps_data(const char *folder)
{
    zoowarden_node_options options = {0};
    zoowarden_node node = {0}, second = {0};
    zoowarden_answer *answer = NULL;
    bool leads = false;
    char hosts[64];
    options.zoo_cfg = "dataDir=/nowhere\nclientPort=2181\nextendedTypesEnabled=true\nadmin.enableServer=false\n";
    options.data_dir = folder;
    options.client_address = "127.0.0.1:0";
    options.tick_ms = 250;
    CHECK_OK(zoowarden_node_start(&options, &node));
    CHECK_OK(zoowarden_node_wait_ready(node, 30000));
    CHECK_OK(zoowarden_node_is_leader(node, &leads));
    CHECK(leads);
    zoowarden_client client = connect_to(node);
    CHECK_OK(zoowarden_create(client, "/kept", "data", 4, NULL, 0, NULL));
    zoowarden_create_options mortal = {0};
    mortal.mode = ZOOWARDEN_PERSISTENT_WITH_TTL;
    mortal.ttl_ms = 3600000;
    CHECK_OK(zoowarden_create(client, "/mortal", NULL, 0, &mortal, 0, &answer));
    CHECK(strcmp(answer->path, "/mortal") == 0 && answer->stat.czxid > 0);
    zoowarden_answer_free(&answer);
    mortal.mode = ZOOWARDEN_PERSISTENT_SEQUENTIAL_WITH_TTL;
    CHECK_OK(zoowarden_create(client, "/mortal-", NULL, 0, &mortal, 0, NULL));
    mortal.ttl_ms = 0;
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_create(client, "/m", NULL, 0, &mortal, 0, NULL));

    /* The directory is in use, and so is the port. */
    CHECK_CODE(ZOOWARDEN_SYSTEM_ERROR, zoowarden_node_start(&options, &second));
    CHECK_OK(zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL));
    zoowarden_node_options same_port = {0};
    same_port.client_address = hosts;
    CHECK_CODE(ZOOWARDEN_SYSTEM_ERROR, zoowarden_node_start(&same_port, &second));
    CHECK(strstr(zoowarden_error_text(), hosts) != NULL);
    CHECK(second.id == 0);

    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_node_stop(node));
    CHECK_OK(zoowarden_node_start(&options, &node));
    client = connect_to(node);
    CHECK_OK(zoowarden_get(client, "/kept", NULL, 0, &answer));
    CHECK(answer->data_length == 4 && memcmp(answer->data, "data", 4) == 0);
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_node_stop(node));
}

/* Clients of a stopped node hear of a lost connection. */
static void stops_under_its_client(void)
{
    zoowarden_node node = node_start();
    zoowarden_client client = connect_to(node);
    int32_t state = ZOOWARDEN_STATE_CONNECTED;
    CHECK_OK(zoowarden_node_stop(node));
    zoowarden_code code = zoowarden_get(client, "/", NULL, 100, NULL);
    CHECK(code == ZOOWARDEN_CONNECTION_LOSS || code == ZOOWARDEN_OPERATION_TIMEOUT);
    CHECK_OK(zoowarden_client_state(client, &state));
    CHECK(state == ZOOWARDEN_STATE_SUSPENDED);
    CHECK_OK(zoowarden_client_close(client));
}

int main(void)
{
    char folder[] = "/tmp/zoowarden-c-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    keeps_data(folder);
    stops_under_its_client();
    remove_tree(folder);
    return 0;
}
