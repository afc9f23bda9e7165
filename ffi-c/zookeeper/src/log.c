/* The variadic end of the logging: one line to a callback, or to a stream.
 *
 * It is C because a variadic function cannot be defined in stable Rust. Everything here is local to
 * the library; lib.rs exports it under ZooKeeper's names.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 4096, TIME_BYTES_MAX = 48 };

/* The program may own the object by a copy relocation: only C, by its global offset table, is sure
 * to reach that copy. */
extern int logLevel;

static FILE *stream;

int zoowarden_log_level(void) {
    return __atomic_load_n(&logLevel, __ATOMIC_RELAXED);
}

void zoowarden_set_log_level(int level) {
    __atomic_store_n(&logLevel, level, __ATOMIC_RELAXED);
}

FILE *zoowarden_log_stream(void) {
    FILE *chosen = __atomic_load_n(&stream, __ATOMIC_ACQUIRE);
    return chosen ? chosen : stderr;
}

void zoowarden_set_log_stream(FILE *chosen) {
    __atomic_store_n(&stream, chosen, __ATOMIC_RELEASE);
}

static const char *level_name(int level) {
    static const char *const names[] = {"ZOO_INVALID", "ZOO_ERROR", "ZOO_WARN", "ZOO_INFO",
                                        "ZOO_DEBUG"};
    return names[level >= 1 && level <= 4 ? level : 0];
}

static void write_time(char *into) {
    struct timeval now;
    struct tm parts;
    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &parts);
    size_t len = strftime(into, TIME_BYTES_MAX, "%Y-%m-%d %H:%M:%S", &parts);
    snprintf(into + len, TIME_BYTES_MAX - len, ",%03d", (int)(now.tv_usec / 1000));
}

void zoowarden_log_message(void (*callback)(const char *), int level, int line,
                           const char *function, const char *format, ...) {
    char text[LINE_BYTES_MAX], time_text[TIME_BYTES_MAX];
    va_list arguments;
    write_time(time_text);
    int len = snprintf(text, sizeof text, "%s:%ld(0x%lx):%s@%s@%d: ", time_text, (long)getpid(),
                       (unsigned long)pthread_self(), level_name(level), function, line);
    if (len < 0) return;
    if ((size_t)len < sizeof text) {
        va_start(arguments, format);
        vsnprintf(text + len, sizeof text - (size_t)len, format, arguments);
        va_end(arguments);
    }
    if (callback) {
        callback(text);
    } else {
        FILE *into = zoowarden_log_stream();
        fprintf(into, "%s\n", text);
        fflush(into);
    }
}
