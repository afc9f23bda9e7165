/* The layouts that programs are compiled with, on 64-bit machines; compiles or does not. */
#include <stddef.h>

#include <zookeeper/zookeeper.h>

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#define FIELD(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)

SIZE(struct buffer, 16);
FIELD(struct buffer, buff, 8);
SIZE(struct Id, 16);
FIELD(struct Id, id, 8);
SIZE(struct ACL, 24);
FIELD(struct ACL, id, 8);
SIZE(struct Stat, 72);
FIELD(struct Stat, version, 32);
FIELD(struct Stat, ephemeralOwner, 48);
FIELD(struct Stat, pzxid, 64);
SIZE(struct String_vector, 16);
FIELD(struct String_vector, data, 8);
SIZE(struct ACL_vector, 16);
FIELD(struct ACL_vector, data, 8);
SIZE(struct Id_vector, 16);
SIZE(struct Txn_vector, 16);
SIZE(struct ClientInfo_vector, 16);
SIZE(struct StatPersisted, 64);
SIZE(struct ConnectRequest, 48);
FIELD(struct ConnectRequest, passwd, 32);
SIZE(struct ConnectResponse, 32);
SIZE(struct SetWatches, 56);
SIZE(struct SetWatches2, 88);
SIZE(struct CreateRequest, 48);
FIELD(struct CreateRequest, flags, 40);
SIZE(struct CreateTTLRequest, 56);
FIELD(struct CreateTTLRequest, ttl, 48);
SIZE(struct QuorumPacket, 48);
SIZE(struct TxnHeader, 40);
SIZE(struct GetDataResponse, 88);
SIZE(struct iarchive, 80);
SIZE(struct oarchive, 80);
FIELD(struct iarchive, priv, 72);

SIZE(clientid_t, 24);
FIELD(clientid_t, passwd, 8);
SIZE(zcert_t, 40);
SIZE(zsock_t, 16);
SIZE(zoo_op_t, 72);
FIELD(zoo_op_t, create_op, 8);
FIELD(zoo_op_t, create_op.acl, 48);
FIELD(zoo_op_t, create_op.ttl, 64);
FIELD(zoo_op_t, set_op.stat, 32);
FIELD(zoo_op_t, delete_op.version, 16);
FIELD(zoo_op_t, check_op.version, 16);
SIZE(zoo_op_result_t, 32);
FIELD(zoo_op_result_t, value, 8);
FIELD(zoo_op_result_t, stat, 24);
SIZE(ZooLogLevel, 4);
SIZE(ZooWatcherType, 4);

_Static_assert(ZOK == 0 && ZNONODE == -101 && ZTHROTTLEDOP == -127 && ZCLOSING == -116, "codes");
_Static_assert(ZOO_CREATE_TTL_OP == 21 && ZOO_CLOSE_OP == -11 && ZOO_SASL_OP == 102, "operations");
_Static_assert(ZOO_READONLY == 1 && ZOO_NO_LOG_CLIENTENV == 2, "flags");

/* The types of functions: a call through a pointer of another type would not compile cleanly. */
int (*const create2_ttl)(zhandle_t *, const char *, const char *, int, const struct ACL_vector *, int,
                         int64_t, char *, int, struct Stat *) = zoo_create2_ttl;
int (*const removal)(zhandle_t *, const char *, ZooWatcherType, watcher_fn, void *, int,
                     void_completion_t *, const void *) = zoo_aremove_watches;
int (*const multi)(zhandle_t *, int, const zoo_op_t *, zoo_op_result_t *, void_completion_t,
                   const void *) = zoo_amulti;
int (*const reconfiguration)(zhandle_t *, const char *, const char *, const char *, int64_t, char *,
                             int *, struct Stat *) = zoo_reconfig;
