/* Opened and closed many times, nothing is left: no thread, no descriptor, no memory.
 * usage: leaks [rounds] */
#include "check.h"

#include <dirent.h>
#include <unistd.h>

#define ROUNDS 1000
/* Until then pools and caches fill. */
#define WARM_UP 50

typedef struct usage {
    int descriptors;
    int threads;
    long resident_kib;
} usage;

static int entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static usage now(void)
{
    usage u = {entries("/proc/self/fd"), entries("/proc/self/task"), 0};
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    u.resident_kib = pages * (sysconf(_SC_PAGESIZE) / 1024);
    return u;
}

static void ignore(zoowarden_code code, const zoowarden_answer *answer, void *user)
{
    (void)code, (void)answer, (void)user;
}

static void ignore_event(const zoowarden_event *event, void *user)
{
    (void)event, (void)user;
}

static void one_client(zoowarden_node node)
{
    zoowarden_client client = connect_to(node);
    zoowarden_answer *answer = NULL;
    zoowarden_watcher watcher = {ignore_event, NULL};
    CHECK_OK(zoowarden_get(client, "/", &watcher, 0, &answer));
    zoowarden_answer_free(&answer);
    CHECK_OK(zoowarden_get_children_async(client, "/", &watcher, ignore, NULL));
    CHECK_OK(zoowarden_add_watch(client, "/", 1, &watcher, 0, NULL));
    CHECK_OK(zoowarden_client_close(client));
}

static void one_node(zoowarden_node unused)
{
    (void)unused;
    zoowarden_node node = node_start();
    CHECK_OK(zoowarden_node_stop(node));
}

static void repeat(const char *what, void (*round)(zoowarden_node), zoowarden_node node, int rounds)
{
    for (int i = 0; i < WARM_UP && i < rounds; i++)
        round(node);
    usage before = now();
    for (int i = 0; i < rounds; i++)
        round(node);
    usage after = now();
    /* What the other side of a closed connection holds goes a moment later. */
    for (int i = 0; i < WAIT_SECONDS_MAX * 10 && (after.descriptors > before.descriptors ||
                                                  after.threads > before.threads); i++) {
        struct timespec tenth = {0, 100000000};
        nanosleep(&tenth, NULL);
        after = now();
    }
    printf("%s, %d rounds: descriptors %d -> %d, threads %d -> %d, resident %ld -> %ld KiB\n", what,
           rounds, before.descriptors, after.descriptors, before.threads, after.threads,
           before.resident_kib, after.resident_kib);
    CHECK(after.descriptors <= before.descriptors);
    CHECK(after.threads <= before.threads);
    /* A kilobyte for each round would show; the allocator's own unrest stays below. */
    CHECK(after.resident_kib - before.resident_kib < 8192 + rounds);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    zoowarden_node node = node_start();
    repeat("connect and close", one_client, node, rounds);
    CHECK_OK(zoowarden_node_stop(node));
    repeat("start and stop", one_node, node, rounds);
    return 0;
}
