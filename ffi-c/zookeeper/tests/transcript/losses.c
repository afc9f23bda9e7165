/* A connection that is lost and made again, behind a relay of this program. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transcript.h"

enum { POLL_MS = 5 };

/* One connection at a time. What the flags say holds for all that comes. */
static struct {
    int listener, port, is_held, is_cut, is_over;
    pthread_t thread;
} relay;

static int is_set(int *flag) {
    return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void set(int *flag, int value) {
    __atomic_store_n(flag, value, __ATOMIC_SEQ_CST);
}

static int connected_to_server(void) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)relay.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

/* Moves what is there from one end to the other; 0 at the end of the stream. */
static int moved(int from, int to) {
    char bytes[4096];
    ssize_t len = read(from, bytes, sizeof bytes);
    return len > 0 && write(to, bytes, (size_t)len) == len;
}

static void relay_connection(int client, int server) {
    struct pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    while (!is_set(&relay.is_cut) && !is_set(&relay.is_over)) {
        if (is_set(&relay.is_held)) {
            poll(NULL, 0, POLL_MS);
            continue;
        }
        if (poll(ends, 2, POLL_MS) <= 0) continue;
        if (ends[0].revents && !moved(client, server)) break;
        if (ends[1].revents && !moved(server, client)) break;
    }
}

static void *relays(void *nothing) {
    struct pollfd waiting = {relay.listener, POLLIN, 0};
    while (!is_set(&relay.is_over)) {
        if (poll(&waiting, 1, POLL_MS) <= 0) continue;
        int client = accept(relay.listener, NULL, NULL);
        int server = is_set(&relay.is_cut) ? -1 : connected_to_server();
        if (server >= 0) relay_connection(client, server), close(server);
        close(client);
    }
    return nothing;
}

void losses(zhandle_t *zh, const char *hosts) {
    char through[64], buffer[16];
    int len = sizeof buffer;
    struct Stat stat;
    SAY("--- a lost connection");
    relay.listener = silent_listener(through, sizeof through);
    relay.port = atoi(strrchr(hosts, ':') + 1);
    pthread_create(&relay.thread, NULL, relays, NULL);
    zhandle_t *far = zookeeper_init(through, watcher, SESSION_TIMEOUT_MS, NULL, "own", 0);
    journal(1);
    clientid_t id = *zoo_client_id(far);
    RC(zoo_create(far, "/lost", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    RC(zoo_wget(far, "/lost", second_watcher, "data", buffer, &len, &stat));
    RC(zoo_wexists(far, "/lost/not", second_watcher, "data", &stat));
    RC(zoo_add_auth(far, "digest", "carol:secret", 12, on_void, "auth"));
    journal(1);
    set(&relay.is_held, 1);
    RC(zoo_aexists(far, "/lost", 0, on_stat, "exists"));
    set(&relay.is_cut, 1);
    journal_sorted(3);
    RC(zoo_set(zh, "/lost", "changed", 7, -1));
    set(&relay.is_held, 0), set(&relay.is_cut, 0);
    journal_sorted(3);
    SAY("the same session: %d", zoo_client_id(far)->client_id == id.client_id);
    RC(zoo_get(far, "/lost", 0, buffer, &len, &stat));
    print_stat(far, &stat);
    RC(zoo_create(far, "/carol", "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0));
    RC(zoo_set(zh, "/carol", "", 0, -1));
    RC(zookeeper_close(far));
    set(&relay.is_over, 1);
    pthread_join(relay.thread, NULL);
    close(relay.listener);
    journal_is_empty();
}
