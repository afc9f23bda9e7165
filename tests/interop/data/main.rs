//! Data of Apache ZooKeeper moved into our server and back, by the binary's two commands.
//!
//! usage: `zookeeper_data FOLDER CLASSPATH ZOOWARDEN`. Works in FOLDER, starts servers with `java`
//! and with ZOOWARDEN, and ends them.
//!
//! Each round fills a ZooKeeper with everything there is (`fill`), ends it in one way or another,
//! and lets a second one load a copy of the directory: what that one shows is what ours must show
//! after the import, and what a third one must show after the export. One session lives through
//! all of it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what does not work fails its check")]

mod fill;
mod place;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fill::{burst, fill, keep};
use place::{Ending, Layout, Place, Tools};
use show::{Picture, differences, look};

/// One way for data to lie on the disk.
struct Round {
    name: &'static str,
    layout: Layout,
    /// For `-Dzookeeper.snapshot.compression.method`; empty is none.
    compression: &'static str,
    ending: Ending,
    /// What the export is told.
    export: &'static [&'static str],
}

const ROUNDS: [Round; 4] = [
    Round {
        name: "a server that was stopped",
        layout: Layout::Together,
        compression: "",
        ending: Ending::Stopped,
        export: &[],
    },
    Round {
        name: "a server that was killed, logs apart",
        layout: Layout::Apart,
        compression: "",
        ending: Ending::Killed,
        export: &["--for", "3.9"],
    },
    Round {
        name: "gzip",
        layout: Layout::Together,
        compression: "gz",
        ending: Ending::Killed,
        export: &["--compression", "gz"],
    },
    Round {
        name: "snappy",
        layout: Layout::Apart,
        compression: "snappy",
        ending: Ending::Killed,
        export: &["--compression", "snappy", "--for", "3.6"],
    },
];

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, classpath, binary] = &words[..] else {
        eprintln!("usage: zookeeper_data FOLDER CLASSPATH ZOOWARDEN");
        return ExitCode::from(2);
    };
    // Nothing is left of an earlier run.
    let _ = std::fs::remove_dir_all(folder);
    let (mut passed, mut failed) = (0, 0);
    for (number, round) in ROUNDS.iter().enumerate() {
        let tools = Tools {
            classpath: classpath.clone(),
            binary: PathBuf::from(binary),
            compression: round.compression,
        };
        let folder = Path::new(folder).join(number.to_string());
        match tokio::spawn(play(round, tools, folder.clone())).await {
            Ok(()) => {
                println!("ok {}", round.name);
                passed += 1;
            }
            Err(error) => {
                println!("FAILED {}: {error}; see {}", round.name, folder.display());
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

async fn play(round: &'static Round, tools: Tools, folder: PathBuf) {
    let source = Place::new(&folder.join("source"), round.layout);
    let mut server = tools.start_zookeeper(&source);
    let keeper = keep(&source).await;
    fill(&source, &keeper).await;
    let bursting = burst(&source).await;
    server.end(round.ending).await;
    let acknowledged = bursting.finish().await;

    let copy = source.copy(&folder.join("copy"));
    let mut server = tools.start_zookeeper(&copy);
    let expected = look(&copy).await;
    server.end(Ending::Stopped).await;
    for path in &acknowledged {
        assert!(expected.contains_key(path), "{path} was acknowledged");
    }
    assert!(expected.len() > 400, "{} znodes", expected.len());

    let ours = Place::new(&folder.join("ours"), Layout::Apart);
    tools.import(&source, &ours).await;
    let mut server = tools.start_zoowarden(&ours);
    keeper.moves_to(&ours).await;
    same("imported", &expected, &look(&ours).await);
    let last = expected.values().map(|znode| znode.stat.pzxid).max();
    keeper.goes_on(last.unwrap()).await;
    let expected = look(&ours).await;
    server.end(Ending::Stopped).await;

    let exported = Place::new(&folder.join("exported"), Layout::Together);
    tools.export(&ours, &exported, round.export).await;
    let mut server = tools.start_zookeeper(&exported);
    keeper.moves_to(&exported).await;
    same("exported", &expected, &look(&exported).await);
    assert_eq!(exported.metric("zk_digest_mismatches_count").await, Some(0));
    keeper.ends().await;
    let without = look(&exported).await;
    assert!(
        !without.contains_key("/ephemeral"),
        "its session was closed"
    );
    server.end(Ending::Stopped).await;
}

fn same(what: &str, expected: &Picture, found: &Picture) {
    let differences = differences(expected, found);
    assert!(differences.is_empty(), "{what}: {differences:#?}");
}
