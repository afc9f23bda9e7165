//! A socket's address as C has it.

use std::net::SocketAddr;
use std::ptr::null_mut;

use libc::{sockaddr, sockaddr_in, sockaddr_in6, socklen_t};

/// Writes an address and its length; NULL if there is no room.
///
/// # Safety
/// `room` is NULL or has `*room_len` bytes.
pub(crate) unsafe fn put(
    address: SocketAddr,
    room: *mut sockaddr,
    room_len: *mut socklen_t,
) -> *mut sockaddr {
    if room.is_null() || room_len.is_null() {
        return null_mut();
    }
    match address {
        SocketAddr::V4(address) => {
            // SAFETY: all zero is an address of the unspecified family.
            let mut raw: sockaddr_in = unsafe { std::mem::zeroed() };
            raw.sin_family = libc::AF_INET as libc::sa_family_t;
            raw.sin_port = address.port().to_be();
            raw.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
            // SAFETY: the caller's promise.
            unsafe { write(raw, room, room_len) }
        }
        SocketAddr::V6(address) => {
            // SAFETY: all zero is an address of the unspecified family.
            let mut raw: sockaddr_in6 = unsafe { std::mem::zeroed() };
            raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            raw.sin6_port = address.port().to_be();
            raw.sin6_addr.s6_addr = address.ip().octets();
            raw.sin6_scope_id = address.scope_id();
            // SAFETY: the caller's promise.
            unsafe { write(raw, room, room_len) }
        }
    }
}

unsafe fn write<T>(raw: T, room: *mut sockaddr, room_len: *mut socklen_t) -> *mut sockaddr {
    let len = size_of::<T>();
    // SAFETY: the caller's promise.
    unsafe {
        if (*room_len as usize) < len {
            return null_mut();
        }
        room.cast::<T>().write_unaligned(raw);
        *room_len = len as socklen_t;
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(address: &str, room: usize) -> (bool, socklen_t, [u8; 28]) {
        let mut bytes = [0_u8; 28];
        let mut len = room as socklen_t;
        let address = address.parse().expect("an address");
        let got = unsafe { put(address, bytes.as_mut_ptr().cast(), &raw mut len) };
        (!got.is_null(), len, bytes)
    }

    #[test]
    fn addresses_are_written_in_the_order_of_the_network() {
        let (is_there, len, bytes) = written("127.0.0.1:258", 28);
        assert_eq!(
            (is_there, len, &bytes[2..8]),
            (true, 16, &[1, 2, 127, 0, 0, 1][..])
        );
        let (is_there, len, bytes) = written("[::1]:258", 28);
        assert_eq!(
            (is_there, len, &bytes[2..4], bytes[23]),
            (true, 28, &[1, 2][..], 1)
        );
    }

    #[test]
    fn an_address_without_room_is_not_written() {
        assert_eq!(written("127.0.0.1:1", 15), (false, 15, [0; 28]));
        assert_eq!(written("[::1]:1", 16), (false, 16, [0; 28]));
    }
}
