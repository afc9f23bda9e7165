//! What is held: a lock, a lease, a leadership, a membership.
//!
//! What lives here: the holder's side: is it still mine? The one task behind it, the keeper, watches
//! the session and the znode, and removes the znode at the end. What does not: how it was acquired.
//!
//! ```text
//!          connection lost                  a quarter of the session timeout later
//!  Held ───────────────────► Uncertain ──────────────────────────► Lost(OutOfContact)
//!    ▲        connected again    │ server says so / by the client's end
//!    └───────────────────────────┤ ──────────────────────────────► Lost(SessionEnded)
//!    └── released, dropped: Lost(Released)      znode removed by somebody: Lost(Removed)
//! ```
//!
//! The quarter: a client notices a silent connection at two thirds of the timeout, and the server
//! ends the session no earlier than the whole timeout after it last heard of us, which is at most a
//! round trip before we last heard of it. So the holding is declared lost while it is still ours, as
//! long as clocks run alike and a round trip takes less than a twelfth of the timeout.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::{Client, Error, State, Watcher};
use crate::proto::Zxid;
use crate::recipes::own::Own;

/// The part of the session timeout after which a holding without connection is lost.
const OUT_OF_CONTACT_PART: u64 = 4;

/// How a holding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is ours: the connection is up, and nothing else was heard.
    Held,
    /// It may be lost: there is no connection, or only to a server that cannot confirm the session.
    /// Begin nothing that needs it; what carries the token may go on.
    Uncertain,
    /// It is lost, for good.
    Lost(Loss),
}

/// Why a holding is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It was released, or dropped.
    Released,
    /// Somebody removed its znode.
    Removed,
    /// The session has ended.
    SessionEnded,
    /// There was no connection for a quarter of the session timeout. The session may live on; the
    /// znode is removed when there is a connection again.
    OutOfContact,
}

/// Something held, by an ephemeral znode of this session.
///
/// Dropping it releases it in the background. It keeps the client's session open.
#[derive(Debug)]
pub struct Holding {
    path: String,
    token: Zxid,
    standing: Arc<watch::Sender<Standing>>,
    /// The client's: nobody is to wait for the keeper to hear that the connection is lost.
    states: watch::Receiver<State>,
    /// What became of the znode, once the keeper has ended.
    ended: watch::Receiver<Option<Result<(), Error>>>,
}

impl Drop for Holding {
    fn drop(&mut self) {
        end(&self.standing, Loss::Released);
    }
}

/// Lost, unless it is already.
fn end(standing: &watch::Sender<Standing>, loss: Loss) {
    standing.send_if_modified(|standing| {
        let lasts = !matches!(standing, Standing::Lost(_));
        if lasts {
            *standing = Standing::Lost(loss);
        }
        lasts
    });
}

/// Held or uncertain, unless it is lost.
fn turn(standing: &watch::Sender<Standing>, to: Standing) {
    standing.send_if_modified(|standing| {
        let changes = !matches!(standing, Standing::Lost(_)) && *standing != to;
        if changes {
            *standing = to;
        }
        changes
    });
}

impl Holding {
    /// Holds by this znode from now on.
    pub(crate) async fn begin(own: Own) -> Result<Holding, Error> {
        let within = own.within.clone();
        let look = || within.client.exists_and_watch(own.path());
        let (stat, watcher) = within.steady(look).await?;
        let is_there = stat.is_some_and(|stat| Zxid(stat.czxid) == own.token);
        let standing = Arc::new(watch::Sender::new(Standing::Held));
        let (ending, ended) = watch::channel(None);
        let holding = Holding {
            path: own.path().to_owned(),
            token: own.token,
            standing: Arc::clone(&standing),
            states: own.within.client.states(),
            ended,
        };
        if !is_there {
            end(&standing, Loss::Removed);
        }
        tokio::spawn(keep(own, watcher, standing, ending));
        Ok(holding)
    }

    /// The fencing token: the zxid at which this holding's place was taken. Each later holder's is
    /// greater; give it to whatever the holding protects, and let that refuse a smaller one.
    pub fn token(&self) -> Zxid {
        self.token
    }

    /// Its znode, without the client's chroot.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// How it stands now.
    pub fn standing(&self) -> Standing {
        let standing = *self.standing.borrow();
        let state = *self.states.borrow();
        match standing {
            Standing::Lost(_) => standing,
            _ if state.is_over() => Standing::Lost(Loss::SessionEnded),
            _ if state != State::Connected => Standing::Uncertain,
            Standing::Held | Standing::Uncertain => standing,
        }
    }

    /// Whether it is certainly held: false as soon as the connection is lost.
    pub fn is_held(&self) -> bool {
        self.standing() == Standing::Held
    }

    /// The standing as it changes.
    pub fn standings(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Waits until it is lost, by whatever cause; at the latest a quarter of the session timeout after
    /// the connection was.
    pub fn lost(&self) -> impl Future<Output = Loss> + Send + 'static + use<> {
        let mut standings = self.standing.subscribe();
        async move {
            loop {
                if let Standing::Lost(loss) = *standings.borrow_and_update() {
                    return loss;
                }
                if standings.changed().await.is_err() {
                    return Loss::SessionEnded;
                }
            }
        }
    }

    /// Gives it back, and waits until its znode is gone: until then nobody else holds. It stops
    /// being held at once, and the znode is removed even if the future is dropped.
    ///
    /// Releasing what is lost or released already is no error. While there is no connection this
    /// waits for one, or for the end of the session. `NoAuth`: somebody changed permissions; the
    /// znode ends with the session.
    pub async fn release(&self) -> Result<(), Error> {
        end(&self.standing, Loss::Released);
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Ok(())),
            // The runtime ends, and the session with it.
            Err(_) => Ok(()),
        }
    }
}

/// The keeper of a holding.
async fn keep(
    own: Own,
    watcher: Watcher,
    standing: Arc<watch::Sender<Standing>>,
    ending: watch::Sender<Option<Result<(), Error>>>,
) {
    let within = own.within.clone();
    let loss = tokio::select! {
        loss = released(standing.subscribe()) => loss,
        loss = session_lost(&own, &standing) => loss,
        () = removed(&own, watcher) => Loss::Removed,
    };
    end(&standing, loss);
    let outcome = match loss {
        Loss::Removed | Loss::SessionEnded => {
            own.forget();
            Ok(())
        }
        Loss::Released | Loss::OutOfContact => own.remove().await,
    };
    // What a session held ends with it, which is what was wanted.
    let outcome = outcome.or_else(|error| {
        let is_over = within.client.state().is_over() || within.check().is_err();
        if is_over { Ok(()) } else { Err(error) }
    });
    ending.send_replace(Some(outcome));
}

async fn released(mut standings: watch::Receiver<Standing>) -> Loss {
    loop {
        if let Standing::Lost(loss) = *standings.borrow_and_update() {
            return loss;
        }
        if standings.changed().await.is_err() {
            return Loss::Released;
        }
    }
}

/// Follows the connection; ends when the session has, or must be taken for ended.
async fn session_lost(own: &Own, standing: &watch::Sender<Standing>) -> Loss {
    let client = &own.within.client;
    let mut states = client.states();
    let mut deadline = None;
    loop {
        let state = *states.borrow_and_update();
        if state.is_over() || own.within.check().is_err() {
            return Loss::SessionEnded;
        }
        if state == State::Connected {
            deadline = None;
            turn(standing, Standing::Held);
        } else {
            deadline.get_or_insert_with(|| Instant::now() + patience(client));
            turn(standing, Standing::Uncertain);
        }
        let changed = async {
            match deadline {
                Some(deadline) => tokio::time::timeout_at(deadline, states.changed()).await,
                None => Ok(states.changed().await),
            }
        };
        match changed.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Loss::SessionEnded,
            Err(_) => return Loss::OutOfContact,
        }
    }
}

fn patience(client: &Client) -> Duration {
    Duration::from_millis(u64::from(client.session_timeout_ms()) / OUT_OF_CONTACT_PART)
}

/// Ends when the znode is gone. A session that ends is not its business.
async fn removed(own: &Own, mut watcher: Watcher) {
    let within = &own.within;
    loop {
        watcher.next().await;
        let look = || within.client.exists_and_watch(own.path());
        match within.steady(look).await {
            Ok((Some(stat), again)) if Zxid(stat.czxid) == own.token => watcher = again,
            Ok(_) => return,
            // The session is over, or reading was forbidden.
            Err(_) => std::future::pending().await,
        }
    }
}
