/* What the parts of the transcript program share: printing results, and remembering callbacks.
 *
 * Callbacks write into one journal, in the order in which they come. The main thread prints entries
 * when it has waited for them, so that the transcript does not depend on timing.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include <zookeeper/zookeeper.h>

enum { SESSION_TIMEOUT_MS = 10000, WAIT_SECONDS_MAX = 20 };

/* Prints the call as it is written and its code in words. */
#define RC(call) print_code(#call, (call))
#define SAY(...) (printf(__VA_ARGS__), printf("\n"))

void print_code(const char *call, int code);
const char *code_name(int code);
const char *state_name(int state);

/* Everything about a Stat that is the same in each run. */
void print_stat(zhandle_t *zh, const struct Stat *stat);
void print_bytes(const char *bytes, int len);
void print_strings(const struct String_vector *strings);
void print_acl(const struct ACL_vector *acl);

/* Waits until the journal has `count` more entries, and prints them. */
void journal(int count);
/* Waits, and prints them sorted: for events whose order nobody promises. */
void journal_sorted(int count);
/* Prints how many entries nobody has printed. A round trip must have gone before. */
void journal_is_empty(void);
/* Writes an entry. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A watcher that notes what it is told, and its context, a text. */
void watcher(zhandle_t *zh, int type, int state, const char *path, void *context);
/* Another function that does the same. */
void second_watcher(zhandle_t *zh, int type, int state, const char *path, void *context);

/* Completions that note what they are given; `data` is a text. */
void on_void(int rc, const void *data);
void on_stat(int rc, const struct Stat *stat, const void *data);
void on_data(int rc, const char *value, int len, const struct Stat *stat, const void *data);
void on_strings(int rc, const struct String_vector *strings, const void *data);
void on_strings_stat(int rc, const struct String_vector *strings, const struct Stat *stat,
                     const void *data);
void on_string(int rc, const char *value, const void *data);
void on_string_stat(int rc, const char *value, const struct Stat *stat, const void *data);
void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data);

/* A handle that is connected; its own watcher is `quiet`. Ends the program if it does not connect. */
zhandle_t *open_connected(const char *hosts, const clientid_t *id);
/* Waits for a state; 0 if it does not come. */
int state_comes(zhandle_t *zh, int state);
/* A watcher that notes nothing. */
void quiet(zhandle_t *zh, int type, int state, const char *path, void *context);

int create(zhandle_t *zh, const char *path, const char *data);

/* A port of this machine that takes connections and never says a word. Returns the socket. */
int silent_listener(char *hosts, size_t len);
/* A port of this machine where nobody listens. */
void nobody(char *hosts, size_t len);

/* The parts, each in the file of its name. */
void constants_and_records(void);
void logging(const char *hosts);
void creating(zhandle_t *zh);
void reading_and_writing(zhandle_t *zh);
void listing(zhandle_t *zh);
void permissions(zhandle_t *zh, const char *hosts);
void transactions(zhandle_t *zh);
void configuration(zhandle_t *zh);
void paths(zhandle_t *zh);
void chroots(zhandle_t *zh, const char *hosts);
void watching(zhandle_t *zh, const char *hosts);
void removing_watches(zhandle_t *zh);
void losses(zhandle_t *zh, const char *hosts);
void handles(const char *hosts);
void sessions(const char *hosts, const clientid_t *orphan);
/* To be called before the first thread. */
clientid_t orphaned_session(const char *hosts);
void callbacks(const char *hosts);
void closing(const char *hosts);
void bad_arguments(zhandle_t *zh, const char *hosts);
void dead_handles(const char *hosts);
void unreachable(void);

#endif
