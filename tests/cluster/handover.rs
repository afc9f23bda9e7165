//! Servers that are stopped as an operator stops them.

use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;

const ROUNDS: usize = 4;
const WRITERS_PER_SERVER: usize = 2;

/// A leader that is told to stop hands over first: clients of other servers see no error, its own
/// go on elsewhere with their sessions, and it ends with code 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_leader_hands_over() {
    let mut ensemble = Ensemble::start(Plan::of(3)).await;
    let all = ensemble.ids();
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    for round in 1..=ROUNDS {
        let leader = ensemble.wait_for_leader(&all).await;
        load.take_longest_gap();
        load.expect_down(leader);
        let status = ensemble.terminate(leader).await;
        assert!(status.success(), "server {leader} ended with {status}");
        load.wait_for_progress(100).await;
        let gap = load.take_longest_gap();
        println!("round {round}: leader {leader} stopped; {gap:?} without an acknowledged write");
        ensemble.start_server(leader);
        ensemble.wait_until_serving(leader).await;
        load.expect_up(leader);
        load.wait_until_home(WRITERS_PER_SERVER).await;
    }
    let books = load.finish().await;
    for id in all {
        books.check(ensemble.address(id)).await;
        books.check_ephemerals(ensemble.address(id)).await;
    }
}
