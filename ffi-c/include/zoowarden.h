/* Zoowarden's C interface. Generated from ffi-c/src; do not edit.
 *
 * HANDLES. A client, a node, a watch, ... is a handle: a small value that is copied freely and names
 * an object inside the library. A handle of zeros names nothing. The library checks each handle it is
 * given: one that was closed is answered ZOOWARDEN_CLOSING, one that was never given out, or is of
 * another kind, ZOOWARDEN_BAD_ARGUMENTS. So closing twice and using after closing are errors, never
 * undefined. Handles are never used again for another object.
 *
 * CODES. Nearly every function answers a code; ZOOWARDEN_OK is 0. What failed, and what to do about it,
 * is told by zoowarden_error_text() on the same thread.
 *
 * OWNERSHIP. What a function takes (strings, bytes, arrays, structs) belongs to the caller and is
 * copied or used up before the function returns; only `user` pointers are kept. What a blocking
 * function gives through `answer` belongs to the caller, who frees it with zoowarden_answer_free().
 * What a callback is given belongs to the library and is gone when the callback returns.
 *
 * THREADS. Every function may be called from any thread at any time. Callbacks of one client run one
 * after the other, in the order in which the server sent what they tell: on one thread per client,
 * "zoowarden-cb", or inside zoowarden_client_dispatch(). Inside a callback every function may be called,
 * the blocking ones and zoowarden_client_close() too. A callback must return normally: no longjmp, no
 * C++ exception may leave it.
 *
 * FORK. In a child of a process that has used the library every function answers
 * ZOOWARDEN_INVALID_STATE: exec, or fork before the first use.
 */

#ifndef ZOOWARDEN_H
#define ZOOWARDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A permission of an ACL entry: read data and list children.
#define ZOOWARDEN_PERM_READ 1

// A permission of an ACL entry: set data.
#define ZOOWARDEN_PERM_WRITE 2

// A permission of an ACL entry: create children.
#define ZOOWARDEN_PERM_CREATE 4

// A permission of an ACL entry: delete children.
#define ZOOWARDEN_PERM_DELETE 8

// A permission of an ACL entry: set the ACL.
#define ZOOWARDEN_PERM_ADMIN 16

// All five permissions.
#define ZOOWARDEN_PERM_ALL 31

// `timeout_ms` of a function that waits: as long as it takes.
#define ZOOWARDEN_FOREVER UINT32_MAX

// `version` of a write: whatever the version is.
#define ZOOWARDEN_ANY_VERSION -1

// How a call went: ZooKeeper's own numbers. The library itself answers BAD_ARGUMENTS for what can
// be seen to be wrong without a server, CLOSING for a handle that was closed, INVALID_STATE for
// what is not possible now (in the child of a fork too), THROTTLED_OP when one of its limits is
// reached, OPERATION_TIMEOUT when `timeout_ms` has passed, and RUNTIME_INCONSISTENCY for a fault
// of its own.
enum zoowarden_code
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It was done.
  ZOOWARDEN_OK = 0,
  // The server cannot carry this out now (its disk is full), or answered a number that is no
  // code; the text tells.
  ZOOWARDEN_SYSTEM_ERROR = -1,
  // An operation of a transaction that was not evaluated because an earlier one failed; or a
  // fault inside this library.
  ZOOWARDEN_RUNTIME_INCONSISTENCY = -2,
  // The server found its data inconsistent.
  ZOOWARDEN_DATA_INCONSISTENCY = -3,
  // The connection was lost while the request was on its way: whether a write was carried out is
  // unknown, unless zoowarden_error_nothing_changed() says that it was not.
  ZOOWARDEN_CONNECTION_LOSS = -4,
  // The request or the answer does not decode.
  ZOOWARDEN_MARSHALLING_ERROR = -5,
  // The server does not know the operation, or it is switched off.
  ZOOWARDEN_UNIMPLEMENTED = -6,
  // No answer within the time given: whether a write was carried out is unknown.
  ZOOWARDEN_OPERATION_TIMEOUT = -7,
  // A handle, pointer, path, flag or number is not allowed.
  ZOOWARDEN_BAD_ARGUMENTS = -8,
  // Not possible in this state.
  ZOOWARDEN_INVALID_STATE = -9,
  // The session is not known.
  ZOOWARDEN_UNKNOWN_SESSION = -12,
  // A new configuration would leave no quorum in contact.
  ZOOWARDEN_NEW_CONFIG_NO_QUORUM = -13,
  // Another reconfiguration is under way.
  ZOOWARDEN_RECONFIG_IN_PROGRESS = -14,
  // The znode, or the parent of the one to create, does not exist.
  ZOOWARDEN_NO_NODE = -101,
  // The ACL denies it.
  ZOOWARDEN_NO_AUTH = -102,
  // The expected version is not the current one.
  ZOOWARDEN_BAD_VERSION = -103,
  // The parent is ephemeral.
  ZOOWARDEN_NO_CHILDREN_FOR_EPHEMERALS = -108,
  // The znode exists.
  ZOOWARDEN_NODE_EXISTS = -110,
  // The znode has children.
  ZOOWARDEN_NOT_EMPTY = -111,
  // The session has expired; its ephemerals are gone.
  ZOOWARDEN_SESSION_EXPIRED = -112,
  // A callback was not valid.
  ZOOWARDEN_INVALID_CALLBACK = -113,
  // The ACL is empty, malformed or of an unknown scheme.
  ZOOWARDEN_INVALID_ACL = -114,
  // Authentication failed.
  ZOOWARDEN_AUTH_FAILED = -115,
  // The object of the handle was closed, or is being closed.
  ZOOWARDEN_CLOSING = -116,
  // The session now belongs to another connection.
  ZOOWARDEN_SESSION_MOVED = -118,
  // A write to a server that only reads.
  ZOOWARDEN_NOT_READ_ONLY = -119,
  // An ephemeral znode on a session that only one server knows.
  ZOOWARDEN_EPHEMERAL_ON_LOCAL_SESSION = -120,
  // There is no such watch, or it has ended.
  ZOOWARDEN_NO_WATCHER = -121,
  // The request waited too long for its answer.
  ZOOWARDEN_REQUEST_TIMEOUT = -122,
  // Reconfiguration is switched off.
  ZOOWARDEN_RECONFIG_DISABLED = -123,
  // The server wants SASL before anything else.
  ZOOWARDEN_SESSION_CLOSED_REQUIRE_SASL_AUTH = -124,
  // A hard quota would be exceeded.
  ZOOWARDEN_QUOTA_EXCEEDED = -125,
  // Too much waits already, here or at the server; nothing was changed.
  ZOOWARDEN_THROTTLED_OP = -127,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zoowarden_code zoowarden_code;
#else
typedef int32_t zoowarden_code;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What kind of znode to create.
enum zoowarden_create_mode
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Stays until it is deleted.
  ZOOWARDEN_PERSISTENT = 0,
  // Is deleted with the session that created it.
  ZOOWARDEN_EPHEMERAL = 1,
  // PERSISTENT, with ten digits behind its name that only grow.
  ZOOWARDEN_PERSISTENT_SEQUENTIAL = 2,
  // EPHEMERAL, with ten digits behind its name that only grow.
  ZOOWARDEN_EPHEMERAL_SEQUENTIAL = 3,
  // Is deleted some time after its last child.
  ZOOWARDEN_CONTAINER = 4,
  // Is deleted `ttl_ms` after its last change, if it has no children.
  ZOOWARDEN_PERSISTENT_WITH_TTL = 5,
  // PERSISTENT_WITH_TTL, with ten digits behind its name that only grow.
  ZOOWARDEN_PERSISTENT_SEQUENTIAL_WITH_TTL = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zoowarden_create_mode zoowarden_create_mode;
#else
typedef int32_t zoowarden_create_mode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Who runs a client's callbacks.
enum zoowarden_dispatch
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // A thread of the client's own, "zoowarden-cb".
  ZOOWARDEN_DISPATCH_THREAD = 0,
  // The program's loop: it watches zoowarden_client_descriptor() and calls
  // zoowarden_client_dispatch().
  ZOOWARDEN_DISPATCH_LOOP = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zoowarden_dispatch zoowarden_dispatch;
#else
typedef int32_t zoowarden_dispatch;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a watch tells.
enum zoowarden_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // The znode was created.
  ZOOWARDEN_EVENT_CREATED = 1,
  // The znode was deleted.
  ZOOWARDEN_EVENT_DELETED = 2,
  // The znode's data was set.
  ZOOWARDEN_EVENT_DATA_CHANGED = 3,
  // A child of the znode was created or deleted.
  ZOOWARDEN_EVENT_CHILDREN_CHANGED = 4,
  // The client's state changed, to `state`. The watch stays, unless ENDED follows.
  ZOOWARDEN_EVENT_STATE = 5,
  // The callback was too slow: `dropped` events are lost. Read again what you watch.
  ZOOWARDEN_EVENT_OVERFLOW = 6,
  // The last call for this watch: it has fired, was removed, or its session or client is over.
  // `user` is not touched again.
  ZOOWARDEN_EVENT_ENDED = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zoowarden_event_kind zoowarden_event_kind;
#else
typedef int32_t zoowarden_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What becomes of a client whose session expires.
enum zoowarden_on_expiry
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It is over: every call is answered ZOOWARDEN_SESSION_EXPIRED.
  ZOOWARDEN_ON_EXPIRY_END = 0,
  // It begins a new session; watches end, ephemerals are gone.
  ZOOWARDEN_ON_EXPIRY_RENEW = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zoowarden_on_expiry zoowarden_on_expiry;
#else
typedef int32_t zoowarden_on_expiry;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a holding stands.
enum zoowarden_standing
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It is ours.
  ZOOWARDEN_STANDING_HELD = 1,
  // It may be lost: there is no connection. Begin nothing that needs it.
  ZOOWARDEN_STANDING_UNCERTAIN = 2,
  // Lost: it was released.
  ZOOWARDEN_STANDING_RELEASED = 3,
  // Lost: somebody removed its znode.
  ZOOWARDEN_STANDING_REMOVED = 4,
  // Lost: the session, or the client, has ended.
  ZOOWARDEN_STANDING_SESSION_ENDED = 5,
  // Lost: there was no connection for a third of the session timeout.
  ZOOWARDEN_STANDING_OUT_OF_CONTACT = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zoowarden_standing zoowarden_standing;
#else
typedef int32_t zoowarden_standing;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Where a client stands.
enum zoowarden_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Looking for a server, for the first time.
  ZOOWARDEN_STATE_CONNECTING = 1,
  // Connected to a server that reads and writes.
  ZOOWARDEN_STATE_CONNECTED = 2,
  // Connected to a server that only reads.
  ZOOWARDEN_STATE_CONNECTED_READ_ONLY = 3,
  // The connection is lost; the session may live on, and another server is looked for.
  ZOOWARDEN_STATE_SUSPENDED = 4,
  // The session is over; its ephemerals are gone.
  ZOOWARDEN_STATE_EXPIRED = 5,
  // The servers refused the credentials; the client is of no use any more.
  ZOOWARDEN_STATE_AUTH_FAILED = 6,
  // The client was closed.
  ZOOWARDEN_STATE_CLOSED = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zoowarden_state zoowarden_state;
#else
typedef int32_t zoowarden_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How far a watch of zoowarden_add_watch() looks.
enum zoowarden_watch_mode
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Data and children of one path.
  ZOOWARDEN_WATCH_PERSISTENT = 0,
  // A path and everything below it; children are not told of, their creation and deletion is.
  ZOOWARDEN_WATCH_PERSISTENT_RECURSIVE = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum zoowarden_watch_mode zoowarden_watch_mode;
#else
typedef int32_t zoowarden_watch_mode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A znode's metadata.
typedef struct zoowarden_stat {
  // The change that created the znode.
  int64_t czxid;
  // The last change of its data.
  int64_t mzxid;
  // The last creation or deletion of a child.
  int64_t pzxid;
  // Creation time, milliseconds since 1970.
  int64_t ctime;
  // Time of the last change of its data, milliseconds since 1970.
  int64_t mtime;
  // The owning session of an ephemeral, else 0.
  int64_t ephemeral_owner;
  // Number of data changes.
  int32_t version;
  // Number of children created and deleted.
  int32_t cversion;
  // Number of ACL changes.
  int32_t aversion;
  // Bytes of data.
  int32_t data_length;
  // Direct children.
  int32_t num_children;
} zoowarden_stat;

// One entry of an access control list, or one identity (then `perms` is 0).
typedef struct zoowarden_acl {
  // Bits ZOOWARDEN_PERM_*.
  int32_t perms;
  // "world", "digest", "ip", "auth", ...
  const char *scheme;
  // Who, in that scheme.
  const char *id;
} zoowarden_acl;

// What became of one operation of a transaction or of a multi_read.
typedef struct zoowarden_outcome {
  // ZOOWARDEN_OK if it was done. In a transaction that failed nothing was done, and this is:
  // the reason for the operation that failed, ZOOWARDEN_RUNTIME_INCONSISTENCY for those behind
  // it, ZOOWARDEN_OK for those ahead of it.
  zoowarden_code code;
  // create: the path of the new znode. Else NULL.
  const char *path;
  // create, set, and reading data: the stat. Else zeros.
  struct zoowarden_stat stat;
  // Reading data: the data; NULL if the znode has none.
  const uint8_t *data;
  // Bytes of `data`.
  size_t data_length;
  // Reading children: their names.
  const char *const *names;
  // Number of `names`.
  size_t names_count;
} zoowarden_outcome;

// A watch. It needs no closing: its handle is closed by the library once the watch has ended.
typedef struct zoowarden_watch {
  // Of no meaning to a program; zero names no watch.
  uint64_t id;
} zoowarden_watch;

// What an operation gives; which fields it fills stands with each function, the others are zero.
// Later versions add fields at the end, so a program never allocates or copies one.
typedef struct zoowarden_answer {
  // The znode's metadata.
  struct zoowarden_stat stat;
  // Data of a znode, not NUL-terminated; NULL if it has none, which differs from empty data.
  const uint8_t *data;
  // Bytes of `data`.
  size_t data_length;
  // A path, without the chroot.
  const char *path;
  // Names of children (not paths), or paths of ephemerals, in no particular order.
  const char *const *names;
  // Number of `names`.
  size_t names_count;
  // An access control list, or the identities of this client.
  const struct zoowarden_acl *acl;
  // Number of `acl`.
  size_t acl_count;
  // What became of each operation of a transaction or of a multi_read, in their order.
  const struct zoowarden_outcome *outcomes;
  // Number of `outcomes`.
  size_t outcomes_count;
  // A number that was asked for.
  int32_t count;
  // The watch that was set; zeros if none was.
  struct zoowarden_watch watch;
} zoowarden_answer;

// How clients shall be opened. Freed with zoowarden_options_free(); may be used for many clients.
typedef struct zoowarden_options {
  // Of no meaning to a program; zero stands for the defaults.
  uint64_t id;
} zoowarden_options;

// A client: one session with an ensemble, over one connection at a time. Closed with
// zoowarden_client_close().
typedef struct zoowarden_client {
  // Of no meaning to a program; zero names no client.
  uint64_t id;
} zoowarden_client;

// Called once when an asynchronous call is done. `code` is what the blocking form would have
// answered, and zoowarden_error_text() tells of it. `answer` is never NULL, and gone when the
// function returns; its fields are zero if there is nothing to tell.
typedef void (*zoowarden_completion)(zoowarden_code code,
                                     const struct zoowarden_answer *answer,
                                     void *user);

// A session as zoowarden_client_session() tells it. Id and password are what
// zoowarden_options_session() takes, to go on with the session in another process.
typedef struct zoowarden_session {
  // 0 before the first connection.
  int64_t id;
  // Whoever has it can go on with the session.
  uint8_t password[16];
  // As the server granted it, in milliseconds.
  uint32_t timeout_ms;
  // The greatest zxid seen.
  int64_t last_zxid;
} zoowarden_session;

// Somebody who may log in to a node by SASL.
typedef struct zoowarden_sasl_user {
  // The name, which ACLs of the scheme sasl have.
  const char *user;
  // The password.
  const char *password;
} zoowarden_sasl_user;

// How a node shall be. A struct of zeros, and NULL, stand for a single server that keeps everything in
// memory and listens on a free port of 127.0.0.1.
typedef struct zoowarden_node_options {
  // The text of a whole zoo.cfg (dataDir and clientPort too), for everything that has no field
  // here, members of an ensemble for example; NULL for none. What is given below comes before it.
  const char *zoo_cfg;
  // This server's number among the members in `zoo_cfg`; 0 for a single server.
  uint8_t my_id;
  // The directory of its data; NULL for what `zoo_cfg` says, or memory without it.
  const char *data_dir;
  // Where clients connect: "127.0.0.1:2181", port 0 for a free one; NULL for what `zoo_cfg` says.
  const char *client_address;
  // Milliseconds of a tick, the unit of its timing; 0 for what `zoo_cfg` says.
  uint32_t tick_ms;
  // Who may log in by SASL; NULL for nobody. Who does not log in is served as well, as nobody.
  const struct zoowarden_sasl_user *sasl_users;
  // Number of `sasl_users`.
  size_t sasl_user_count;
} zoowarden_node_options;

// A server inside this process. Stopped with zoowarden_node_stop().
typedef struct zoowarden_node {
  // Of no meaning to a program; zero names no node.
  uint64_t id;
} zoowarden_node;

// Called for each change of a client's state, in order with its other callbacks, and last with
// ZOOWARDEN_STATE_CLOSED.
typedef void (*zoowarden_state_fn)(struct zoowarden_client client, int32_t state, void *user);

// An event as a watch's callback gets it; gone when the callback returns.
typedef struct zoowarden_event {
  // One of zoowarden_event_kind.
  int32_t kind;
  // The new state, one of zoowarden_state; 0 unless `kind` is STATE.
  int32_t state;
  // CREATED to CHILDREN_CHANGED: the znode's path, without the chroot. Else NULL.
  const char *path;
  // The change behind the event; -1 where the server does not tell, 0 where there is none.
  int64_t zxid;
  // Events lost; 0 unless `kind` is OVERFLOW.
  uint64_t dropped;
  // The watch.
  struct zoowarden_watch watch;
} zoowarden_event;

// Called for each event of a watch.
typedef void (*zoowarden_watch_fn)(const struct zoowarden_event *event, void *user);

// Whom to tell. Given to a read to set a one-shot watch with it, or to zoowarden_add_watch(). If
// that call fails, `function` is never called; one exception is ZOOWARDEN_NO_NODE from exists, which
// sets the watch. Else it is called last with ZOOWARDEN_EVENT_ENDED.
typedef struct zoowarden_watcher {
  // Must not be NULL.
  zoowarden_watch_fn function;
  // Handed to `function`; may be NULL.
  void *user;
} zoowarden_watcher;

// One read of zoowarden_multi_read().
typedef struct zoowarden_read {
  // The znode.
  const char *path;
  // Its children's names if true, else its data.
  bool children;
} zoowarden_read;

// Something held: a lock, or a leadership. Ends with zoowarden_holding_release(), also when it is
// lost.
typedef struct zoowarden_holding {
  // Of no meaning to a program; zero names no holding.
  uint64_t id;
} zoowarden_holding;

// Called once when an attempt to hold has ended. With a `code` other than ZOOWARDEN_OK `holding` is
// zeros; else it is the caller's, who ends it with zoowarden_holding_release().
typedef void (*zoowarden_holding_fn)(zoowarden_code code,
                                     struct zoowarden_holding holding,
                                     void *user);

// Called once when a holding is lost, by whatever cause; `standing` is one of zoowarden_standing.
typedef void (*zoowarden_loss_fn)(struct zoowarden_holding holding, int32_t standing, void *user);

// Changes that are carried out all or not at all. Ends with zoowarden_transaction_commit(),
// its asynchronous form, or zoowarden_transaction_free().
typedef struct zoowarden_transaction {
  // Of no meaning to a program; zero names no transaction.
  uint64_t id;
} zoowarden_transaction;

// How to create a znode. A struct of zeros, and NULL, stand for a persistent one open to everybody.
typedef struct zoowarden_create_options {
  // One of zoowarden_create_mode.
  int32_t mode;
  // For the modes with a TTL only: milliseconds, more than 0.
  int64_t ttl_ms;
  // Who may do what with it; NULL for everybody everything.
  const struct zoowarden_acl *acl;
  // Number of `acl`.
  size_t acl_count;
} zoowarden_create_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of this library as a NUL-terminated string with static lifetime: `"0.1.0"`.
const char *zoowarden_version(void);

// Frees what a blocking function gave through its `answer` and sets `*answer` to NULL, so that
// freeing the same variable twice does nothing. NULL and a pointer to NULL are allowed.
//
// Requires: `*answer` is NULL or came from a blocking function, and was not freed through a copy.
void zoowarden_answer_free(struct zoowarden_answer **answer);

// Opens a client and returns at once; it connects, and connects again, in the background. Calls made
// before it is connected wait. `*client` is closed with zoowarden_client_close(). `options` of zeros
// stands for the defaults; options may be freed, or used again, afterwards.
//
// Requires: `client` is writable.
zoowarden_code zoowarden_client_open(struct zoowarden_options options,
                                     struct zoowarden_client *client);

// Opens a client of `hosts` ("a:2181,b:2181/chroot") with the defaults and waits until it is
// connected, `timeout_ms` at most (0: as long as it takes). If that fails there is no client to close.
//
// Requires: `hosts` is a string, `client` is writable.
zoowarden_code zoowarden_connect(const char *hosts,
                                 uint32_t timeout_ms,
                                 struct zoowarden_client *client);

// Waits until the client is connected. Fails with ZOOWARDEN_SESSION_EXPIRED,
// ZOOWARDEN_AUTH_FAILED or ZOOWARDEN_CLOSING if it never will be, and with
// ZOOWARDEN_OPERATION_TIMEOUT after `timeout_ms`; it goes on connecting then.
zoowarden_code zoowarden_client_wait_connected(struct zoowarden_client client, uint32_t timeout_ms);

// As zoowarden_client_wait_connected(), without waiting.
//
// Requires: `user` is what `completion` takes.
zoowarden_code zoowarden_client_wait_connected_async(struct zoowarden_client client,
                                                     zoowarden_completion completion,
                                                     void *user);

// Closes the session, on the server too: its ephemerals are gone when this returns, unless no server
// could be reached. Calls that wait are answered ZOOWARDEN_CLOSING, watches get
// ZOOWARDEN_EVENT_ENDED. When this returns no callback of the client runs, nor will; called inside a
// callback it does not wait for those that remain, which are run afterwards. With
// ZOOWARDEN_DISPATCH_LOOP they are run inside this call; take the descriptor out of your loop first.
zoowarden_code zoowarden_client_close(struct zoowarden_client client);

// As zoowarden_client_close(), without waiting; `completion` is the last callback of the client to be
// called. With ZOOWARDEN_DISPATCH_LOOP go on dispatching until then.
//
// Requires: `user` is what `completion` takes.
zoowarden_code zoowarden_client_close_async(struct zoowarden_client client,
                                            zoowarden_completion completion,
                                            void *user);

// Where the client stands: one of zoowarden_state.
//
// Requires: `state` is writable.
zoowarden_code zoowarden_client_state(struct zoowarden_client client, int32_t *state);

// The client's session.
//
// Requires: `session` is writable.
zoowarden_code zoowarden_client_session(struct zoowarden_client client,
                                        struct zoowarden_session *session);

// The address of the server that the client is connected to, "127.0.0.1:2181", or an empty string,
// copied to `buffer`. `*length` is its length without the NUL (`length` may be NULL); with a
// `capacity` that is too small ZOOWARDEN_BAD_ARGUMENTS. 64 bytes are enough.
//
// Requires: `buffer` has `capacity` writable bytes; `length` is NULL or writable.
zoowarden_code zoowarden_client_server(struct zoowarden_client client,
                                       char *buffer,
                                       size_t capacity,
                                       size_t *length);

// The path that all paths of this client are below, or an empty string, copied to `buffer` as
// zoowarden_client_server() does.
//
// Requires: `buffer` has `capacity` writable bytes; `length` is NULL or writable.
zoowarden_code zoowarden_client_chroot(struct zoowarden_client client,
                                       char *buffer,
                                       size_t capacity,
                                       size_t *length);

// Tells the client of other servers of the same ensemble, as in zoowarden_options_hosts(); a chroot
// must be the same. It stays where it is if its server is among them.
//
// Requires: `hosts` is a string.
zoowarden_code zoowarden_client_set_hosts(struct zoowarden_client client, const char *hosts);

// With ZOOWARDEN_DISPATCH_LOOP: a descriptor that poll() finds readable while callbacks wait. Only
// poll it: it belongs to the library, which closes it when the client is closed. Without:
// ZOOWARDEN_INVALID_STATE.
//
// Requires: `descriptor` is writable.
zoowarden_code zoowarden_client_descriptor(struct zoowarden_client client, int32_t *descriptor);

// With ZOOWARDEN_DISPATCH_LOOP: runs callbacks that wait, `max` at most (0: all that wait now), on
// this thread, and tells in `*count` how many (`count` may be NULL). Does not wait, but for one
// case: once the session of a client that is being closed has ended, it runs all, and waits for those
// whose calls are still on their way. ZOOWARDEN_INVALID_STATE if callbacks of this client are being run already: by
// another thread, or by this one, because it was called inside a callback.
//
// Requires: `count` is NULL or writable.
zoowarden_code zoowarden_client_dispatch(struct zoowarden_client client,
                                         size_t max,
                                         size_t *count);

// The name of a code's constant: "ZOOWARDEN_NO_NODE"; "unknown code" for any other number. Static;
// never freed.
const char *zoowarden_code_name(int32_t code);

// What happened, to what, and what to do: of the call that failed last on this thread, or, inside
// a callback with a code other than ZOOWARDEN_OK, of that code. Empty if nothing failed yet. It
// belongs to the library and is good until the next call on this thread fails.
const char *zoowarden_error_text(void);

// The path that the failure of zoowarden_error_text() is about, without the chroot; NULL if it is
// about none. It belongs to the library and is good until the next call on this thread fails.
const char *zoowarden_error_path(void);

// Whether the failure of zoowarden_error_text() is known to have changed nothing on the servers.
// False where the outcome is unknown: ZOOWARDEN_CONNECTION_LOSS and ZOOWARDEN_OPERATION_TIMEOUT
// of a request that had been sent.
bool zoowarden_error_nothing_changed(void);

// Starts a server inside this process. A single one serves when this returns; for a member of an
// ensemble see zoowarden_node_wait_ready(). `options` may be NULL. `*node` is stopped with
// zoowarden_node_stop(). ZOOWARDEN_BAD_ARGUMENTS if the configuration is wrong,
// ZOOWARDEN_SYSTEM_ERROR if the address or the directory cannot be used; the text tells.
//
// Requires: `options` is NULL or points to one whose strings are NULL or strings; `node` is writable.
zoowarden_code zoowarden_node_start(const struct zoowarden_node_options *options,
                                    struct zoowarden_node *node);

// Waits until the node serves clients, which takes a quorum of its ensemble; `timeout_ms` at most
// (0: as long as it takes).
zoowarden_code zoowarden_node_wait_ready(struct zoowarden_node node, uint32_t timeout_ms);

// What zoowarden_connect() takes to connect to the node, "127.0.0.1:40001", copied to `buffer`.
// `*length` is its length without the NUL (`length` may be NULL); with a `capacity` that is too
// small ZOOWARDEN_BAD_ARGUMENTS. 64 bytes are enough.
//
// Requires: `buffer` has `capacity` writable bytes; `length` is NULL or writable.
zoowarden_code zoowarden_node_connect_string(struct zoowarden_node node,
                                             char *buffer,
                                             size_t capacity,
                                             size_t *length);

// Whether the node leads its ensemble; a single one leads itself.
//
// Requires: `leads` is writable.
zoowarden_code zoowarden_node_is_leader(struct zoowarden_node node, bool *leads);

// Ends a session as its expiry does, for tests: its ephemerals are gone when this returns.
// ZOOWARDEN_UNKNOWN_SESSION if there is none of this id.
zoowarden_code zoowarden_node_expire_session(struct zoowarden_node node, int64_t session);

// Stops the node in good order: what was acknowledged is kept (if it has a directory), its port is free
// when this returns. Clients, also those of this process, lose their connections; calls that wait for
// the node are answered ZOOWARDEN_CLOSING.
zoowarden_code zoowarden_node_stop(struct zoowarden_node node);

// Makes a set of options with the defaults: one server at 127.0.0.1:2181, a session timeout of 10 s.
// Freed with zoowarden_options_free().
//
// Requires: `options` is writable.
zoowarden_code zoowarden_options_new(struct zoowarden_options *options);

// Frees a set of options; clients opened with it stay as they are.
zoowarden_code zoowarden_options_free(struct zoowarden_options options);

// The servers: "a:2181,b,[::1]:2182/chroot". The port is 2181 where none is named; with a chroot all
// paths of the client are below it.
//
// Requires: `hosts` is a string.
zoowarden_code zoowarden_options_hosts(struct zoowarden_options options,
                                       const char *hosts);

// The session timeout to ask for, in milliseconds: how long a session outlives the last word of its
// client. Servers grant what their limits allow.
zoowarden_code zoowarden_options_session_timeout(struct zoowarden_options options,
                                                 uint32_t timeout_ms);

// What `timeout_ms` 0 stands for in every blocking call of the client, in milliseconds. Without it:
// ZOOWARDEN_FOREVER, and the session's own timers end a call whose connection dies.
zoowarden_code zoowarden_options_call_timeout(struct zoowarden_options options,
                                              uint32_t timeout_ms);

// Whether the client may use a server that has no contact with a quorum and only reads. No without it.
zoowarden_code zoowarden_options_read_only(struct zoowarden_options options,
                                           bool allowed);

// Whether the servers are tried in random order. Yes without it.
zoowarden_code zoowarden_options_shuffle(struct zoowarden_options options, bool shuffle);

// What becomes of the client when its session expires: one of zoowarden_on_expiry.
zoowarden_code zoowarden_options_on_expiry(struct zoowarden_options options, int32_t on_expiry);

// Goes on with a session that another client, or another process, had: its id and its password of
// 16 bytes, from zoowarden_client_session().
//
// Requires: `password` has 16 bytes.
zoowarden_code zoowarden_options_session(struct zoowarden_options options,
                                         int64_t id,
                                         const uint8_t *password);

// Credentials that the client presents on every connection: for scheme "digest", "user:password".
// May be called several times.
//
// Requires: `scheme` is a string, `credentials` has `length` bytes.
zoowarden_code zoowarden_options_auth(struct zoowarden_options options,
                                      const char *scheme,
                                      const void *credentials,
                                      size_t length);

// Who the client is by SASL (DIGEST-MD5), proven on every connection before anything else is sent;
// NULL for both: nobody. If a server refuses, or cannot prove that it knows the password too, every
// call is answered ZOOWARDEN_AUTH_FAILED.
//
// Requires: `user` and `password` are strings, or both NULL.
zoowarden_code zoowarden_options_sasl(struct zoowarden_options options,
                                      const char *user,
                                      const char *password);

// Whom to tell of changes of the client's state; NULL for nobody. `user` must stay good until the
// client is closed.
//
// Requires: `user` is what `function` takes.
zoowarden_code zoowarden_options_states(struct zoowarden_options options,
                                        zoowarden_state_fn function,
                                        void *user);

// Who runs the callbacks: one of zoowarden_dispatch. ZOOWARDEN_DISPATCH_THREAD without it.
zoowarden_code zoowarden_options_dispatch(struct zoowarden_options options, int32_t dispatch);

// Connects inside this process, to this node, whatever hosts are named: no port and no socket is
// used. The client sees a lost connection once the node is stopped.
zoowarden_code zoowarden_options_node(struct zoowarden_options options, struct zoowarden_node node);

// Speaks TLS with the servers, whose names must be in their certificates. All files are PEM: `roots` has
// the authorities to trust (NULL: those of the operating system), `certificate` and `key` say who we
// are (both NULL: nobody). They are read now; ZOOWARDEN_BAD_ARGUMENTS says what is wrong with them.
//
// Requires: The strings are NULL or strings.
zoowarden_code zoowarden_options_tls(struct zoowarden_options options,
                                     const char *roots,
                                     const char *certificate,
                                     const char *key);

// The data of a znode: `data`, `data_length`, `stat`. With a watcher also a one-shot `watch` of its
// data and deletion.
//
// Requires: `path` is a string, `watcher` is NULL or points to one; `answer` is NULL or writable.
zoowarden_code zoowarden_get(struct zoowarden_client client,
                             const char *path,
                             const struct zoowarden_watcher *watcher,
                             uint32_t timeout_ms,
                             struct zoowarden_answer **answer);

// As zoowarden_get(), without waiting.
//
// Requires: `path` is a string, `watcher` is NULL or points to one; `user` is what `completion` takes.
zoowarden_code zoowarden_get_async(struct zoowarden_client client,
                                   const char *path,
                                   const struct zoowarden_watcher *watcher,
                                   zoowarden_completion completion,
                                   void *user);

// Whether a znode exists: its `stat`, or ZOOWARDEN_NO_NODE. With a watcher also a one-shot `watch` of
// its creation, data and deletion, in both cases; so with ZOOWARDEN_NO_NODE there is an answer to
// free, too.
//
// Requires: `path` is a string, `watcher` is NULL or points to one; `answer` is NULL or writable.
zoowarden_code zoowarden_exists(struct zoowarden_client client,
                                const char *path,
                                const struct zoowarden_watcher *watcher,
                                uint32_t timeout_ms,
                                struct zoowarden_answer **answer);

// As zoowarden_exists(), without waiting.
//
// Requires: `path` is a string, `watcher` is NULL or points to one; `user` is what `completion` takes.
zoowarden_code zoowarden_exists_async(struct zoowarden_client client,
                                      const char *path,
                                      const struct zoowarden_watcher *watcher,
                                      zoowarden_completion completion,
                                      void *user);

// The children of a znode: `names`, and its own `stat`. With a watcher also a one-shot `watch` of its
// children and deletion.
//
// Requires: `path` is a string, `watcher` is NULL or points to one; `answer` is NULL or writable.
zoowarden_code zoowarden_get_children(struct zoowarden_client client,
                                      const char *path,
                                      const struct zoowarden_watcher *watcher,
                                      uint32_t timeout_ms,
                                      struct zoowarden_answer **answer);

// As zoowarden_get_children(), without waiting.
//
// Requires: `path` is a string, `watcher` is NULL or points to one; `user` is what `completion` takes.
zoowarden_code zoowarden_get_children_async(struct zoowarden_client client,
                                            const char *path,
                                            const struct zoowarden_watcher *watcher,
                                            zoowarden_completion completion,
                                            void *user);

// The access control list of a znode: `acl`, `stat`.
//
// Requires: `path` is a string; `answer` is NULL or writable.
zoowarden_code zoowarden_get_acl(struct zoowarden_client client,
                                 const char *path,
                                 uint32_t timeout_ms,
                                 struct zoowarden_answer **answer);

// As zoowarden_get_acl(), without waiting.
//
// Requires: `path` is a string; `user` is what `completion` takes.
zoowarden_code zoowarden_get_acl_async(struct zoowarden_client client,
                                       const char *path,
                                       zoowarden_completion completion,
                                       void *user);

// How many znodes are below a znode, at any depth: `count`.
//
// Requires: `path` is a string; `answer` is NULL or writable.
zoowarden_code zoowarden_get_all_children_number(struct zoowarden_client client,
                                                 const char *path,
                                                 uint32_t timeout_ms,
                                                 struct zoowarden_answer **answer);

// As zoowarden_get_all_children_number(), without waiting.
//
// Requires: `path` is a string; `user` is what `completion` takes.
zoowarden_code zoowarden_get_all_children_number_async(struct zoowarden_client client,
                                                       const char *path,
                                                       zoowarden_completion completion,
                                                       void *user);

// The paths of this session's ephemerals below `prefix` (NULL: all): `names`.
//
// Requires: `prefix` is NULL or a string; `answer` is NULL or writable.
zoowarden_code zoowarden_get_ephemerals(struct zoowarden_client client,
                                        const char *prefix,
                                        uint32_t timeout_ms,
                                        struct zoowarden_answer **answer);

// As zoowarden_get_ephemerals(), without waiting.
//
// Requires: `prefix` is NULL or a string; `user` is what `completion` takes.
zoowarden_code zoowarden_get_ephemerals_async(struct zoowarden_client client,
                                              const char *prefix,
                                              zoowarden_completion completion,
                                              void *user);

// Reads several znodes at one moment: `outcomes`, in the order of `reads`, each with its own code.
//
// Requires: `reads` has `reads_count` elements whose paths are strings; `answer` is NULL or writable.
zoowarden_code zoowarden_multi_read(struct zoowarden_client client,
                                    const struct zoowarden_read *reads,
                                    size_t reads_count,
                                    uint32_t timeout_ms,
                                    struct zoowarden_answer **answer);

// As zoowarden_multi_read(), without waiting.
//
// Requires: `reads` has `reads_count` elements whose paths are strings; `user` is what `completion` takes.
zoowarden_code zoowarden_multi_read_async(struct zoowarden_client client,
                                          const struct zoowarden_read *reads,
                                          size_t reads_count,
                                          zoowarden_completion completion,
                                          void *user);

// Waits until the lock at `path` is ours, `timeout_ms` at most; after a failure we do not stand in
// line any more. `identifier` is what others see of us (NULL: nothing). The path is created when it
// is needed; kazoo's `Lock` on the same path excludes us and is excluded. Not reentrant.
//
// Requires: `path` is a string, `identifier` is NULL or a string, `holding` is writable.
zoowarden_code zoowarden_lock_acquire(struct zoowarden_client client,
                                      const char *path,
                                      const char *identifier,
                                      uint32_t timeout_ms,
                                      struct zoowarden_holding *holding);

// As zoowarden_lock_acquire(), without waiting.
//
// Requires: `path` is a string, `identifier` is NULL or a string, `user` is what `function` takes.
zoowarden_code zoowarden_lock_acquire_async(struct zoowarden_client client,
                                            const char *path,
                                            const char *identifier,
                                            zoowarden_holding_fn function,
                                            void *user);

// The lock if nobody holds it or waits for it; else `*holding` is zeros.
//
// Requires: As for zoowarden_lock_acquire().
zoowarden_code zoowarden_lock_try_acquire(struct zoowarden_client client,
                                          const char *path,
                                          const char *identifier,
                                          uint32_t timeout_ms,
                                          struct zoowarden_holding *holding);

// Stands for election at `path` and waits until we lead, `timeout_ms` at most; after a failure we do
// not stand any more. A leader must stop by itself when its holding is lost.
//
// Requires: As for zoowarden_lock_acquire().
zoowarden_code zoowarden_election_lead(struct zoowarden_client client,
                                       const char *path,
                                       const char *identifier,
                                       uint32_t timeout_ms,
                                       struct zoowarden_holding *holding);

// As zoowarden_election_lead(), without waiting.
//
// Requires: As for zoowarden_lock_acquire_async().
zoowarden_code zoowarden_election_lead_async(struct zoowarden_client client,
                                             const char *path,
                                             const char *identifier,
                                             zoowarden_holding_fn function,
                                             void *user);

// Who leads the election at `path`: its identifier as `data`, its token as `stat.czxid`.
// ZOOWARDEN_NO_NODE if nobody does.
//
// Requires: `path` is a string; `answer` is NULL or writable.
zoowarden_code zoowarden_election_leader(struct zoowarden_client client,
                                         const char *path,
                                         uint32_t timeout_ms,
                                         struct zoowarden_answer **answer);

// How the holding stands now: one of zoowarden_standing.
//
// Requires: `standing` is writable.
zoowarden_code zoowarden_holding_standing(struct zoowarden_holding holding, int32_t *standing);

// The fencing token: greater than that of every earlier holder. Give it to whatever the holding
// protects, and let that refuse a smaller one.
//
// Requires: `token` is writable.
zoowarden_code zoowarden_holding_token(struct zoowarden_holding holding, int64_t *token);

// Asks to be told when the holding is lost: `function` is called once, by release too, with the
// client's other callbacks; it is not called any more once the client is closed.
//
// Requires: `user` is what `function` takes, until it was called or the client is closed.
zoowarden_code zoowarden_holding_on_loss(struct zoowarden_holding holding,
                                         zoowarden_loss_fn function,
                                         void *user);

// Gives the holding back, and waits until its znode is gone: until then nobody else holds. It stops
// being held at once, and the znode goes even if this answers ZOOWARDEN_OPERATION_TIMEOUT. The handle is
// closed in any case; releasing what was lost is no error.
zoowarden_code zoowarden_holding_release(struct zoowarden_holding holding,
                                         uint32_t timeout_ms);

// Sets a watch that stays until zoowarden_watch_remove(), also over lost connections: `watch`. `mode` is
// one of zoowarden_watch_mode; the znode need not exist.
//
// Requires: `path` is a string, `watcher` points to one; `answer` is NULL or writable.
zoowarden_code zoowarden_add_watch(struct zoowarden_client client,
                                   const char *path,
                                   int32_t mode,
                                   const struct zoowarden_watcher *watcher,
                                   uint32_t timeout_ms,
                                   struct zoowarden_answer **answer);

// As zoowarden_add_watch(), without waiting.
//
// Requires: `path` is a string, `watcher` points to one; `user` is what `completion` takes.
zoowarden_code zoowarden_add_watch_async(struct zoowarden_client client,
                                         const char *path,
                                         int32_t mode,
                                         const struct zoowarden_watcher *watcher,
                                         zoowarden_completion completion,
                                         void *user);

// Waits until the server has seen everything that was acknowledged to anybody before the call: what is
// read behind it is not older. To do both in one round trip, call zoowarden_sync_async() with a NULL
// completion and then read.
//
// Requires: `path` is a string; `answer` is NULL or writable.
zoowarden_code zoowarden_sync(struct zoowarden_client client,
                              const char *path,
                              uint32_t timeout_ms,
                              struct zoowarden_answer **answer);

// As zoowarden_sync(), without waiting.
//
// Requires: `path` is a string; `user` is what `completion` takes.
zoowarden_code zoowarden_sync_async(struct zoowarden_client client,
                                    const char *path,
                                    zoowarden_completion completion,
                                    void *user);

// Presents credentials, now and on every later connection: for scheme "digest", "user:password".
//
// Requires: `scheme` is a string, `credentials` has `credentials_length` bytes; `answer` is NULL or writable.
zoowarden_code zoowarden_add_auth(struct zoowarden_client client,
                                  const char *scheme,
                                  const void *credentials,
                                  size_t credentials_length,
                                  uint32_t timeout_ms,
                                  struct zoowarden_answer **answer);

// As zoowarden_add_auth(), without waiting.
//
// Requires: `scheme` is a string, `credentials` has `credentials_length` bytes; `user` is what `completion` takes.
zoowarden_code zoowarden_add_auth_async(struct zoowarden_client client,
                                        const char *scheme,
                                        const void *credentials,
                                        size_t credentials_length,
                                        zoowarden_completion completion,
                                        void *user);

// The identities that the server gives to this client: `acl`, with `perms` 0.
//
// Requires: `answer` is NULL or writable.
zoowarden_code zoowarden_who_am_i(struct zoowarden_client client,
                                  uint32_t timeout_ms,
                                  struct zoowarden_answer **answer);

// As zoowarden_who_am_i(), without waiting.
//
// Requires: `user` is what `completion` takes.
zoowarden_code zoowarden_who_am_i_async(struct zoowarden_client client,
                                        zoowarden_completion completion,
                                        void *user);

// The ensemble's configuration as text, whatever the chroot: `data`, `stat`. With a watcher also a
// one-shot `watch` of it.
//
// Requires: `watcher` is NULL or points to one; `answer` is NULL or writable.
zoowarden_code zoowarden_get_config(struct zoowarden_client client,
                                    const struct zoowarden_watcher *watcher,
                                    uint32_t timeout_ms,
                                    struct zoowarden_answer **answer);

// As zoowarden_get_config(), without waiting.
//
// Requires: `watcher` is NULL or points to one; `user` is what `completion` takes.
zoowarden_code zoowarden_get_config_async(struct zoowarden_client client,
                                          const struct zoowarden_watcher *watcher,
                                          zoowarden_completion completion,
                                          void *user);

// Changes the ensemble: servers that join ("server.4=..."), ids that leave ("2,3"), or all `members` at
// once; NULL for what is not meant. Only if the configuration has `version`, -1 for any. Gives the
// new configuration: `data`, `stat`.
//
// Requires: The strings are NULL or strings; `answer` is NULL or writable.
zoowarden_code zoowarden_reconfig(struct zoowarden_client client,
                                  const char *joining,
                                  const char *leaving,
                                  const char *members,
                                  int64_t version,
                                  uint32_t timeout_ms,
                                  struct zoowarden_answer **answer);

// As zoowarden_reconfig(), without waiting.
//
// Requires: The strings are NULL or strings; `user` is what `completion` takes.
zoowarden_code zoowarden_reconfig_async(struct zoowarden_client client,
                                        const char *joining,
                                        const char *leaving,
                                        const char *members,
                                        int64_t version,
                                        zoowarden_completion completion,
                                        void *user);

// Begins a transaction; nothing is sent before it is committed, by any client. It ends with
// zoowarden_transaction_commit(), its asynchronous form, or zoowarden_transaction_free().
//
// Requires: `transaction` is writable.
zoowarden_code zoowarden_transaction_new(struct zoowarden_transaction *transaction);

// Gives up a transaction that was not committed.
zoowarden_code zoowarden_transaction_free(struct zoowarden_transaction transaction);

// Adds a creation, as zoowarden_create() takes it.
//
// Requires: `path` is a string, `data` has `data_length` bytes, `options` is NULL or points to one.
zoowarden_code zoowarden_transaction_create(struct zoowarden_transaction transaction,
                                            const char *path,
                                            const void *data,
                                            size_t data_length,
                                            const struct zoowarden_create_options *options);

// Adds a deletion, as zoowarden_delete() takes it.
//
// Requires: `path` is a string.
zoowarden_code zoowarden_transaction_delete(struct zoowarden_transaction transaction,
                                            const char *path,
                                            int32_t version);

// Adds a change of data, as zoowarden_set() takes it.
//
// Requires: `path` is a string, `data` has `data_length` bytes.
zoowarden_code zoowarden_transaction_set(struct zoowarden_transaction transaction,
                                         const char *path,
                                         const void *data,
                                         size_t data_length,
                                         int32_t version);

// Adds a condition: the znode exists and has `version` (ZOOWARDEN_ANY_VERSION: any).
//
// Requires: `path` is a string.
zoowarden_code zoowarden_transaction_check(struct zoowarden_transaction transaction,
                                           const char *path,
                                           int32_t version);

// Carries out all changes as one, or none: `outcomes`, in their order. If one fails, its code is
// answered, and there is an answer to free, too. Whatever is answered, the transaction has ended;
// only with ZOOWARDEN_BAD_ARGUMENTS or ZOOWARDEN_CLOSING for `client` it is as it was.
//
// Requires: `answer` is NULL or writable.
zoowarden_code zoowarden_transaction_commit(struct zoowarden_transaction transaction,
                                            struct zoowarden_client client,
                                            uint32_t timeout_ms,
                                            struct zoowarden_answer **answer);

// As zoowarden_transaction_commit(), without waiting.
//
// Requires: `user` is what `completion` takes.
zoowarden_code zoowarden_transaction_commit_async(struct zoowarden_transaction transaction,
                                                  struct zoowarden_client client,
                                                  zoowarden_completion completion,
                                                  void *user);

// Removes a watch, on the server too when it was the last of its kind there. Returns at once; the
// watch's callback is called once more, with ZOOWARDEN_EVENT_ENDED, and not any more after that.
// ZOOWARDEN_NO_WATCHER if it was ending already.
zoowarden_code zoowarden_watch_remove(struct zoowarden_watch watch);

// Creates a znode: its `path` (with the digits of a sequential one) and `stat`. `data` NULL with length
// 0 is null data. `options` may be NULL.
//
// Requires: `path` is a string, `data` has `data_length` bytes, `options` is NULL or points to one; `answer` is NULL or writable.
zoowarden_code zoowarden_create(struct zoowarden_client client,
                                const char *path,
                                const void *data,
                                size_t data_length,
                                const struct zoowarden_create_options *options,
                                uint32_t timeout_ms,
                                struct zoowarden_answer **answer);

// As zoowarden_create(), without waiting.
//
// Requires: `path` is a string, `data` has `data_length` bytes, `options` is NULL or points to one; `user` is what `completion` takes.
zoowarden_code zoowarden_create_async(struct zoowarden_client client,
                                      const char *path,
                                      const void *data,
                                      size_t data_length,
                                      const struct zoowarden_create_options *options,
                                      zoowarden_completion completion,
                                      void *user);

// Sets the data of a znode whose version is `version`, or ZOOWARDEN_ANY_VERSION: its `stat`.
//
// Requires: `path` is a string, `data` has `data_length` bytes; `answer` is NULL or writable.
zoowarden_code zoowarden_set(struct zoowarden_client client,
                             const char *path,
                             const void *data,
                             size_t data_length,
                             int32_t version,
                             uint32_t timeout_ms,
                             struct zoowarden_answer **answer);

// As zoowarden_set(), without waiting.
//
// Requires: `path` is a string, `data` has `data_length` bytes; `user` is what `completion` takes.
zoowarden_code zoowarden_set_async(struct zoowarden_client client,
                                   const char *path,
                                   const void *data,
                                   size_t data_length,
                                   int32_t version,
                                   zoowarden_completion completion,
                                   void *user);

// Deletes a znode without children whose version is `version`, or ZOOWARDEN_ANY_VERSION.
//
// Requires: `path` is a string; `answer` is NULL or writable.
zoowarden_code zoowarden_delete(struct zoowarden_client client,
                                const char *path,
                                int32_t version,
                                uint32_t timeout_ms,
                                struct zoowarden_answer **answer);

// As zoowarden_delete(), without waiting.
//
// Requires: `path` is a string; `user` is what `completion` takes.
zoowarden_code zoowarden_delete_async(struct zoowarden_client client,
                                      const char *path,
                                      int32_t version,
                                      zoowarden_completion completion,
                                      void *user);

// Sets the access control list of a znode whose `aversion` is `version`, or ZOOWARDEN_ANY_VERSION: its
// `stat`. NULL with count 0 stands for everybody everything.
//
// Requires: `path` is a string, `acl` has `acl_count` entries with strings; `answer` is NULL or writable.
zoowarden_code zoowarden_set_acl(struct zoowarden_client client,
                                 const char *path,
                                 const struct zoowarden_acl *acl,
                                 size_t acl_count,
                                 int32_t version,
                                 uint32_t timeout_ms,
                                 struct zoowarden_answer **answer);

// As zoowarden_set_acl(), without waiting.
//
// Requires: `path` is a string, `acl` has `acl_count` entries with strings; `user` is what `completion` takes.
zoowarden_code zoowarden_set_acl_async(struct zoowarden_client client,
                                       const char *path,
                                       const struct zoowarden_acl *acl,
                                       size_t acl_count,
                                       int32_t version,
                                       zoowarden_completion completion,
                                       void *user);

// Creates a znode and all that are missing above it, persistent, empty, and open to everybody. Several
// requests: it may be half done when it fails, and may be repeated.
//
// Requires: `path` is a string; `answer` is NULL or writable.
zoowarden_code zoowarden_ensure_path(struct zoowarden_client client,
                                     const char *path,
                                     uint32_t timeout_ms,
                                     struct zoowarden_answer **answer);

// As zoowarden_ensure_path(), without waiting.
//
// Requires: `path` is a string; `user` is what `completion` takes.
zoowarden_code zoowarden_ensure_path_async(struct zoowarden_client client,
                                           const char *path,
                                           zoowarden_completion completion,
                                           void *user);

// Deletes a znode and everything below it. Several requests: it may be half done when it fails, and may
// be repeated.
//
// Requires: `path` is a string; `answer` is NULL or writable.
zoowarden_code zoowarden_delete_recursive(struct zoowarden_client client,
                                          const char *path,
                                          uint32_t timeout_ms,
                                          struct zoowarden_answer **answer);

// As zoowarden_delete_recursive(), without waiting.
//
// Requires: `path` is a string; `user` is what `completion` takes.
zoowarden_code zoowarden_delete_recursive_async(struct zoowarden_client client,
                                                const char *path,
                                                zoowarden_completion completion,
                                                void *user);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ZOOWARDEN_H */
