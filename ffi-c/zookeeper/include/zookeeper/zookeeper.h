/* ZooKeeper's C interface, version 3.8, served by zoowarden: libzookeeper_mt.so.2.
 *
 * Compile with -DTHREADED for the functions that wait for their answer.
 *
 * Threads. Each handle has one thread that talks to the server and one that runs every completion
 * and watcher, one after the other, in the order in which the server sent what they tell. All
 * functions may be called from any thread, callbacks included: a waiting call inside a callback is
 * answered. zookeeper_close inside a callback returns at once; elsewhere it waits for the callback
 * that is running.
 *
 * Ownership. Texts, structures and vectors given to a callback live until it returns. What a waiting
 * call fills in belongs to the caller; give vectors back with deallocate_String_vector and
 * deallocate_ACL_vector.
 *
 * Codes. Every function that returns int without saying more returns ZOK or a value of enum
 * ZOO_ERRORS. A function with a completion returns whether the request was accepted; the completion
 * is called exactly once if it was, and never if it was not.
 */
#ifndef ZOOWARDEN_ZOOKEEPER_H
#define ZOOWARDEN_ZOOKEEPER_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "proto.h"
#include "recordio.h"
#include "zookeeper.jute.h"
#include "zookeeper_version.h"

#ifndef ZOOAPI
#define ZOOAPI
#endif

/* --- codes -------------------------------------------------------------------------------------- */

enum ZOO_ERRORS {
    ZOK = 0,

    /* The library and the way to the server: from -1 to -99. */
    ZSYSTEMERROR = -1,
    ZRUNTIMEINCONSISTENCY = -2, /* also: an operation of a transaction after the one that failed */
    ZDATAINCONSISTENCY = -3,
    ZCONNECTIONLOSS = -4, /* whether the request was executed is unknown */
    ZMARSHALLINGERROR = -5,
    ZUNIMPLEMENTED = -6,
    ZOPERATIONTIMEOUT = -7,
    ZBADARGUMENTS = -8,
    ZINVALIDSTATE = -9, /* the session is over, or the handle is closed */
    ZNEWCONFIGNOQUORUM = -13,
    ZRECONFIGINPROGRESS = -14,
    ZSSLCONNECTIONERROR = -15,

    /* What the server answered: from -100 on. */
    ZAPIERROR = -100,
    ZNONODE = -101,
    ZNOAUTH = -102,
    ZBADVERSION = -103,
    ZNOCHILDRENFOREPHEMERALS = -108,
    ZNODEEXISTS = -110,
    ZNOTEMPTY = -111,
    ZSESSIONEXPIRED = -112,
    ZINVALIDCALLBACK = -113,
    ZINVALIDACL = -114,
    ZAUTHFAILED = -115,
    ZCLOSING = -116, /* the handle was closed before the answer came */
    ZNOTHING = -117,
    ZSESSIONMOVED = -118,
    ZNOTREADONLY = -119,
    ZEPHEMERALONLOCALSESSION = -120,
    ZNOWATCHER = -121,
    ZRECONFIGDISABLED = -123,
    ZSESSIONCLOSEDREQUIRESASLAUTH = -124,
    ZTHROTTLEDOP = -127
};

#ifdef __cplusplus
extern "C" {
#endif

/* A code in words; a positive number is taken for an errno. The text is constant. */
ZOOAPI const char *zerror(int c);

/* --- numbers ------------------------------------------------------------------------------------ */

/* Permissions of an ACL entry. */
extern ZOOAPI const int ZOO_PERM_READ;
extern ZOOAPI const int ZOO_PERM_WRITE;
extern ZOOAPI const int ZOO_PERM_CREATE;
extern ZOOAPI const int ZOO_PERM_DELETE;
extern ZOOAPI const int ZOO_PERM_ADMIN;
extern ZOOAPI const int ZOO_PERM_ALL;

/* Identities: everyone, and whoever creates the znode. */
extern ZOOAPI struct Id ZOO_ANYONE_ID_UNSAFE;
extern ZOOAPI struct Id ZOO_AUTH_IDS;

/* Lists of one entry: everyone may do all, everyone may read, the creator may do all. */
extern ZOOAPI struct ACL_vector ZOO_OPEN_ACL_UNSAFE;
extern ZOOAPI struct ACL_vector ZOO_READ_ACL_UNSAFE;
extern ZOOAPI struct ACL_vector ZOO_CREATOR_ALL_ACL;

/* Modes of a new znode. */
extern ZOOAPI const int ZOO_PERSISTENT;
extern ZOOAPI const int ZOO_EPHEMERAL;
extern ZOOAPI const int ZOO_PERSISTENT_SEQUENTIAL;
extern ZOOAPI const int ZOO_EPHEMERAL_SEQUENTIAL;
extern ZOOAPI const int ZOO_CONTAINER;
extern ZOOAPI const int ZOO_PERSISTENT_WITH_TTL;
extern ZOOAPI const int ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL;
/* The bit that modes 2 and 3 share. */
extern ZOOAPI const int ZOO_SEQUENCE;

/* States of a handle. A negative one is final. */
extern ZOOAPI const int ZOO_EXPIRED_SESSION_STATE;
extern ZOOAPI const int ZOO_AUTH_FAILED_STATE;
extern ZOOAPI const int ZOO_CONNECTING_STATE;
extern ZOOAPI const int ZOO_ASSOCIATING_STATE;
extern ZOOAPI const int ZOO_CONNECTED_STATE;
extern ZOOAPI const int ZOO_READONLY_STATE;
extern ZOOAPI const int ZOO_NOTCONNECTED_STATE;

/* Kinds of events. */
extern ZOOAPI const int ZOO_CREATED_EVENT;
extern ZOOAPI const int ZOO_DELETED_EVENT;
extern ZOOAPI const int ZOO_CHANGED_EVENT;
extern ZOOAPI const int ZOO_CHILD_EVENT;
extern ZOOAPI const int ZOO_SESSION_EVENT;
extern ZOOAPI const int ZOO_NOTWATCHING_EVENT;

/* Bits of the single-threaded interface, which this library does not serve. */
extern ZOOAPI const int ZOOKEEPER_WRITE;
extern ZOOAPI const int ZOOKEEPER_READ;

/* Flags of zookeeper_init: a server without a quorum will do; do not log the surroundings. */
#define ZOO_READONLY 1
#define ZOO_NO_LOG_CLIENTENV 2

/* Where the configuration of the ensemble is read and watched; a chroot does not apply. */
#define ZOO_CONFIG_NODE "/zookeeper/config"

typedef enum {
    ZOO_LOG_LEVEL_ERROR = 1,
    ZOO_LOG_LEVEL_WARN = 2,
    ZOO_LOG_LEVEL_INFO = 3,
    ZOO_LOG_LEVEL_DEBUG = 4
} ZooLogLevel;

typedef enum { ZWATCHTYPE_CHILD = 1, ZWATCHTYPE_DATA = 2, ZWATCHTYPE_ANY = 3 } ZooWatcherType;

/* --- structures --------------------------------------------------------------------------------- */

typedef struct _zhandle zhandle_t;

/* What lets another process, or another handle, go on with a session. */
typedef struct {
    int64_t client_id;
    char passwd[16];
} clientid_t;

/* Layouts of 3.8 that no function declared here takes. */
typedef struct _zcert {
    char *certstr;
    char *ca;
    char *cert;
    char *key;
    char *passwd;
} zcert_t;

typedef struct _zsock {
    int sock;
    zcert_t *cert;
#ifdef HAVE_OPENSSL_H
    struct ssl_st *ssl_sock;
    struct ssl_ctx_st *ssl_ctx;
#endif
} zsock_t;

/* One operation of a transaction; the zoo_*_op_init functions fill it in. What it points at must
 * live until the transaction has completed. */
#if defined(__GNUC__)
__extension__
#endif
typedef struct zoo_op {
    int type;
    union {
        struct {
            const char *path;
            const char *data;
            int datalen;
            char *buf;
            int buflen;
            const struct ACL_vector *acl;
            int flags;
            int64_t ttl;
        } create_op;
        struct {
            const char *path;
            int version;
        } delete_op;
        struct {
            const char *path;
            const char *data;
            int datalen;
            int version;
            struct Stat *stat;
        } set_op;
        struct {
            const char *path;
            int version;
        } check_op;
    };
} zoo_op_t;

/* What became of one operation. `value` is the path buffer of a create, `stat` the Stat of a set. */
typedef struct zoo_op_result {
    int err;
    char *value;
    int valuelen;
    struct Stat *stat;
} zoo_op_result_t;

/* --- callbacks ---------------------------------------------------------------------------------- */

/* Told once what happened to a path, and each change of the handle's state (`type` is then
 * ZOO_SESSION_EVENT and `path` empty). */
typedef void (*watcher_fn)(zhandle_t *zh, int type, int state, const char *path, void *watcherCtx);

typedef void (*log_callback_fn)(const char *message);

/* `data` is what was given with the request. If `rc` is not ZOK, pointers are NULL. */
typedef void (*void_completion_t)(int rc, const void *data);
typedef void (*stat_completion_t)(int rc, const struct Stat *stat, const void *data);
typedef void (*data_completion_t)(int rc, const char *value, int value_len,
                                  const struct Stat *stat, const void *data);
typedef void (*strings_completion_t)(int rc, const struct String_vector *strings,
                                     const void *data);
typedef void (*strings_stat_completion_t)(int rc, const struct String_vector *strings,
                                          const struct Stat *stat, const void *data);
typedef void (*string_completion_t)(int rc, const char *value, const void *data);
typedef void (*string_stat_completion_t)(int rc, const char *string, const struct Stat *stat,
                                         const void *data);
typedef void (*acl_completion_t)(int rc, struct ACL_vector *acl, struct Stat *stat,
                                 const void *data);

/* --- handles ------------------------------------------------------------------------------------ */

/* Opens a handle and returns at once; the connection is made in the background and told to `fn`.
 * `host` is host:port,... with an optional chroot at its end; `recv_timeout` the session timeout
 * that is asked for, in milliseconds; `clientid` a session to go on with, or NULL. NULL with errno
 * set if the arguments are of no use. */
ZOOAPI zhandle_t *zookeeper_init(const char *host, watcher_fn fn, int recv_timeout,
                                 const clientid_t *clientid, void *context, int flags);
/* The same; what the handle logs goes to `log_callback`. */
ZOOAPI zhandle_t *zookeeper_init2(const char *host, watcher_fn fn, int recv_timeout,
                                  const clientid_t *clientid, void *context, int flags,
                                  log_callback_fn log_callback);
/* Ends the session and the handle. Calls still waiting, and completions still due, get ZCLOSING. */
ZOOAPI int zookeeper_close(zhandle_t *zh);

ZOOAPI int zoo_state(zhandle_t *zh);
/* ZINVALIDSTATE if the state is final. */
ZOOAPI int is_unrecoverable(zhandle_t *zh);
/* The session; its client_id is 0 before the first connection. Lives as long as the handle. */
ZOOAPI const clientid_t *zoo_client_id(zhandle_t *zh);
/* The session timeout in milliseconds: what was asked for, and once connected what was granted. */
ZOOAPI int zoo_recv_timeout(zhandle_t *zh);

/* The context that the handle's own watcher is called with. */
ZOOAPI const void *zoo_get_context(zhandle_t *zh);
ZOOAPI void zoo_set_context(zhandle_t *zh, void *context);
/* Replaces the handle's own watcher and returns the one before. */
ZOOAPI watcher_fn zoo_set_watcher(zhandle_t *zh, watcher_fn newFn);

/* Replaces the list of servers; if it no longer has the one in use, the connection moves. */
ZOOAPI int zoo_set_servers(zhandle_t *zh, const char *hosts);
/* How often names are looked up again: -1 never, 0 before each connect, else milliseconds. */
ZOOAPI int zoo_set_servers_resolution_delay(zhandle_t *zh, int delay_ms);
/* Moves on to the next server of the list, for the next connect. */
ZOOAPI void zoo_cycle_next_server(zhandle_t *zh);
/* Address and port of the server that is connected, or tried next. Overwritten by the next call. */
ZOOAPI const char *zoo_get_current_server(zhandle_t *zh);
/* Fills in the address of the connected server; NULL if there is none. */
ZOOAPI struct sockaddr *zookeeper_get_connected_host(zhandle_t *zh, struct sockaddr *addr,
                                                     socklen_t *addr_len);
/* For handles opened later: 1 takes servers in the order of the list, 0 in a random one. */
ZOOAPI void zoo_deterministic_conn_order(int yesOrNo);

/* Adds a credential, now and after each reconnect. The completion tells what the server said. */
ZOOAPI int zoo_add_auth(zhandle_t *zh, const char *scheme, const char *cert, int certLen,
                        void_completion_t completion, const void *data);

ZOOAPI void zoo_set_debug_level(ZooLogLevel logLevel);
ZOOAPI void zoo_set_log_stream(FILE *logStream);
ZOOAPI log_callback_fn zoo_get_log_callback(const zhandle_t *zh);
ZOOAPI void zoo_set_log_callback(zhandle_t *zh, log_callback_fn callback);

#ifndef THREADED
/* The single-threaded interface is not served by this library: both return ZUNIMPLEMENTED. */
ZOOAPI int zookeeper_interest(zhandle_t *zh, int *fd, int *interest, struct timeval *tv);
ZOOAPI int zookeeper_process(zhandle_t *zh, int events);
#endif

/* --- requests with a completion ----------------------------------------------------------------- */

/* A data length of -1 is null data. `mode` is one of the modes above, `ttl` milliseconds. */
ZOOAPI int zoo_acreate(zhandle_t *zh, const char *path, const char *value, int valuelen,
                       const struct ACL_vector *acl, int mode, string_completion_t completion,
                       const void *data);
ZOOAPI int zoo_acreate_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                           const struct ACL_vector *acl, int mode, int64_t ttl,
                           string_completion_t completion, const void *data);
ZOOAPI int zoo_acreate2(zhandle_t *zh, const char *path, const char *value, int valuelen,
                        const struct ACL_vector *acl, int mode,
                        string_stat_completion_t completion, const void *data);
ZOOAPI int zoo_acreate2_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                            const struct ACL_vector *acl, int mode, int64_t ttl,
                            string_stat_completion_t completion, const void *data);
/* A version of -1 is any version. */
ZOOAPI int zoo_adelete(zhandle_t *zh, const char *path, int version,
                       void_completion_t completion, const void *data);
ZOOAPI int zoo_aset(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version,
                    stat_completion_t completion, const void *data);

/* A `watch` that is not 0 leaves the handle's own watcher at the path; the functions with a w leave
 * `watcher`, if it is not NULL, to be called with `watcherCtx`. */
ZOOAPI int zoo_aexists(zhandle_t *zh, const char *path, int watch, stat_completion_t completion,
                       const void *data);
ZOOAPI int zoo_awexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                        stat_completion_t completion, const void *data);
ZOOAPI int zoo_aget(zhandle_t *zh, const char *path, int watch, data_completion_t completion,
                    const void *data);
ZOOAPI int zoo_awget(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                     data_completion_t completion, const void *data);
ZOOAPI int zoo_aget_children(zhandle_t *zh, const char *path, int watch,
                             strings_completion_t completion, const void *data);
ZOOAPI int zoo_awget_children(zhandle_t *zh, const char *path, watcher_fn watcher,
                              void *watcherCtx, strings_completion_t completion,
                              const void *data);
ZOOAPI int zoo_aget_children2(zhandle_t *zh, const char *path, int watch,
                              strings_stat_completion_t completion, const void *data);
ZOOAPI int zoo_awget_children2(zhandle_t *zh, const char *path, watcher_fn watcher,
                               void *watcherCtx, strings_stat_completion_t completion,
                               const void *data);

ZOOAPI int zoo_aget_acl(zhandle_t *zh, const char *path, acl_completion_t completion,
                        const void *data);
/* `version` is that of the list of permissions. */
ZOOAPI int zoo_aset_acl(zhandle_t *zh, const char *path, int version, struct ACL_vector *acl,
                        void_completion_t completion, const void *data);
/* Completes when this server has caught up with all that was committed before. */
ZOOAPI int zoo_async(zhandle_t *zh, const char *path, string_completion_t completion,
                     const void *data);

ZOOAPI int zoo_agetconfig(zhandle_t *zh, int watch, data_completion_t completion,
                          const void *data);
ZOOAPI int zoo_awgetconfig(zhandle_t *zh, watcher_fn watcher, void *watcherCtx,
                           data_completion_t completion, const void *data);
/* Servers that join, ids that leave, or the whole new list; `version` -1 is any configuration. */
ZOOAPI int zoo_areconfig(zhandle_t *zh, const char *joining, const char *leaving,
                         const char *members, int64_t version, data_completion_t dc,
                         const void *data);

/* Takes watches off a path: those of `watcher` with `watcherCtx`, or all. `local` takes them off
 * here even if the server cannot be asked. The completion is passed as the pointer it is, cast. */
ZOOAPI int zoo_aremove_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype,
                               watcher_fn watcher, void *watcherCtx, int local,
                               void_completion_t *completion, const void *data);
ZOOAPI int zoo_aremove_all_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype,
                                   int local, void_completion_t *completion, const void *data);
/* This one waits, in every build. */
ZOOAPI int zoo_remove_all_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype,
                                  int local);

/* --- transactions ------------------------------------------------------------------------------- */

void zoo_create_op_init(zoo_op_t *op, const char *path, const char *value, int valuelen,
                        const struct ACL_vector *acl, int mode, char *path_buffer,
                        int path_buffer_len);
void zoo_delete_op_init(zoo_op_t *op, const char *path, int version);
void zoo_set_op_init(zoo_op_t *op, const char *path, const char *buffer, int buflen, int version,
                     struct Stat *stat);
/* Demands that the znode is there with this version. */
void zoo_check_op_init(zoo_op_t *op, const char *path, int version);

/* All operations or none. The code is that of the first operation that failed, and `results` has
 * `count` elements, which must live until the completion. */
ZOOAPI int zoo_amulti(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results,
                      void_completion_t completion, const void *data);

/* --- requests that wait for their answer -------------------------------------------------------- */

#ifdef THREADED

/* The path that was made goes to `path_buffer`, cut to what fits and closed with NUL; NULL or a
 * length of 0 if it is not wanted. */
ZOOAPI int zoo_create(zhandle_t *zh, const char *path, const char *value, int valuelen,
                      const struct ACL_vector *acl, int mode, char *path_buffer,
                      int path_buffer_len);
ZOOAPI int zoo_create_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                          const struct ACL_vector *acl, int mode, int64_t ttl, char *path_buffer,
                          int path_buffer_len);
ZOOAPI int zoo_create2(zhandle_t *zh, const char *path, const char *value, int valuelen,
                       const struct ACL_vector *acl, int mode, char *path_buffer,
                       int path_buffer_len, struct Stat *stat);
ZOOAPI int zoo_create2_ttl(zhandle_t *zh, const char *path, const char *value, int valuelen,
                           const struct ACL_vector *acl, int mode, int64_t ttl, char *path_buffer,
                           int path_buffer_len, struct Stat *stat);
ZOOAPI int zoo_delete(zhandle_t *zh, const char *path, int version);

/* `stat` may be NULL. */
ZOOAPI int zoo_exists(zhandle_t *zh, const char *path, int watch, struct Stat *stat);
ZOOAPI int zoo_wexists(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                       struct Stat *stat);
/* `buffer_len` is the room in `buffer`, and then the number of bytes that were put there, or -1 if
 * the data is null. Data that does not fit is cut; Stat tells its length. */
ZOOAPI int zoo_get(zhandle_t *zh, const char *path, int watch, char *buffer, int *buffer_len,
                   struct Stat *stat);
ZOOAPI int zoo_wget(zhandle_t *zh, const char *path, watcher_fn watcher, void *watcherCtx,
                    char *buffer, int *buffer_len, struct Stat *stat);
ZOOAPI int zoo_set(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version);
ZOOAPI int zoo_set2(zhandle_t *zh, const char *path, const char *buffer, int buflen, int version,
                    struct Stat *stat);

ZOOAPI int zoo_get_children(zhandle_t *zh, const char *path, int watch,
                            struct String_vector *strings);
ZOOAPI int zoo_wget_children(zhandle_t *zh, const char *path, watcher_fn watcher,
                             void *watcherCtx, struct String_vector *strings);
ZOOAPI int zoo_get_children2(zhandle_t *zh, const char *path, int watch,
                             struct String_vector *strings, struct Stat *stat);
ZOOAPI int zoo_wget_children2(zhandle_t *zh, const char *path, watcher_fn watcher,
                              void *watcherCtx, struct String_vector *strings,
                              struct Stat *stat);

ZOOAPI int zoo_get_acl(zhandle_t *zh, const char *path, struct ACL_vector *acl,
                       struct Stat *stat);
ZOOAPI int zoo_set_acl(zhandle_t *zh, const char *path, int version,
                       const struct ACL_vector *acl);

ZOOAPI int zoo_getconfig(zhandle_t *zh, int watch, char *buffer, int *buffer_len,
                         struct Stat *stat);
ZOOAPI int zoo_wgetconfig(zhandle_t *zh, watcher_fn watcher, void *watcherCtx, char *buffer,
                          int *buffer_len, struct Stat *stat);
ZOOAPI int zoo_reconfig(zhandle_t *zh, const char *joining, const char *leaving,
                        const char *members, int64_t version, char *buffer, int *buffer_len,
                        struct Stat *stat);

ZOOAPI int zoo_multi(zhandle_t *zh, int count, const zoo_op_t *ops, zoo_op_result_t *results);

ZOOAPI int zoo_remove_watches(zhandle_t *zh, const char *path, ZooWatcherType wtype,
                              watcher_fn watcher, void *watcherCtx, int local);

#endif

#ifdef __cplusplus
}
#endif

#endif
