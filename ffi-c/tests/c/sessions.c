/* A session lives on elsewhere, expires, is renewed; its states are told. */
#include "check.h"

typedef struct told {
    counter count;
    int32_t states[32];
} told;

static void on_state(zoowarden_client client, int32_t state, void *user)
{
    told *t = user;
    int at = counter_value(&t->count);
    CHECK(client.id != 0 && at < 32);
    t->states[at] = state;
    counter_raise(&t->count);
}

static zoowarden_client open_client(zoowarden_node node, zoowarden_options options, told *t)
{
    char hosts[64];
    zoowarden_client client = {0};
    CHECK_OK(zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL));
    CHECK_OK(zoowarden_options_hosts(options, hosts));
    CHECK_OK(zoowarden_options_session_timeout(options, 30000));
    CHECK_OK(zoowarden_options_states(options, t != NULL ? on_state : NULL, t));
    CHECK_OK(zoowarden_client_open(options, &client));
    CHECK_OK(zoowarden_client_wait_connected(client, 30000));
    return client;
}

/* Waits until `state` was told last. */
static void await_state(told *t, int32_t state)
{
    for (int at = 0;; at++) {
        counter_await(&t->count, at + 1);
        if (t->states[at] == state && counter_value(&t->count) == at + 1)
            return;
    }
}

/* The server has no users, so that the client does not go on with it. */
static void refused(zoowarden_node node)
{
    static told t = {.count = COUNTER};
    char hosts[64];
    zoowarden_options options = {0};
    zoowarden_client client = {0};
    CHECK_OK(zoowarden_options_new(&options));
    CHECK_OK(zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL));
    CHECK_OK(zoowarden_options_hosts(options, hosts));
    CHECK_OK(zoowarden_options_states(options, on_state, &t));
    CHECK_OK(zoowarden_options_sasl(options, "bob", "secret"));
    CHECK_OK(zoowarden_client_open(options, &client));
    CHECK_CODE(ZOOWARDEN_AUTH_FAILED, zoowarden_client_wait_connected(client, 30000));
    await_state(&t, ZOOWARDEN_STATE_AUTH_FAILED);
    CHECK_CODE(ZOOWARDEN_AUTH_FAILED, zoowarden_get(client, "/", NULL, 0, NULL));
    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_options_free(options));
}

/* A node that has users lets them in, and knows them in lists; nobody else passes for them. */
static void logs_in(void)
{
    zoowarden_sasl_user users[] = {{"bob", "bobsecret"}, {"eve", ""}};
    zoowarden_node_options with_users = {0};
    zoowarden_node node = {0};
    with_users.sasl_users = users;
    with_users.sasl_user_count = 2;
    CHECK_OK(zoowarden_node_start(&with_users, &node));
    zoowarden_options options = {0};
    zoowarden_client bob = {0};
    char hosts[64];
    CHECK_OK(zoowarden_options_new(&options));
    CHECK_OK(zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL));
    CHECK_OK(zoowarden_options_hosts(options, hosts));
    CHECK_OK(zoowarden_options_sasl(options, "bob", "bobsecret"));
    CHECK_OK(zoowarden_client_open(options, &bob));
    CHECK_OK(zoowarden_client_wait_connected(bob, 30000));
    zoowarden_acl own = {31, "auth", ""};
    zoowarden_create_options closed = {0};
    closed.acl = &own;
    closed.acl_count = 1;
    zoowarden_answer *answer = NULL;
    CHECK_OK(zoowarden_create(bob, "/bobs", "x", 1, &closed, 0, NULL));
    CHECK_OK(zoowarden_get_acl(bob, "/bobs", 0, &answer));
    CHECK(answer->acl_count == 1 && strcmp(answer->acl[0].scheme, "sasl") == 0);
    CHECK(strcmp(answer->acl[0].id, "bob") == 0);
    zoowarden_answer_free(&answer);
    zoowarden_client nobody = connect_to(node);
    CHECK_CODE(ZOOWARDEN_NO_AUTH, zoowarden_get(nobody, "/bobs", NULL, 0, NULL));
    CHECK_OK(zoowarden_client_close(nobody));
    CHECK_OK(zoowarden_client_close(bob));
    CHECK_OK(zoowarden_options_free(options));
    CHECK_OK(zoowarden_node_stop(node));
}

static void expires(zoowarden_node node)
{
    static told t = {.count = COUNTER};
    zoowarden_options options = {0};
    zoowarden_session session;
    CHECK_OK(zoowarden_options_new(&options));
    zoowarden_client client = open_client(node, options, &t);
    CHECK_OK(zoowarden_client_session(client, &session));
    zoowarden_create_options ephemeral = {0};
    ephemeral.mode = ZOOWARDEN_EPHEMERAL;
    CHECK_OK(zoowarden_create(client, "/e", NULL, 0, &ephemeral, 0, NULL));
    CHECK_OK(zoowarden_node_expire_session(node, session.id));
    await_state(&t, ZOOWARDEN_STATE_EXPIRED);
    CHECK_CODE(ZOOWARDEN_SESSION_EXPIRED, zoowarden_get(client, "/", NULL, 0, NULL));
    CHECK_CODE(ZOOWARDEN_SESSION_EXPIRED, zoowarden_client_wait_connected(client, 0));
    CHECK_OK(zoowarden_client_close(client));
    CHECK(t.states[counter_value(&t.count) - 1] == ZOOWARDEN_STATE_CLOSED);
    CHECK_OK(zoowarden_options_free(options));
}

static void is_renewed(zoowarden_node node)
{
    static told t = {.count = COUNTER};
    zoowarden_options options = {0};
    zoowarden_session before, after;
    CHECK_OK(zoowarden_options_new(&options));
    CHECK_OK(zoowarden_options_on_expiry(options, ZOOWARDEN_ON_EXPIRY_RENEW));
    zoowarden_client client = open_client(node, options, &t);
    CHECK_OK(zoowarden_client_session(client, &before));
    await_state(&t, ZOOWARDEN_STATE_CONNECTED);
    CHECK_OK(zoowarden_node_expire_session(node, before.id));
    int seen = 0, expired = 0;
    while (!(expired && t.states[seen - 1] == ZOOWARDEN_STATE_CONNECTED)) {
        counter_await(&t.count, ++seen);
        expired |= t.states[seen - 1] == ZOOWARDEN_STATE_EXPIRED;
    }
    CHECK_OK(zoowarden_client_session(client, &after));
    CHECK(after.id != before.id);
    CHECK_CODE(ZOOWARDEN_NO_NODE, zoowarden_exists(client, "/e", NULL, 0, NULL));
    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_options_free(options));
}

static void moves(zoowarden_node node)
{
    zoowarden_options options = {0};
    zoowarden_session first, second;
    char server[64];
    size_t length = 0;
    zoowarden_create_options ephemeral = {0};
    ephemeral.mode = ZOOWARDEN_EPHEMERAL;
    CHECK_OK(zoowarden_options_new(&options));
    zoowarden_client client = open_client(node, options, NULL);
    CHECK_OK(zoowarden_create(client, "/moving", NULL, 0, &ephemeral, 0, NULL));
    CHECK_OK(zoowarden_client_session(client, &first));
    CHECK_OK(zoowarden_client_server(client, server, sizeof server, &length));
    CHECK(length > 0 && strlen(server) == length);
    CHECK_OK(zoowarden_options_session(options, first.id, first.password));
    zoowarden_client heir = open_client(node, options, NULL);
    CHECK_OK(zoowarden_client_session(heir, &second));
    CHECK(second.id == first.id);
    /* Both want the session, so it moves to and fro; it is one, and its ephemeral is there. */
    zoowarden_code code;
    while ((code = zoowarden_exists(heir, "/moving", NULL, 0, NULL)) == ZOOWARDEN_CONNECTION_LOSS) {
    }
    CHECK_OK(code);
    CHECK_OK(zoowarden_client_close(heir));
    CHECK_OK(zoowarden_client_close(client));
    CHECK_OK(zoowarden_options_free(options));
}

static void chroots(zoowarden_node node)
{
    char hosts[64], chroot[64];
    zoowarden_answer *answer = NULL;
    zoowarden_client client = {0};
    CHECK_OK(zoowarden_node_connect_string(node, hosts, sizeof hosts - 8, NULL));
    strcat(hosts, "/app");
    CHECK_OK(zoowarden_connect(hosts, 30000, &client));
    CHECK_OK(zoowarden_client_chroot(client, chroot, sizeof chroot, NULL));
    CHECK(strcmp(chroot, "/app") == 0);
    CHECK_OK(zoowarden_create(client, "/", NULL, 0, NULL, 0, NULL));
    CHECK_OK(zoowarden_create(client, "/x", NULL, 0, NULL, 0, &answer));
    CHECK(strcmp(answer->path, "/x") == 0);
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_get_config(client, NULL, 0, NULL));
    CHECK_OK(zoowarden_client_close(client));
    client = connect_to(node);
    CHECK_OK(zoowarden_exists(client, "/app/x", NULL, 0, NULL));
    CHECK_OK(zoowarden_client_close(client));
}

int main(void)
{
    zoowarden_node node = node_start();
    refused(node);
    logs_in();
    expires(node);
    is_renewed(node);
    moves(node);
    chroots(node);
    CHECK_OK(zoowarden_node_stop(node));
    return 0;
}
