/* The records of ZooKeeper's protocol and files, as C structures.
 *
 * Every pointer in a record is NULL or comes from malloc; deallocate_X frees what a record owns, not
 * the record itself. A vector has `count` elements at `data`; allocate_X_vector gives it zeroed ones,
 * or none if `len` is 0, and both vector functions return 0.
 *
 * The library exports what is declared here. It has no functions that write or read records.
 */
#ifndef ZOOWARDEN_ZOOKEEPER_JUTE_H
#define ZOOWARDEN_ZOOKEEPER_JUTE_H

#include "recordio.h"

#ifdef __cplusplus
extern "C" {
#endif

struct Id {
    char *scheme;
    char *id;
};
void deallocate_Id(struct Id *record);

struct ACL {
    int32_t perms;
    struct Id id;
};
void deallocate_ACL(struct ACL *record);

struct Stat {
    int64_t czxid;
    int64_t mzxid;
    int64_t ctime;
    int64_t mtime;
    int32_t version;
    int32_t cversion;
    int32_t aversion;
    int64_t ephemeralOwner;
    int32_t dataLength;
    int32_t numChildren;
    int64_t pzxid;
};
void deallocate_Stat(struct Stat *record);

struct StatPersisted {
    int64_t czxid;
    int64_t mzxid;
    int64_t ctime;
    int64_t mtime;
    int32_t version;
    int32_t cversion;
    int32_t aversion;
    int64_t ephemeralOwner;
    int64_t pzxid;
};
void deallocate_StatPersisted(struct StatPersisted *record);

struct ClientInfo {
    char *authScheme;
    char *user;
};
void deallocate_ClientInfo(struct ClientInfo *record);

struct ConnectRequest {
    int32_t protocolVersion;
    int64_t lastZxidSeen;
    int32_t timeOut;
    int64_t sessionId;
    struct buffer passwd;
};
void deallocate_ConnectRequest(struct ConnectRequest *record);

struct ConnectResponse {
    int32_t protocolVersion;
    int32_t timeOut;
    int64_t sessionId;
    struct buffer passwd;
};
void deallocate_ConnectResponse(struct ConnectResponse *record);

struct String_vector {
    int32_t count;
    char **data;
};
int allocate_String_vector(struct String_vector *v, int32_t len);
int deallocate_String_vector(struct String_vector *v);

struct SetWatches {
    int64_t relativeZxid;
    struct String_vector dataWatches;
    struct String_vector existWatches;
    struct String_vector childWatches;
};
void deallocate_SetWatches(struct SetWatches *record);

struct SetWatches2 {
    int64_t relativeZxid;
    struct String_vector dataWatches;
    struct String_vector existWatches;
    struct String_vector childWatches;
    struct String_vector persistentWatches;
    struct String_vector persistentRecursiveWatches;
};
void deallocate_SetWatches2(struct SetWatches2 *record);

struct RequestHeader {
    int32_t xid;
    int32_t type;
};
void deallocate_RequestHeader(struct RequestHeader *record);

struct MultiHeader {
    int32_t type;
    int32_t done;
    int32_t err;
};
void deallocate_MultiHeader(struct MultiHeader *record);

struct AuthPacket {
    int32_t type;
    char *scheme;
    struct buffer auth;
};
void deallocate_AuthPacket(struct AuthPacket *record);

struct ReplyHeader {
    int32_t xid;
    int64_t zxid;
    int32_t err;
};
void deallocate_ReplyHeader(struct ReplyHeader *record);

struct GetDataRequest {
    char *path;
    int32_t watch;
};
void deallocate_GetDataRequest(struct GetDataRequest *record);

struct SetDataRequest {
    char *path;
    struct buffer data;
    int32_t version;
};
void deallocate_SetDataRequest(struct SetDataRequest *record);

struct ReconfigRequest {
    char *joiningServers;
    char *leavingServers;
    char *newMembers;
    int64_t curConfigId;
};
void deallocate_ReconfigRequest(struct ReconfigRequest *record);

struct SetDataResponse {
    struct Stat stat;
};
void deallocate_SetDataResponse(struct SetDataResponse *record);

struct GetSASLRequest {
    struct buffer token;
};
void deallocate_GetSASLRequest(struct GetSASLRequest *record);

struct SetSASLRequest {
    struct buffer token;
};
void deallocate_SetSASLRequest(struct SetSASLRequest *record);

struct SetSASLResponse {
    struct buffer token;
};
void deallocate_SetSASLResponse(struct SetSASLResponse *record);

struct ACL_vector {
    int32_t count;
    struct ACL *data;
};
int allocate_ACL_vector(struct ACL_vector *v, int32_t len);
int deallocate_ACL_vector(struct ACL_vector *v);

struct CreateRequest {
    char *path;
    struct buffer data;
    struct ACL_vector acl;
    int32_t flags;
};
void deallocate_CreateRequest(struct CreateRequest *record);

struct CreateTTLRequest {
    char *path;
    struct buffer data;
    struct ACL_vector acl;
    int32_t flags;
    int64_t ttl;
};
void deallocate_CreateTTLRequest(struct CreateTTLRequest *record);

struct DeleteRequest {
    char *path;
    int32_t version;
};
void deallocate_DeleteRequest(struct DeleteRequest *record);

struct GetChildrenRequest {
    char *path;
    int32_t watch;
};
void deallocate_GetChildrenRequest(struct GetChildrenRequest *record);

struct GetAllChildrenNumberRequest {
    char *path;
};
void deallocate_GetAllChildrenNumberRequest(struct GetAllChildrenNumberRequest *record);

struct GetChildren2Request {
    char *path;
    int32_t watch;
};
void deallocate_GetChildren2Request(struct GetChildren2Request *record);

struct CheckVersionRequest {
    char *path;
    int32_t version;
};
void deallocate_CheckVersionRequest(struct CheckVersionRequest *record);

struct GetMaxChildrenRequest {
    char *path;
};
void deallocate_GetMaxChildrenRequest(struct GetMaxChildrenRequest *record);

struct GetMaxChildrenResponse {
    int32_t max;
};
void deallocate_GetMaxChildrenResponse(struct GetMaxChildrenResponse *record);

struct SetMaxChildrenRequest {
    char *path;
    int32_t max;
};
void deallocate_SetMaxChildrenRequest(struct SetMaxChildrenRequest *record);

struct SyncRequest {
    char *path;
};
void deallocate_SyncRequest(struct SyncRequest *record);

struct SyncResponse {
    char *path;
};
void deallocate_SyncResponse(struct SyncResponse *record);

struct GetACLRequest {
    char *path;
};
void deallocate_GetACLRequest(struct GetACLRequest *record);

struct SetACLRequest {
    char *path;
    struct ACL_vector acl;
    int32_t version;
};
void deallocate_SetACLRequest(struct SetACLRequest *record);

struct SetACLResponse {
    struct Stat stat;
};
void deallocate_SetACLResponse(struct SetACLResponse *record);

struct AddWatchRequest {
    char *path;
    int32_t mode;
};
void deallocate_AddWatchRequest(struct AddWatchRequest *record);

struct WatcherEvent {
    int32_t type;
    int32_t state;
    char *path;
};
void deallocate_WatcherEvent(struct WatcherEvent *record);

struct ErrorResponse {
    int32_t err;
};
void deallocate_ErrorResponse(struct ErrorResponse *record);

struct CreateResponse {
    char *path;
};
void deallocate_CreateResponse(struct CreateResponse *record);

struct Create2Response {
    char *path;
    struct Stat stat;
};
void deallocate_Create2Response(struct Create2Response *record);

struct ExistsRequest {
    char *path;
    int32_t watch;
};
void deallocate_ExistsRequest(struct ExistsRequest *record);

struct ExistsResponse {
    struct Stat stat;
};
void deallocate_ExistsResponse(struct ExistsResponse *record);

struct GetDataResponse {
    struct buffer data;
    struct Stat stat;
};
void deallocate_GetDataResponse(struct GetDataResponse *record);

struct GetChildrenResponse {
    struct String_vector children;
};
void deallocate_GetChildrenResponse(struct GetChildrenResponse *record);

struct GetAllChildrenNumberResponse {
    int32_t totalNumber;
};
void deallocate_GetAllChildrenNumberResponse(struct GetAllChildrenNumberResponse *record);

struct GetChildren2Response {
    struct String_vector children;
    struct Stat stat;
};
void deallocate_GetChildren2Response(struct GetChildren2Response *record);

struct GetACLResponse {
    struct ACL_vector acl;
    struct Stat stat;
};
void deallocate_GetACLResponse(struct GetACLResponse *record);

struct CheckWatchesRequest {
    char *path;
    int32_t type;
};
void deallocate_CheckWatchesRequest(struct CheckWatchesRequest *record);

struct RemoveWatchesRequest {
    char *path;
    int32_t type;
};
void deallocate_RemoveWatchesRequest(struct RemoveWatchesRequest *record);

struct GetEphemeralsRequest {
    char *prefixPath;
};
void deallocate_GetEphemeralsRequest(struct GetEphemeralsRequest *record);

struct GetEphemeralsResponse {
    struct String_vector ephemerals;
};
void deallocate_GetEphemeralsResponse(struct GetEphemeralsResponse *record);

struct ClientInfo_vector {
    int32_t count;
    struct ClientInfo *data;
};
int allocate_ClientInfo_vector(struct ClientInfo_vector *v, int32_t len);
int deallocate_ClientInfo_vector(struct ClientInfo_vector *v);

struct WhoAmIResponse {
    struct ClientInfo_vector clientInfo;
};
void deallocate_WhoAmIResponse(struct WhoAmIResponse *record);

struct LearnerInfo {
    int64_t serverid;
    int32_t protocolVersion;
    int64_t configVersion;
};
void deallocate_LearnerInfo(struct LearnerInfo *record);

struct Id_vector {
    int32_t count;
    struct Id *data;
};
int allocate_Id_vector(struct Id_vector *v, int32_t len);
int deallocate_Id_vector(struct Id_vector *v);

struct QuorumPacket {
    int32_t type;
    int64_t zxid;
    struct buffer data;
    struct Id_vector authinfo;
};
void deallocate_QuorumPacket(struct QuorumPacket *record);

struct QuorumAuthPacket {
    int64_t magic;
    int32_t status;
    struct buffer token;
};
void deallocate_QuorumAuthPacket(struct QuorumAuthPacket *record);

struct FileHeader {
    int32_t magic;
    int32_t version;
    int64_t dbid;
};
void deallocate_FileHeader(struct FileHeader *record);

struct TxnDigest {
    int32_t version;
    int64_t treeDigest;
};
void deallocate_TxnDigest(struct TxnDigest *record);

struct TxnHeader {
    int64_t clientId;
    int32_t cxid;
    int64_t zxid;
    int64_t time;
    int32_t type;
};
void deallocate_TxnHeader(struct TxnHeader *record);

struct CreateTxnV0 {
    char *path;
    struct buffer data;
    struct ACL_vector acl;
    int32_t ephemeral;
};
void deallocate_CreateTxnV0(struct CreateTxnV0 *record);

struct CreateTxn {
    char *path;
    struct buffer data;
    struct ACL_vector acl;
    int32_t ephemeral;
    int32_t parentCVersion;
};
void deallocate_CreateTxn(struct CreateTxn *record);

struct CreateTTLTxn {
    char *path;
    struct buffer data;
    struct ACL_vector acl;
    int32_t parentCVersion;
    int64_t ttl;
};
void deallocate_CreateTTLTxn(struct CreateTTLTxn *record);

struct CreateContainerTxn {
    char *path;
    struct buffer data;
    struct ACL_vector acl;
    int32_t parentCVersion;
};
void deallocate_CreateContainerTxn(struct CreateContainerTxn *record);

struct DeleteTxn {
    char *path;
};
void deallocate_DeleteTxn(struct DeleteTxn *record);

struct SetDataTxn {
    char *path;
    struct buffer data;
    int32_t version;
};
void deallocate_SetDataTxn(struct SetDataTxn *record);

struct CheckVersionTxn {
    char *path;
    int32_t version;
};
void deallocate_CheckVersionTxn(struct CheckVersionTxn *record);

struct SetACLTxn {
    char *path;
    struct ACL_vector acl;
    int32_t version;
};
void deallocate_SetACLTxn(struct SetACLTxn *record);

struct SetMaxChildrenTxn {
    char *path;
    int32_t max;
};
void deallocate_SetMaxChildrenTxn(struct SetMaxChildrenTxn *record);

struct CreateSessionTxn {
    int32_t timeOut;
};
void deallocate_CreateSessionTxn(struct CreateSessionTxn *record);

struct CloseSessionTxn {
    struct String_vector paths2Delete;
};
void deallocate_CloseSessionTxn(struct CloseSessionTxn *record);

struct ErrorTxn {
    int32_t err;
};
void deallocate_ErrorTxn(struct ErrorTxn *record);

struct Txn {
    int32_t type;
    struct buffer data;
};
void deallocate_Txn(struct Txn *record);

struct Txn_vector {
    int32_t count;
    struct Txn *data;
};
int allocate_Txn_vector(struct Txn_vector *v, int32_t len);
int deallocate_Txn_vector(struct Txn_vector *v);

struct MultiTxn {
    struct Txn_vector txns;
};
void deallocate_MultiTxn(struct MultiTxn *record);

#ifdef __cplusplus
}
#endif

#endif
