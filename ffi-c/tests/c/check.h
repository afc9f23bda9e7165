/* What the C tests share: checks that say where they failed, and waiting for a condition. */
#ifndef CHECK_H
#define CHECK_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zoowarden.h>

#define WAIT_SECONDS_MAX 60

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n  last error: %s\n", __FILE__, __LINE__, #condition,       \
                    zoowarden_error_text());                                                       \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_CODE(expected, call)                                                                 \
    do {                                                                                           \
        zoowarden_code code_ = (call);                                                             \
        if (code_ != (expected)) {                                                                 \
            fprintf(stderr, "%s:%d: %s: %s, expected %s\n  %s\n", __FILE__, __LINE__, #call,       \
                    zoowarden_code_name(code_), zoowarden_code_name(expected),                     \
                    zoowarden_error_text());                                                       \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_OK(call) CHECK_CODE(ZOOWARDEN_OK, call)

/* A number that callbacks raise and the test waits for. */
typedef struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int value;
} counter;

#define COUNTER {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

static inline void counter_raise(counter *c)
{
    pthread_mutex_lock(&c->lock);
    c->value++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static inline int counter_value(counter *c)
{
    pthread_mutex_lock(&c->lock);
    int value = c->value;
    pthread_mutex_unlock(&c->lock);
    return value;
}

/* Waits until the counter is at least `value`. */
static inline void counter_await(counter *c, int value)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WAIT_SECONDS_MAX;
    pthread_mutex_lock(&c->lock);
    while (c->value < value) {
        if (pthread_cond_timedwait(&c->changed, &c->lock, &limit) != 0) {
            fprintf(stderr, "%d of %d after %d s\n", c->value, value, WAIT_SECONDS_MAX);
            exit(1);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

/* A node in memory, and a client of it. */
static inline zoowarden_node node_start(void)
{
    zoowarden_node node = {0};
    CHECK_OK(zoowarden_node_start(NULL, &node));
    return node;
}

static inline zoowarden_client connect_to(zoowarden_node node)
{
    char hosts[64];
    zoowarden_client client = {0};
    CHECK_OK(zoowarden_node_connect_string(node, hosts, sizeof hosts, NULL));
    CHECK_OK(zoowarden_connect(hosts, 30000, &client));
    return client;
}

#endif
