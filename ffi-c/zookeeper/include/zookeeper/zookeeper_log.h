/* For programs that log through the library: one line per call, like printf. */
#ifndef ZOOWARDEN_ZOOKEEPER_LOG_H
#define ZOOWARDEN_ZOOKEEPER_LOG_H

#include <zookeeper.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is said; zoo_set_debug_level changes it. */
extern ZOOAPI ZooLogLevel logLevel;

/* Where a line goes: to the callback of a handle, or to the stream. */
#define LOGCALLBACK(_zh) zoo_get_log_callback(_zh)
#define LOGSTREAM NULL

#define LOG_ERROR(_cb, ...)                                                          \
    if (logLevel >= ZOO_LOG_LEVEL_ERROR)                                             \
        log_message(_cb, ZOO_LOG_LEVEL_ERROR, __LINE__, __func__, __VA_ARGS__)
#define LOG_WARN(_cb, ...)                                                           \
    if (logLevel >= ZOO_LOG_LEVEL_WARN)                                              \
        log_message(_cb, ZOO_LOG_LEVEL_WARN, __LINE__, __func__, __VA_ARGS__)
#define LOG_INFO(_cb, ...)                                                           \
    if (logLevel >= ZOO_LOG_LEVEL_INFO)                                              \
        log_message(_cb, ZOO_LOG_LEVEL_INFO, __LINE__, __func__, __VA_ARGS__)
#define LOG_DEBUG(_cb, ...)                                                          \
    if (logLevel == ZOO_LOG_LEVEL_DEBUG)                                             \
        log_message(_cb, ZOO_LOG_LEVEL_DEBUG, __LINE__, __func__, __VA_ARGS__)

ZOOAPI void log_message(log_callback_fn callback, ZooLogLevel curLevel, int line,
                        const char *funcName, const char *format, ...);

/* The stream that lines without a callback go to. */
FILE *zoo_get_log_stream(void);

#ifdef __cplusplus
}
#endif

#endif
