//! Leaders that die at a certain point of a reconfig.
//!
//! Five servers; one that does not lead is removed, so Raft's membership goes from {1 2 3 4 5} by
//! the joint one of both to four. A trap holds back what the leader sends at the point in question.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::proto::Code;
use crate::server::Observer;
use crate::{Client, CreateMode};

const SERVERS: u8 = 5;

/// A server has taken in what the test waits for after this long at the latest.
const LOOK: Duration = Duration::from_millis(5);

/// How many sets of voters a membership has.
const UNIFORM: usize = 1;
const JOINT: usize = 2;

struct Scene {
    ensemble: Ensemble,
    leader: u8,
    removed: u8,
    /// Neither of the two.
    others: Vec<u8>,
}

impl Scene {
    async fn new() -> Scene {
        let mut settings = NodeConfig::default();
        settings.other.reconfig.enabled = true;
        settings.other.skip_acl = true;
        let ensemble = Ensemble::start_with(SERVERS, settings).await.unwrap();
        let leader = ensemble.leader().await.unwrap();
        let mut others = (1..=SERVERS).filter(|id| *id != leader).collect::<Vec<_>>();
        let removed = others.pop().unwrap();
        Scene {
            ensemble,
            leader,
            removed,
            others,
        }
    }

    async fn client(&self, server: u8) -> Client {
        let node = self.ensemble.servers[&server].node.lock().await;
        node.as_ref().unwrap().client()
    }

    async fn observer(&self, server: u8) -> Observer {
        let node = self.ensemble.servers[&server].node.lock().await;
        node.as_ref().unwrap().observer()
    }

    /// Sets the trap, asks for the reconfig, and kills the leader once the trap has closed and
    /// `besides` has happened. What becomes of the reconfig is what this gives.
    async fn kill_leader_at(
        &self,
        passes: impl Fn(ServerId, &[usize]) -> bool + Send + Sync + 'static,
        besides: impl AsyncFnOnce(),
    ) -> std::result::Result<(), Code> {
        let from = ServerId(self.leader);
        let mut sprung: watch::Receiver<bool> = self.ensemble.links.traps.set(from, passes);
        let client = self.client(self.others[0]).await;
        let leaving = self.removed.to_string();
        let asking = client.reconfig(None, Some(&leaving), None, -1);
        let killing = async {
            within("the trap closes".into(), sprung.wait_for(|sprung| *sprung))
                .await
                .unwrap()
                .unwrap();
            besides().await;
            self.ensemble.kill(self.leader).await.unwrap();
            self.ensemble.links.traps.lift();
        };
        let both = async { tokio::join!(asking, killing) };
        let (answer, ()) = within("the reconfig is decided".into(), both)
            .await
            .unwrap();
        self.ensemble.restart(self.leader).await.unwrap();
        answer.map(drop).map_err(|error| error.code())
    }

    /// Everybody has one configuration, Raft's membership is the same, the ensemble serves, and
    /// another reconfig is possible.
    async fn check(&self, expected: &BTreeSet<u8>) {
        self.agree_on(expected).await;
        let client = self.client(self.leader).await;
        let created = client.create("/a", b"x", CreateMode::Persistent).await;
        created.unwrap();
        let back = format!("server.{0}=10.0.0.{0}:2888:3888;2181", self.removed);
        client.reconfig(Some(&back), None, None, -1).await.unwrap();
        self.agree_on(&(1..=SERVERS).collect()).await;
        for server in 1..=SERVERS {
            let client = self.client(server).await;
            client.sync("/").await.unwrap();
            assert_eq!(&client.get("/a").await.unwrap().0[..], b"x");
        }
    }

    async fn agree_on(&self, expected: &BTreeSet<u8>) {
        let raft = vec![
            expected
                .iter()
                .map(|id| u64::from(*id))
                .collect::<BTreeSet<_>>(),
        ];
        let mut texts = BTreeSet::new();
        for server in 1..=SERVERS {
            let observer = self.observer(server).await;
            let agrees = || {
                let configuration = observer.configuration();
                let members = configuration.members.keys().map(|id| id.0);
                configuration.pending.is_none()
                    && members.collect::<BTreeSet<_>>() == *expected
                    && observer.voter_sets() == raft
            };
            let what = format!("server {server} has {expected:?}");
            within(what, until(agrees)).await.unwrap();
            let text = self.client(server).await.get_config().await.unwrap().0;
            assert_eq!(text, observer.configuration().text());
            texts.insert(text);
        }
        assert_eq!(texts.len(), 1, "{texts:?}");
    }

    fn without_removed(&self) -> BTreeSet<u8> {
        (1..=SERVERS).filter(|id| *id != self.removed).collect()
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leader_that_dies_between_the_joint_and_the_final_membership_leaves_the_final_one() {
    let scene = Scene::new().await;
    // The final one is sent only once the joint one is committed.
    let passes = |_: ServerId, memberships: &[usize]| !memberships.contains(&UNIFORM);
    let answer = scene.kill_leader_at(passes, async || {}).await;
    assert_eq!(answer, Ok(()));
    scene.check(&scene.without_removed()).await;
    scene.ensemble.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leader_that_dies_with_a_joint_membership_that_nobody_else_has_is_followed_by_one_that_begins_anew()
 {
    let scene = Scene::new().await;
    let passes = |_: ServerId, memberships: &[usize]| memberships.is_empty();
    let answer = scene.kill_leader_at(passes, async || {}).await;
    assert_eq!(answer, Ok(()));
    scene.check(&scene.without_removed()).await;
    scene.ensemble.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joint_membership_that_one_server_has_and_no_quorum_is_gone_on_from_or_begun_anew() {
    let scene = Scene::new().await;
    let one = ServerId(scene.others[1]);
    let passes = move |to: ServerId, memberships: &[usize]| memberships.is_empty() || to == one;
    let observer = scene.observer(one.0).await;
    let has_it = async || {
        let joint = until(|| observer.voter_sets().len() == JOINT);
        within("one has it".into(), joint).await.unwrap();
    };
    let answer = scene.kill_leader_at(passes, has_it).await;
    assert_eq!(answer, Ok(()));
    scene.check(&scene.without_removed()).await;
    scene.ensemble.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joint_membership_that_all_servers_die_with_is_gone_on_from() {
    let scene = Scene::new().await;
    let traps = &scene.ensemble.links.traps;
    let passes = |_: ServerId, memberships: &[usize]| !memberships.contains(&UNIFORM);
    let mut sprung = traps.set(ServerId(scene.leader), passes);
    let client = scene.client(scene.others[0]).await;
    let leaving = scene.removed.to_string();
    let dying = async {
        let closed = within("the trap closes".into(), sprung.wait_for(|sprung| *sprung)).await;
        closed.unwrap().unwrap();
        for server in 1..=SERVERS {
            scene.ensemble.kill(server).await.unwrap();
        }
        traps.lift();
        for server in 1..=SERVERS {
            scene.ensemble.begin_restart(server).await.unwrap();
        }
        for server in 1..=SERVERS {
            scene.ensemble.ready(server).await.unwrap();
        }
    };
    // Whom its client asked is gone, so that it gets no answer.
    let (answer, ()) = tokio::join!(client.reconfig(None, Some(&leaving), None, -1), dying);
    assert_eq!(answer.unwrap_err().code(), Code::ConnectionLoss);
    scene.check(&scene.without_removed()).await;
    scene.ensemble.shutdown().await;
}
