//! The records of ZooKeeper's protocol and files, as C programs see them.
//!
//! What lives here: their layouts, and how their parts are given back. What does not: reading or
//! writing them, which Debian's library does not export either.
//!
//! Invariants: layouts are those of a 64-bit C compiler, checked below and in
//! `tests/c/layout.h`; every pointer in a record is NULL or comes from malloc.

#![allow(missing_docs, reason = "records and fields carry ZooKeeper's names")]

use std::ffi::{c_char, c_int};

use crate::recordio::{Deallocate, allocate_elements, buffer, deallocate_elements};

/// A record, how it is given back inside another one, and the function that C calls.
macro_rules! record {
    ($name:ident, $deallocate:ident { $($field:ident: $of:ty),* }) => {
        #[derive(Clone, Copy, Debug)]
        #[repr(C)]
        pub struct $name { $(pub $field: $of),* }

        impl Deallocate for $name {
            unsafe fn deallocate(&mut self) {
                // SAFETY: the trait's promise holds for each part.
                $(unsafe { self.$field.deallocate() })*
            }
        }

        /// Frees what the record owns, not the record itself.
        ///
        /// # Safety
        /// Every pointer inside is NULL or from malloc.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $deallocate(record: *mut $name) {
            // SAFETY: the caller's promise.
            if let Some(record) = unsafe { record.as_mut() } {
                unsafe { record.deallocate() }
            }
        }
    };
}

/// A vector, how it is given back inside a record, and the two functions that C calls.
macro_rules! vector {
    ($name:ident of $of:ty: $allocate:ident, $deallocate:ident) => {
        #[derive(Clone, Copy, Debug)]
        #[repr(C)]
        pub struct $name {
            pub count: i32,
            pub data: *mut $of,
        }

        impl Deallocate for $name {
            unsafe fn deallocate(&mut self) {
                // SAFETY: the trait's promise.
                unsafe { deallocate_elements(self.count, &mut self.data) };
            }
        }

        /// Gives the vector `len` zeroed elements, or none; always 0.
        ///
        /// # Safety
        /// `vector` may be written.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $allocate(vector: *mut $name, len: i32) -> c_int {
            let data: *mut $of = allocate_elements(len);
            // SAFETY: the caller's promise.
            unsafe {
                *vector = $name {
                    count: if data.is_null() { 0 } else { len },
                    data,
                }
            };
            0
        }

        /// Frees the elements, each and all; always 0.
        ///
        /// # Safety
        /// `vector` came from this library, or was built the same way.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $deallocate(vector: *mut $name) -> c_int {
            // SAFETY: the caller's promise.
            unsafe {
                let Some(vector) = vector.as_mut() else {
                    return 0;
                };
                deallocate_elements(vector.count, &mut vector.data)
            }
        }
    };
}

record!(Id, deallocate_Id { scheme: *mut c_char, id: *mut c_char });
record!(ACL, deallocate_ACL { perms: i32, id: Id });
record!(
    Stat,
    deallocate_Stat {
        czxid: i64,
        mzxid: i64,
        ctime: i64,
        mtime: i64,
        version: i32,
        cversion: i32,
        aversion: i32,
        ephemeralOwner: i64,
        dataLength: i32,
        numChildren: i32,
        pzxid: i64
    }
);
record!(
    StatPersisted,
    deallocate_StatPersisted {
        czxid: i64,
        mzxid: i64,
        ctime: i64,
        mtime: i64,
        version: i32,
        cversion: i32,
        aversion: i32,
        ephemeralOwner: i64,
        pzxid: i64
    }
);
record!(ClientInfo, deallocate_ClientInfo { authScheme: *mut c_char, user: *mut c_char });
record!(
    ConnectRequest,
    deallocate_ConnectRequest {
        protocolVersion: i32,
        lastZxidSeen: i64,
        timeOut: i32,
        sessionId: i64,
        passwd: buffer
    }
);
record!(
    ConnectResponse,
    deallocate_ConnectResponse {
        protocolVersion: i32,
        timeOut: i32,
        sessionId: i64,
        passwd: buffer
    }
);
vector!(String_vector of *mut c_char: allocate_String_vector, deallocate_String_vector);
record!(
    SetWatches,
    deallocate_SetWatches {
        relativeZxid: i64,
        dataWatches: String_vector,
        existWatches: String_vector,
        childWatches: String_vector
    }
);
record!(
    SetWatches2,
    deallocate_SetWatches2 {
        relativeZxid: i64,
        dataWatches: String_vector,
        existWatches: String_vector,
        childWatches: String_vector,
        persistentWatches: String_vector,
        persistentRecursiveWatches: String_vector
    }
);
record!(
    RequestHeader,
    deallocate_RequestHeader {
        xid: i32,
        r#type: i32
    }
);
record!(
    MultiHeader,
    deallocate_MultiHeader {
        r#type: i32,
        done: i32,
        err: i32
    }
);
record!(AuthPacket, deallocate_AuthPacket { r#type: i32, scheme: *mut c_char, auth: buffer });
record!(
    ReplyHeader,
    deallocate_ReplyHeader {
        xid: i32,
        zxid: i64,
        err: i32
    }
);
record!(GetDataRequest, deallocate_GetDataRequest { path: *mut c_char, watch: i32 });
record!(SetDataRequest, deallocate_SetDataRequest { path: *mut c_char, data: buffer, version: i32 });
record!(ReconfigRequest, deallocate_ReconfigRequest { joiningServers: *mut c_char, leavingServers: *mut c_char, newMembers: *mut c_char, curConfigId: i64 });
record!(SetDataResponse, deallocate_SetDataResponse { stat: Stat });
record!(GetSASLRequest, deallocate_GetSASLRequest { token: buffer });
record!(SetSASLRequest, deallocate_SetSASLRequest { token: buffer });
record!(
    SetSASLResponse,
    deallocate_SetSASLResponse { token: buffer }
);
vector!(ACL_vector of ACL: allocate_ACL_vector, deallocate_ACL_vector);
record!(CreateRequest, deallocate_CreateRequest { path: *mut c_char, data: buffer, acl: ACL_vector, flags: i32 });
record!(CreateTTLRequest, deallocate_CreateTTLRequest { path: *mut c_char, data: buffer, acl: ACL_vector, flags: i32, ttl: i64 });
record!(DeleteRequest, deallocate_DeleteRequest { path: *mut c_char, version: i32 });
record!(GetChildrenRequest, deallocate_GetChildrenRequest { path: *mut c_char, watch: i32 });
record!(GetAllChildrenNumberRequest, deallocate_GetAllChildrenNumberRequest { path: *mut c_char });
record!(GetChildren2Request, deallocate_GetChildren2Request { path: *mut c_char, watch: i32 });
record!(CheckVersionRequest, deallocate_CheckVersionRequest { path: *mut c_char, version: i32 });
record!(GetMaxChildrenRequest, deallocate_GetMaxChildrenRequest { path: *mut c_char });
record!(
    GetMaxChildrenResponse,
    deallocate_GetMaxChildrenResponse { max: i32 }
);
record!(SetMaxChildrenRequest, deallocate_SetMaxChildrenRequest { path: *mut c_char, max: i32 });
record!(SyncRequest, deallocate_SyncRequest { path: *mut c_char });
record!(SyncResponse, deallocate_SyncResponse { path: *mut c_char });
record!(GetACLRequest, deallocate_GetACLRequest { path: *mut c_char });
record!(SetACLRequest, deallocate_SetACLRequest { path: *mut c_char, acl: ACL_vector, version: i32 });
record!(SetACLResponse, deallocate_SetACLResponse { stat: Stat });
record!(AddWatchRequest, deallocate_AddWatchRequest { path: *mut c_char, mode: i32 });
record!(WatcherEvent, deallocate_WatcherEvent { r#type: i32, state: i32, path: *mut c_char });
record!(ErrorResponse, deallocate_ErrorResponse { err: i32 });
record!(CreateResponse, deallocate_CreateResponse { path: *mut c_char });
record!(Create2Response, deallocate_Create2Response { path: *mut c_char, stat: Stat });
record!(ExistsRequest, deallocate_ExistsRequest { path: *mut c_char, watch: i32 });
record!(ExistsResponse, deallocate_ExistsResponse { stat: Stat });
record!(
    GetDataResponse,
    deallocate_GetDataResponse {
        data: buffer,
        stat: Stat
    }
);
record!(
    GetChildrenResponse,
    deallocate_GetChildrenResponse {
        children: String_vector
    }
);
record!(
    GetAllChildrenNumberResponse,
    deallocate_GetAllChildrenNumberResponse { totalNumber: i32 }
);
record!(
    GetChildren2Response,
    deallocate_GetChildren2Response {
        children: String_vector,
        stat: Stat
    }
);
record!(
    GetACLResponse,
    deallocate_GetACLResponse {
        acl: ACL_vector,
        stat: Stat
    }
);
record!(CheckWatchesRequest, deallocate_CheckWatchesRequest { path: *mut c_char, r#type: i32 });
record!(RemoveWatchesRequest, deallocate_RemoveWatchesRequest { path: *mut c_char, r#type: i32 });
record!(GetEphemeralsRequest, deallocate_GetEphemeralsRequest { prefixPath: *mut c_char });
record!(
    GetEphemeralsResponse,
    deallocate_GetEphemeralsResponse {
        ephemerals: String_vector
    }
);
vector!(ClientInfo_vector of ClientInfo: allocate_ClientInfo_vector, deallocate_ClientInfo_vector);
record!(
    WhoAmIResponse,
    deallocate_WhoAmIResponse {
        clientInfo: ClientInfo_vector
    }
);
record!(
    LearnerInfo,
    deallocate_LearnerInfo {
        serverid: i64,
        protocolVersion: i32,
        configVersion: i64
    }
);
vector!(Id_vector of Id: allocate_Id_vector, deallocate_Id_vector);
record!(
    QuorumPacket,
    deallocate_QuorumPacket {
        r#type: i32,
        zxid: i64,
        data: buffer,
        authinfo: Id_vector
    }
);
record!(
    QuorumAuthPacket,
    deallocate_QuorumAuthPacket {
        magic: i64,
        status: i32,
        token: buffer
    }
);
record!(
    FileHeader,
    deallocate_FileHeader {
        magic: i32,
        version: i32,
        dbid: i64
    }
);
record!(
    TxnDigest,
    deallocate_TxnDigest {
        version: i32,
        treeDigest: i64
    }
);
record!(
    TxnHeader,
    deallocate_TxnHeader {
        clientId: i64,
        cxid: i32,
        zxid: i64,
        time: i64,
        r#type: i32
    }
);
record!(CreateTxnV0, deallocate_CreateTxnV0 { path: *mut c_char, data: buffer, acl: ACL_vector, ephemeral: i32 });
record!(CreateTxn, deallocate_CreateTxn { path: *mut c_char, data: buffer, acl: ACL_vector, ephemeral: i32, parentCVersion: i32 });
record!(CreateTTLTxn, deallocate_CreateTTLTxn { path: *mut c_char, data: buffer, acl: ACL_vector, parentCVersion: i32, ttl: i64 });
record!(CreateContainerTxn, deallocate_CreateContainerTxn { path: *mut c_char, data: buffer, acl: ACL_vector, parentCVersion: i32 });
record!(DeleteTxn, deallocate_DeleteTxn { path: *mut c_char });
record!(SetDataTxn, deallocate_SetDataTxn { path: *mut c_char, data: buffer, version: i32 });
record!(CheckVersionTxn, deallocate_CheckVersionTxn { path: *mut c_char, version: i32 });
record!(SetACLTxn, deallocate_SetACLTxn { path: *mut c_char, acl: ACL_vector, version: i32 });
record!(SetMaxChildrenTxn, deallocate_SetMaxChildrenTxn { path: *mut c_char, max: i32 });
record!(
    CreateSessionTxn,
    deallocate_CreateSessionTxn { timeOut: i32 }
);
record!(
    CloseSessionTxn,
    deallocate_CloseSessionTxn {
        paths2Delete: String_vector
    }
);
record!(ErrorTxn, deallocate_ErrorTxn { err: i32 });
record!(
    Txn,
    deallocate_Txn {
        r#type: i32,
        data: buffer
    }
);
vector!(Txn_vector of Txn: allocate_Txn_vector, deallocate_Txn_vector);
record!(MultiTxn, deallocate_MultiTxn { txns: Txn_vector });

const fn lies_at(found: [usize; 2], size: usize, last_field: usize) {
    assert!(found[0] == size && found[1] == last_field);
}

/// The layouts that programs are compiled with: size, and offset of the last field.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::offset_of;
    lies_at([size_of::<Id>(), offset_of!(Id, id)], 16, 8);
    lies_at([size_of::<ACL>(), offset_of!(ACL, id)], 24, 8);
    lies_at([size_of::<Stat>(), offset_of!(Stat, pzxid)], 72, 64);
    lies_at(
        [offset_of!(Stat, version), offset_of!(Stat, ephemeralOwner)],
        32,
        48,
    );
    lies_at([size_of::<buffer>(), offset_of!(buffer, buff)], 16, 8);
    lies_at(
        [size_of::<ACL_vector>(), offset_of!(ACL_vector, data)],
        16,
        8,
    );
    lies_at(
        [size_of::<String_vector>(), offset_of!(String_vector, data)],
        16,
        8,
    );
    lies_at(
        [
            size_of::<CreateTTLRequest>(),
            offset_of!(CreateTTLRequest, ttl),
        ],
        56,
        48,
    );
    lies_at(
        [
            size_of::<QuorumPacket>(),
            offset_of!(QuorumPacket, authinfo),
        ],
        48,
        32,
    );
    lies_at(
        [size_of::<TxnHeader>(), offset_of!(TxnHeader, r#type)],
        40,
        32,
    );
};
