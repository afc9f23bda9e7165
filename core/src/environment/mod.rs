//! The clock and the network as seams: everything above asks these traits, so that a simulation
//! can stand behind them. The third seam, the disk, is `storage::disk`.

mod clock;
#[cfg(feature = "server")]
mod doors;
pub mod in_process;
mod net;

pub use clock::{Clock, SystemClock};
#[cfg(feature = "server")]
pub use doors::Doors;
pub use net::{BoxFuture, Listener, Net, ReservedPort, Stream, Tcp};
