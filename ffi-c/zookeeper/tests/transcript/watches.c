/* Watches: what leaves them, what they tell, and how they are taken away. */
#include <stdio.h>
#include <string.h>

#include "transcript.h"

static void one_shots(zhandle_t *zh) {
    struct Stat stat;
    struct String_vector names;
    char buffer[8];
    int len = sizeof buffer;
    RC(zoo_wexists(zh, "/w", watcher, "exists", &stat));
    RC(create(zh, "/w", ""));
    journal(1);
    RC(zoo_wget(zh, "/w", watcher, "get", buffer, &len, &stat));
    RC(zoo_wget_children(zh, "/w", watcher, "children", &names));
    deallocate_String_vector(&names);
    RC(zoo_wexists(zh, "/w", watcher, "exists", &stat));
    RC(zoo_set(zh, "/w", "x", 1, -1));
    journal_sorted(2);
    RC(zoo_set(zh, "/w", "y", 1, -1));
    RC(create(zh, "/w/child", ""));
    journal(1);
    RC(zoo_wget_children2(zh, "/w", watcher, "children2", &names, &stat));
    deallocate_String_vector(&names);
    RC(zoo_delete(zh, "/w/child", -1));
    journal(1);
    RC(zoo_wget(zh, "/w", watcher, "get", buffer, &len, &stat));
    RC(zoo_wget_children(zh, "/w", watcher, "children", &names));
    deallocate_String_vector(&names);
    RC(zoo_delete(zh, "/w", -1));
    journal_sorted(2);
    journal_is_empty();
}

/* A watch by function and context is left once, however often it is asked for. */
static void the_same_again(zhandle_t *zh) {
    struct Stat stat;
    char buffer[8];
    static char context[] = "same";
    int len = sizeof buffer;
    SAY("--- the same watch again");
    RC(create(zh, "/w2", ""));
    RC(zoo_wget(zh, "/w2", watcher, context, buffer, &len, &stat));
    RC(zoo_wget(zh, "/w2", watcher, context, buffer, &len, &stat));
    RC(zoo_wexists(zh, "/w2", watcher, context, &stat));
    RC(zoo_wget(zh, "/w2", second_watcher, context, buffer, &len, &stat));
    RC(zoo_wget(zh, "/w2", watcher, NULL, buffer, &len, &stat));
    RC(zoo_set(zh, "/w2", "", 0, -1));
    journal_sorted(3);
    RC(zoo_exists(zh, "/w2", 0, &stat));
    journal_is_empty();
}

/* A failed request leaves no watch, but for an exists of what is not there. */
static void failed_requests(zhandle_t *zh) {
    struct Stat stat;
    struct String_vector names;
    char buffer[8];
    int len = sizeof buffer;
    SAY("--- watches of failed requests");
    RC(zoo_wget(zh, "/w3", watcher, "get", buffer, &len, &stat));
    RC(zoo_wget_children(zh, "/w3", watcher, "children", &names));
    RC(create(zh, "/w3", ""));
    RC(zoo_delete(zh, "/w3", -1));
    RC(zoo_exists(zh, "/w3", 0, &stat));
    journal_is_empty();
}

static void with_completions(zhandle_t *zh) {
    SAY("--- watches with completions");
    RC(create(zh, "/w4", ""));
    RC(zoo_awget(zh, "/w4", watcher, "get", on_data, "get"));
    RC(zoo_awexists(zh, "/w4", watcher, "exists", on_stat, "exists"));
    RC(zoo_awget_children(zh, "/w4", watcher, "children", on_strings, "children"));
    RC(zoo_awget_children2(zh, "/w4", watcher, "children2", on_strings_stat, "children2"));
    RC(zoo_awexists(zh, "/w4/x", watcher, "exists not", on_stat, "exists not"));
    journal(5);
    RC(zoo_aset(zh, "/w4", "x", 1, -1, on_stat, "set"));
    journal_sorted(3);
    RC(zoo_acreate(zh, "/w4/x", "x", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, "create"));
    journal_sorted(4);
}

static void of_the_handle(const char *hosts) {
    struct Stat stat;
    struct String_vector names;
    char buffer[8];
    int len = sizeof buffer;
    SAY("--- the handle's own watcher");
    zhandle_t *zh = zookeeper_init(hosts, watcher, SESSION_TIMEOUT_MS, NULL, "first", 0);
    journal(1);
    RC(create(zh, "/w5", ""));
    RC(zoo_get(zh, "/w5", 1, buffer, &len, &stat));
    RC(zoo_exists(zh, "/w5/x", 1, &stat));
    RC(zoo_get_children(zh, "/w5", 1, &names));
    deallocate_String_vector(&names);
    SAY("the watcher before was %s", zoo_set_watcher(zh, second_watcher) == watcher ? "ours" : "?");
    zoo_set_context(zh, "second");
    RC(zoo_set(zh, "/w5", "", 0, -1));
    journal(1);
    RC(zoo_get_children2(zh, "/w5", 1, &names, &stat));
    deallocate_String_vector(&names);
    RC(create(zh, "/w5/x", ""));
    journal_sorted(3);
    RC(zoo_aget(zh, "/w5", 1, on_data, "get"));
    RC(zoo_aexists(zh, "/w5", 1, on_stat, "exists"));
    journal(2);
    RC(zoo_set(zh, "/w5", "", 0, -1));
    journal(1);
    SAY("the watcher before was %s", zoo_set_watcher(zh, NULL) == second_watcher ? "ours" : "?");
    RC(zoo_exists(zh, "/w5", 1, &stat));
    RC(zoo_set(zh, "/w5", "", 0, -1));
    RC(zookeeper_close(zh));
    journal_is_empty();
}

void watching(zhandle_t *zh, const char *hosts) {
    SAY("--- watches");
    one_shots(zh);
    the_same_again(zh);
    failed_requests(zh);
    with_completions(zh);
    of_the_handle(hosts);
}

static void removing_and_waiting(zhandle_t *zh) {
    struct Stat stat;
    struct String_vector names;
    char buffer[8];
    static char one[] = "one", other[] = "other";
    int len = sizeof buffer;
    RC(create(zh, "/r", ""));
    RC(zoo_remove_watches(zh, "/r", ZWATCHTYPE_DATA, watcher, one, 0));
    RC(zoo_wget(zh, "/r", watcher, one, buffer, &len, &stat));
    RC(zoo_remove_watches(zh, "/r", ZWATCHTYPE_CHILD, watcher, one, 0));
    RC(zoo_remove_watches(zh, "/r", ZWATCHTYPE_DATA, watcher, other, 0));
    RC(zoo_remove_watches(zh, "/r", ZWATCHTYPE_DATA, second_watcher, one, 0));
    RC(zoo_wget(zh, "/r", watcher, other, buffer, &len, &stat));
    RC(zoo_remove_watches(zh, "/r", ZWATCHTYPE_DATA, watcher, one, 0));
    RC(zoo_remove_watches(zh, "/r", ZWATCHTYPE_DATA, watcher, one, 0));
    RC(zoo_set(zh, "/r", "", 0, -1));
    journal(1);
    RC(zoo_wget(zh, "/r", watcher, one, buffer, &len, &stat));
    RC(zoo_wexists(zh, "/r", watcher, other, &stat));
    RC(zoo_wget_children(zh, "/r", watcher, one, &names));
    deallocate_String_vector(&names);
    RC(zoo_remove_all_watches(zh, "/r", ZWATCHTYPE_DATA, 0));
    RC(zoo_remove_all_watches(zh, "/r", ZWATCHTYPE_DATA, 0));
    RC(zoo_set(zh, "/r", "", 0, -1));
    RC(create(zh, "/r/x", ""));
    journal(1);
    RC(zoo_wget_children(zh, "/r", watcher, one, &names));
    deallocate_String_vector(&names);
    RC(zoo_remove_watches(zh, "/r", ZWATCHTYPE_ANY, watcher, one, 1));
    RC(zoo_remove_watches(zh, "/r", ZWATCHTYPE_ANY, watcher, one, 1));
    RC(zoo_delete(zh, "/r/x", -1));
    RC(zoo_exists(zh, "/r", 0, &stat));
    journal_is_empty();
}

static void removing_with_completions(zhandle_t *zh) {
    char buffer[8];
    struct Stat stat;
    static char one[] = "one";
    int len = sizeof buffer;
    SAY("--- removing watches with completions");
    RC(zoo_wget(zh, "/r", watcher, one, buffer, &len, &stat));
    RC(zoo_aremove_watches(zh, "/r", ZWATCHTYPE_DATA, watcher, one, 0,
                           (void_completion_t *)(void *)on_void, "remove"));
    journal(1);
    RC(zoo_aremove_watches(zh, "/r", ZWATCHTYPE_DATA, watcher, one, 0,
                           (void_completion_t *)(void *)on_void, "remove again"));
    RC(zoo_wget(zh, "/r", watcher, one, buffer, &len, &stat));
    RC(zoo_aremove_all_watches(zh, "/r", ZWATCHTYPE_ANY, 0, (void_completion_t *)(void *)on_void,
                               "remove all"));
    journal(1);
    RC(zoo_set(zh, "/r", "", 0, -1));
    RC(zoo_exists(zh, "/r", 0, &stat));
    journal_is_empty();
}

void removing_watches(zhandle_t *zh) {
    SAY("--- removing watches");
    removing_and_waiting(zh);
    removing_with_completions(zh);
}
