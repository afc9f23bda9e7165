//! Recipes: what programs build out of znodes, built once and with care.
//!
//! What lives here: locks, elections and other holdings; barriers, counters, queues, groups,
//! caches; all of them over [`Client`](crate::client::Client) alone. What does not: anything about
//! connections, which the client does.
//!
//! **Holdings.** What is acquired (lock, lease, leadership, membership) is a [`Holding`]: an
//! ephemeral znode of this session, with a fencing token (its czxid, greater than that of every
//! earlier holder) and a standing that can be asked and awaited. Dropping it gives it back in the
//! background; [`Holding::release`] gives it back and waits.
//!
//! **Connection loss.** A znode that may have been created is looked for by its unique name, after
//! a sync, before anything is created again; so there is never a second one. Reads are repeated.
//! Where an outcome cannot be found out, the method returns `ConnectionLoss` and says so.
//!
//! **Session expiry.** Everything in progress fails with `SessionExpired`, and every holding is
//! lost; with a client that renews its session, call again.
//!
//! **Cancellation.** Every future may be dropped at any moment: what it has created is removed in
//! the background, within the same session, or ends with the session. So a time limit is
//! `tokio::time::timeout(limit, lock.acquire())`.
//!
//! **Mixed fleets.** Names are kazoo's; Curator's by [`Layout`]. Whoever contends on one path:
//!
//! | | kazoo | kazoo with `extra_lock_patterns=["-lock-"]` | Curator |
//! |---|---|---|---|
//! | ours, [`Layout::Kazoo`] | exclude each other | exclude each other | **no**: Curator does not see us |
//! | ours, [`Layout::Curator`] | **no**: kazoo does not see us | exclude each other (mutexes only) | exclude each other |
//!
//! Ours recognise all names of both and exclude each other in any layout. Curator sorts every other
//! name behind its own, so no name can exclude it and a plain kazoo at once.
//!
//! | recipe | shared with |
//! |---|---|
//! | [`Lock`] | kazoo `Lock`, `WriteLock`; Curator `InterProcessMutex` (`Layout::Curator`) |
//! | [`ReadWriteLock`] | kazoo `WriteLock`, `ReadLock`; Curator `InterProcessReadWriteLock` (`Layout::Curator`) |
//! | [`Semaphore`] | kazoo `Semaphore`; Curator `InterProcessSemaphoreV2` (`Layout::Curator`) |
//! | [`Election`] | kazoo `Election`; Curator `LeaderSelector` (`Layout::Curator`), `LeaderLatch` (`Layout::CuratorLatch`) |
//! | [`Barrier`] | kazoo `Barrier`, Curator `DistributedBarrier` |
//! | [`DoubleBarrier`] | kazoo `DoubleBarrier`, Curator `DistributedDoubleBarrier` |
//! | [`Counter`] | kazoo `Counter` of integers; Curator `SharedCount`, `DistributedAtomicLong`, by [`CounterEncoding`] |
//! | [`Queue`] | kazoo `Queue` |
//! | [`Group`] | kazoo `Party` |
//!
//! | task | what it owns | who stops it |
//! |---|---|---|
//! | keeper, one per holding | the holding's znode | its release, its drop, the session's end |
//! | removal, one per abandoned attempt | a znode that must go | itself, when the znode or the session is gone |
//! | taking, one per `Queue::take` | an entry until it is handed over | itself |
//! | cache, one per cache | what the cache holds | the cache's drop, the session's end |

mod barrier;
mod counter;
mod double_barrier;
mod election;
mod group;
mod holding;
mod line;
mod lock;
mod names;
mod own;
mod queue;
mod read_write_lock;
mod semaphore;
mod tree_cache;
mod within;
mod znode_cache;

pub use barrier::Barrier;
pub use counter::{Counter, CounterEncoding};
pub use double_barrier::{DoubleBarrier, Inside};
pub use election::Election;
pub use group::{Group, Member};
pub use holding::{Holding, Loss, Standing};
pub use line::{Contender, Options};
pub use lock::Lock;
pub use names::Layout;
pub use queue::{Entry, Queue};
pub use read_write_lock::ReadWriteLock;
pub use semaphore::Semaphore;
pub use tree_cache::{TreeCache, TreeChange, TreeChanges};
pub use znode_cache::{Cached, Znode, ZnodeCache};
