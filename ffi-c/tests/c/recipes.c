/* Locks exclude, elections elect, and a holding says when it is lost. */
#include "check.h"

static zoowarden_node node;

typedef struct attempt {
    counter done;
    zoowarden_code code;
    zoowarden_holding holding;
    int32_t lost_as;
} attempt;

static void on_held(zoowarden_code code, zoowarden_holding holding, void *user)
{
    attempt *a = user;
    a->code = code;
    a->holding = holding;
    counter_raise(&a->done);
}

static void on_loss(zoowarden_holding holding, int32_t standing, void *user)
{
    attempt *a = user;
    (void)holding;
    a->lost_as = standing;
    counter_raise(&a->done);
}

static void lock_excludes(void)
{
    zoowarden_client one = connect_to(node), other = connect_to(node);
    zoowarden_holding first = {0}, second = {0};
    int64_t first_token = 0, second_token = 0;
    int32_t standing = 0;
    CHECK_OK(zoowarden_lock_acquire(one, "/lock", "one", 0, &first));
    CHECK_OK(zoowarden_holding_standing(first, &standing));
    CHECK(standing == ZOOWARDEN_STANDING_HELD);
    CHECK_OK(zoowarden_lock_try_acquire(other, "/lock", NULL, 0, &second));
    CHECK(second.id == 0);
    CHECK_CODE(ZOOWARDEN_OPERATION_TIMEOUT,
               zoowarden_lock_acquire(other, "/lock", NULL, 50, &second));
    CHECK(second.id == 0);

    attempt waiting = {.done = COUNTER}, loss = {.done = COUNTER};
    CHECK_OK(zoowarden_holding_on_loss(first, on_loss, &loss));
    CHECK_OK(zoowarden_lock_acquire_async(other, "/lock", "other", on_held, &waiting));
    CHECK_OK(zoowarden_holding_token(first, &first_token));
    CHECK_OK(zoowarden_holding_release(first, 0));
    counter_await(&loss.done, 1);
    CHECK(loss.lost_as == ZOOWARDEN_STANDING_RELEASED);
    counter_await(&waiting.done, 1);
    CHECK_OK(waiting.code);
    CHECK_OK(zoowarden_holding_token(waiting.holding, &second_token));
    CHECK(first_token > 0 && second_token > first_token);
    CHECK_CODE(ZOOWARDEN_CLOSING, zoowarden_holding_release(first, 0));

    /* Somebody removes the znode of the holder: it hears of it. */
    zoowarden_answer *answer = NULL;
    attempt removed = {.done = COUNTER};
    CHECK_OK(zoowarden_holding_on_loss(waiting.holding, on_loss, &removed));
    CHECK_OK(zoowarden_get_children(one, "/lock", NULL, 0, &answer));
    CHECK(answer->names_count == 1);
    char path[128];
    snprintf(path, sizeof path, "/lock/%s", answer->names[0]);
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_delete(one, path, -1, 0, NULL));
    counter_await(&removed.done, 1);
    CHECK(removed.lost_as == ZOOWARDEN_STANDING_REMOVED);
    CHECK_OK(zoowarden_holding_release(waiting.holding, 0));
    CHECK_OK(zoowarden_client_close(one));
    CHECK_OK(zoowarden_client_close(other));
}

static void leader_is_elected(void)
{
    zoowarden_client one = connect_to(node), other = connect_to(node);
    zoowarden_holding lead = {0};
    zoowarden_answer *answer = NULL;
    int64_t token = 0;
    CHECK_CODE(ZOOWARDEN_NO_NODE, zoowarden_election_leader(other, "/election", 0, &answer));
    CHECK_OK(zoowarden_election_lead(one, "/election", "one", 0, &lead));
    CHECK_OK(zoowarden_holding_token(lead, &token));
    CHECK_OK(zoowarden_election_leader(other, "/election", 0, &answer));
    CHECK(answer->data_length == 3 && memcmp(answer->data, "one", 3) == 0);
    CHECK(answer->stat.czxid == token);
    zoowarden_answer_free(&answer);

    /* The leader goes; the one that waits leads. */
    attempt waiting = {.done = COUNTER};
    CHECK_OK(zoowarden_election_lead_async(other, "/election", "other", on_held, &waiting));
    CHECK_OK(zoowarden_client_close(one));
    counter_await(&waiting.done, 1);
    CHECK_OK(waiting.code);
    int32_t standing = 0;
    CHECK_OK(zoowarden_holding_standing(lead, &standing));
    CHECK(standing == ZOOWARDEN_STANDING_SESSION_ENDED);
    CHECK_OK(zoowarden_holding_release(lead, 0));

    /* Closing a client ends its attempts. */
    zoowarden_client third = connect_to(node);
    attempt hopeless = {.done = COUNTER};
    CHECK_OK(zoowarden_election_lead_async(third, "/election", NULL, on_held, &hopeless));
    CHECK_OK(zoowarden_client_close(third));
    CHECK(counter_value(&hopeless.done) == 1 && hopeless.code != ZOOWARDEN_OK);
    CHECK_OK(zoowarden_holding_release(waiting.holding, 0));
    CHECK_OK(zoowarden_client_close(other));
}

static void wrong_arguments(void)
{
    zoowarden_client client = connect_to(node), none = {0};
    zoowarden_holding holding = {0};
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_lock_acquire(none, "/l", NULL, 0, &holding));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_lock_acquire(client, NULL, NULL, 0, &holding));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_lock_acquire(client, "/l", NULL, 0, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS,
               zoowarden_lock_acquire_async(client, "/l", NULL, NULL, NULL));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_election_lead(client, "l", NULL, 0, &holding));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_holding_release(holding, 0));
    CHECK_CODE(ZOOWARDEN_BAD_ARGUMENTS, zoowarden_holding_on_loss(holding, on_loss, NULL));
    CHECK_OK(zoowarden_client_close(client));
}

int main(void)
{
    node = node_start();
    lock_excludes();
    leader_is_elected();
    wrong_arguments();
    CHECK_OK(zoowarden_node_stop(node));
    return 0;
}
