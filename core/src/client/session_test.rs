//! The session without a socket: frames by hand, deliveries looked at one by one.
