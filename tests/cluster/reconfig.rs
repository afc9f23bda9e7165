//! Ensembles that change while they run.

use std::time::Duration;

use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::{
    Failure, NEW_CONFIG_NO_QUORUM, RECONFIG_IN_PROGRESS, data_and_stat,
};
use zoowarden_tests::wait::{SOON, until};

const WRITERS_PER_SERVER: usize = 2;

/// Leaders killed while a reconfig is under way.
const KILLS: u64 = 6;

/// The longest a leader lives after a reconfig was sent.
const LIFE_US_MAX: u64 = 15_000;

/// Three servers that may be changed by everybody, and `waiting` ones beside them.
pub(crate) fn changeable(waiting: u8) -> Plan {
    let plan = Plan {
        waiting,
        ..Plan::of(3)
    };
    plan.set("reconfigEnabled=true").set("skipACL=yes")
}

pub(crate) async fn client(ensemble: &Ensemble, id: u8) -> Client {
    Client::open(ensemble.address(id), SOON).await.unwrap()
}

/// Ids of a configuration, observers in brackets.
pub(crate) fn members(text: &str) -> String {
    let member = |line: &str| {
        let (id, value) = line.strip_prefix("server.")?.split_once('=')?;
        match value.contains(":observer") {
            true => Some(format!("({id})")),
            false => Some(id.to_owned()),
        }
    };
    text.lines()
        .filter_map(member)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Waits until a server shows these members.
pub(crate) async fn shows(ensemble: &Ensemble, id: u8, want: &str) {
    let client = client(ensemble, id).await;
    until(&format!("server {id} shows {want}"), SOON, async || {
        let answer = client
            .send_get_data("/zookeeper/config", false)
            .answer()
            .await
            .ok()?;
        let text = String::from_utf8(data_and_stat(&answer).0).ok()?;
        (members(&text) == want).then_some(())
    })
    .await;
}

/// The steps of docs/reconfig.md: a server dies for good, another one takes its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_server_is_replaced_without_downtime() {
    let mut ensemble = Ensemble::start(changeable(1)).await;
    let dead = ensemble.wait_for_leader(&[1, 2, 3]).await;
    let survivors = [1, 2, 3]
        .into_iter()
        .filter(|id| *id != dead)
        .collect::<Vec<_>>();
    let admin = client(&ensemble, survivors[0]).await;
    let watched = admin
        .send_get_data("/zookeeper/config", true)
        .answer()
        .await
        .unwrap();
    assert_eq!(
        members(&String::from_utf8_lossy(&data_and_stat(&watched).0)),
        "1 2 3"
    );
    let load = Load::start(&ensemble, &[1, 2, 3], WRITERS_PER_SERVER).await;
    load.wait_for_progress(100).await;

    load.expect_down(dead);
    ensemble.kill(dead);
    load.wait_for_progress(100).await;
    ensemble.start_server(4);
    ensemble.wait_until_serving(4).await;
    load.expect_up(4);
    let line = ensemble.line(4, "participant");
    let added = admin.reconfig(Some(&line), None).await.unwrap();
    assert!(added.contains(&line), "{added}");
    admin.notification().await.unwrap();
    load.wait_for_progress(100).await;
    let removed = admin.reconfig(None, Some(&dead.to_string())).await.unwrap();
    let now = members(&removed);
    assert!(
        !now.contains(&dead.to_string()) && now.contains('4'),
        "{now}"
    );
    load.wait_for_progress(100).await;

    // Two of these three are enough, and the new one is of them.
    load.expect_down(survivors[1]);
    ensemble.kill(survivors[1]);
    load.wait_for_progress(100).await;
    assert!(!admin.is_lost());
    let books = load.finish().await;
    println!("{} writes acknowledged", books.total());
    for id in [survivors[0], 4] {
        books.check(ensemble.address(id)).await;
        shows(&ensemble, id, &now).await;
    }
}

/// The leader removes itself: it hands over first, goes on without a vote, and cuts nobody off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leader_that_is_removed_hands_over_and_goes_on_without_a_vote() {
    let ensemble = Ensemble::start(changeable(0)).await;
    let all = ensemble.ids();
    let leader = ensemble.wait_for_leader(&all).await;
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    let admin = client(&ensemble, leader).await;
    load.wait_for_progress(50).await;
    let text = admin
        .reconfig(None, Some(&leader.to_string()))
        .await
        .unwrap();
    let rest = all
        .into_iter()
        .filter(|id| *id != leader)
        .collect::<Vec<_>>();
    let want = format!("{} {}", rest[0], rest[1]);
    assert_eq!(members(&text), want);
    let next = ensemble.wait_for_leader(&rest).await;
    assert_ne!(next, leader);
    load.wait_for_progress(100).await;
    assert_eq!(
        ensemble.srvr(leader, "Mode").await.as_deref(),
        Some("follower")
    );
    assert_eq!(
        ensemble.mntr(next, "zk_quorum_size").await.as_deref(),
        Some("2")
    );
    shows(&ensemble, leader, &want).await;
    assert!(!admin.is_lost());
    let back = admin
        .reconfig(Some(&ensemble.line(leader, "participant")), None)
        .await;
    assert_eq!(members(&back.unwrap()), "1 2 3");
    let books = load.finish().await;
    for id in ensemble.ids() {
        books.check(ensemble.address(id)).await;
    }
}

/// From a guest to an observer, to a voter, and back; what each is, everybody sees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_joins_as_observer_is_promoted_and_demoted() {
    let mut ensemble = Ensemble::start(changeable(1)).await;
    let admin = client(&ensemble, 1).await;
    ensemble.start_server(4);
    ensemble.wait_until_serving(4).await;
    shows(&ensemble, 4, "1 2 3").await;
    let line = |role: &str| ensemble.line(4, role);
    for (role, want) in [
        ("observer", "1 2 3 (4)"),
        ("participant", "1 2 3 4"),
        ("observer", "1 2 3 (4)"),
    ] {
        let text = admin.reconfig(Some(&line(role)), None).await.unwrap();
        assert_eq!(members(&text), want);
        shows(&ensemble, 4, want).await;
        let mode = if role == "observer" { role } else { "follower" };
        assert_eq!(ensemble.srvr(4, "Mode").await.as_deref(), Some(mode));
    }
    let text = admin.reconfig(None, Some("4")).await.unwrap();
    assert_eq!(members(&text), "1 2 3");
    // Still there, and still following.
    shows(&ensemble, 4, "1 2 3").await;
}

/// A server comes back at another address, and one with files from before comes back too: the log
/// knows better.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_moves_and_the_log_wins_over_old_files() {
    let mut ensemble = Ensemble::start(changeable(0)).await;
    let admin = client(&ensemble, 1).await;
    let load = Load::start(&ensemble, &[1, 2], WRITERS_PER_SERVER).await;
    ensemble.kill(3);
    ensemble.move_server(3);
    let line = ensemble.line(3, "participant");
    let text = admin.reconfig(Some(&line), None).await.unwrap();
    assert!(text.contains(&line), "{text}");
    ensemble.start_server(3);
    ensemble.wait_until_serving(3).await;
    shows(&ensemble, 3, "1 2 3").await;

    let cfg = std::fs::read_to_string(ensemble.folder(2).join("zoo.cfg")).unwrap();
    let version = text.rsplit_once("version=").unwrap().1;
    assert!(
        cfg.contains(&format!("zoo.cfg.dynamic.{version}\n")),
        "{cfg}"
    );
    let named = ensemble
        .folder(2)
        .join(format!("zoo.cfg.dynamic.{version}"));
    let lines = text.rsplit_once("version=").unwrap().0;
    assert_eq!(std::fs::read_to_string(named).unwrap(), lines);
    load.expect_down(2);
    ensemble.kill(2);
    let old = ensemble.folder(2).join("zoo.cfg.bak");
    std::fs::copy(old, ensemble.folder(2).join("zoo.cfg")).unwrap();
    ensemble.start_server(2);
    ensemble.wait_until_serving(2).await;
    load.expect_up(2);
    assert!(
        ensemble.log(2).contains("the log counts"),
        "{}",
        ensemble.log(2)
    );
    load.expect_down(1);
    ensemble.kill(1);
    // The two that are left must find each other where the log says.
    load.wait_for_progress(100).await;
    let books = load.finish().await;
    for id in [2, 3] {
        books.check(ensemble.address(id)).await;
    }
}

/// Whoever leads after a leader died in the middle of a reconfig knows what was wanted and how far
/// it has come. The client of another server gets its answer all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_leader_leaves_no_reconfig_half_done() {
    let seed = std::env::var("ZOOWARDEN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("ZOOWARDEN_SEED={seed}");
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut ensemble = Ensemble::start(changeable(1)).await;
    let all = ensemble.ids();
    ensemble.start_server(4);
    ensemble.wait_until_serving(4).await;
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    let mut is_in = false;
    for round in 1..=KILLS {
        let leader = ensemble.wait_for_leader(&all).await;
        let other = [1, 2, 3].into_iter().find(|id| *id != leader).unwrap();
        let admin = client(&ensemble, other).await;
        let line = ensemble.line(4, "participant");
        let answer = match is_in {
            false => admin.send_reconfig(Some(&line), None),
            true => admin.send_reconfig(None, Some("4")),
        };
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let life = Duration::from_micros(random % LIFE_US_MAX);
        tokio::time::sleep(life).await;
        load.expect_down(leader);
        ensemble.kill(leader);
        let answer = tokio::time::timeout(SOON, answer.answer()).await;
        let answer = answer
            .expect("it is settled")
            .expect("the connection holds");
        println!(
            "round {round}: leader {leader} lived {life:?}: answer {}",
            answer.err
        );
        assert!(
            [0, NEW_CONFIG_NO_QUORUM].contains(&answer.err),
            "{}",
            answer.err
        );
        is_in ^= answer.err == 0;
        let want = if is_in { "1 2 3 4" } else { "1 2 3" };
        ensemble.start_server(leader);
        ensemble.wait_until_serving(leader).await;
        load.expect_up(leader);
        for id in &all {
            shows(&ensemble, *id, want).await;
        }
        let again = admin.reconfig(None, None).await;
        assert_ne!(
            again.as_ref().err(),
            Some(&Failure::Code(RECONFIG_IN_PROGRESS))
        );
        assert_eq!(members(&again.unwrap()), want);
        load.wait_for_progress(50).await;
    }
    let taken_up = taken_up(&ensemble);
    println!("{KILLS} leaders killed, {taken_up} reconfigs taken up by another leader");
    let books = load.finish().await;
    println!("{} writes acknowledged", books.total());
    for id in all {
        books.check(ensemble.address(id)).await;
    }
}

/// How many reconfigs more than one leader has begun.
fn taken_up(ensemble: &Ensemble) -> usize {
    let begun = ensemble
        .ids()
        .into_iter()
        .flat_map(|id| begun_in(&ensemble.log(id)));
    let mut begun = begun.collect::<Vec<_>>();
    let all = begun.len();
    begun.sort();
    begun.dedup();
    all - begun.len()
}

/// The reconfigs that a server has begun to carry out, as leader.
fn begun_in(log: &str) -> Vec<String> {
    let begun = log.lines().filter(|line| line.contains("reconfig: begun"));
    let named = begun.filter_map(|line| line.split("reconfig=").nth(1)?.split(' ').next());
    let mut names = named.map(str::to_owned).collect::<Vec<_>>();
    // One leader may need more than one attempt.
    names.dedup();
    names
}
