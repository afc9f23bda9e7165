//! Leaders that vanish under load.

use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;

const ROUNDS: usize = 20;
const WRITERS_PER_SERVER: usize = 2;

/// Clients of surviving servers see neither an error nor a lost connection; clients of the killed
/// one go on elsewhere with their session; nothing acknowledged is lost, nothing is doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_leader_is_no_error_for_clients_of_other_servers() {
    let mut ensemble = Ensemble::start(Plan::of(3)).await;
    let all = ensemble.ids();
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    for round in 1..=ROUNDS {
        let leader = ensemble.wait_for_leader(&all).await;
        load.take_longest_gap();
        let before = load.acknowledged();
        load.expect_down(leader);
        ensemble.kill(leader);
        load.wait_for_progress(50).await;
        let gap = load.take_longest_gap();
        ensemble.start_server(leader);
        let ready = ensemble.wait_until_serving(leader).await;
        load.expect_up(leader);
        load.wait_until_home(WRITERS_PER_SERVER).await;
        load.wait_for_progress(20).await;
        let written = load.acknowledged() - before;
        println!(
            "round {round}: leader {leader} killed; {gap:?} without an acknowledged write, \
             back after {ready:?}, {written} writes"
        );
    }
    let books = load.finish().await;
    println!("{} writes acknowledged", books.total());
    for id in all {
        books.check(ensemble.address(id)).await;
        books.check_ephemerals(ensemble.address(id)).await;
    }
}
