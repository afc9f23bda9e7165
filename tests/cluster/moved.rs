//! Sessions that move from one server to another.

use zoowarden_tests::client::{Client, Lost};
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::operations::{Failure, mode};
use zoowarden_tests::wait::SOON;

/// Writes pipelined through the old connection behind the move.
const WRITES: i32 = 500;

/// Attaching elsewhere closes the old connection; of the writes that were pipelined through it a
/// beginning is executed, and nothing more once the move is through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moved_session_executes_nothing_more_of_its_old_connection() {
    let ensemble = Ensemble::start(Plan::of(3)).await;
    for (from, to) in [(1, 2), (2, 3), (3, 1), (1, 1)] {
        let old = Client::open(ensemble.address(from), SOON).await.unwrap();
        let path = format!("/moved-{from}-{to}");
        old.create(&path, b"", mode::PERSISTENT).await.unwrap();
        let session = old.session();
        let first = (0..WRITES).map(|n| old.send_set_data(&path, b"old", n));
        let first = first.collect::<Vec<_>>();
        let new = Client::attach(ensemble.address(to), &session)
            .await
            .unwrap();
        let late = old.send_set_data(&path, b"late", -1);
        let (_, stat) = new.get_data(&path).await.unwrap();
        let moved_at = stat.version;
        // What was acknowledged came before the move.
        let mut acknowledged = 0;
        for pending in first {
            match pending.answer().await {
                Ok(answer) if answer.err == 0 => acknowledged += 1,
                Ok(answer) => panic!("a write of the old connection was answered {answer:?}"),
                Err(Lost) => break,
            }
        }
        assert!(
            acknowledged <= moved_at,
            "{acknowledged} acknowledged, {moved_at} executed"
        );
        assert_eq!(
            late.answer().await.err(),
            Some(Lost),
            "a late write was answered"
        );
        tokio::time::timeout(SOON, old.lost())
            .await
            .expect("the old connection is closed");
        let set = new
            .set_data(&path, b"new", moved_at)
            .await
            .map(|stat| stat.version);
        assert_eq!(
            set,
            Ok(moved_at + 1),
            "something was written after the move"
        );
        for id in ensemble.ids() {
            let reader = Client::open(ensemble.address(id), SOON).await.unwrap();
            reader.sync().await.unwrap();
            let (data, stat) = reader.get_data(&path).await.unwrap();
            assert_eq!(
                (data.as_slice(), stat.version),
                (b"new".as_slice(), moved_at + 1)
            );
            assert_eq!(
                reader.delete("/nothing", -1).await,
                Err(Failure::Code(-101))
            );
        }
        println!("from {from} to {to}: {moved_at} of {WRITES} came before the move");
    }
}
