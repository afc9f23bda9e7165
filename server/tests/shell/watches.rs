//! Events: in the background, and streamed by `watch`.

use super::support::{Place, read_until, server_is_ours};

#[test]
fn watch_streams_events_until_it_has_enough() {
    let place = Place::new();
    let mut watch = place.start(&["watch", "-c", "3", "/"]);
    // It says so on stderr once the watch stands.
    read_until(watch.stderr.take().unwrap(), |said| {
        said.contains("watching")
    });
    place.script("create /a x\nset /a y\ndelete /a\n").ok();
    let stdout = watch.stdout.take().unwrap();
    let said = read_until(stdout, |said| {
        said.lines().count() == 3 && said.ends_with('\n')
    });
    assert!(watch.wait().unwrap().success());
    let events: Vec<&str> = said
        .lines()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(
        events,
        ["NodeCreated /a", "NodeDataChanged /a", "NodeDeleted /a"]
    );
}

#[test]
fn ctrl_c_ends_a_watch_well() {
    let place = Place::new();
    let mut watch = place.start(&["--json", "watch", "/"]);
    read_until(watch.stderr.take().unwrap(), |said| {
        said.contains("watching")
    });
    place.ok(&["create", "/a", "x"]);
    let stdout = watch.stdout.take().unwrap();
    let said = read_until(stdout, |said| said.ends_with('\n'));
    let event: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&event["event"], &event["path"]),
        (&"NodeCreated".into(), &"/a".into())
    );
    // Servers older than 3.9 do not say which change an event belongs to.
    assert!(!server_is_ours() || event["zxid"].is_string(), "{event}");
    let pid = rustix::process::Pid::from_child(&watch);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn events_come_in_zkclis_words_and_can_be_switched_off() {
    let place = Place::new();
    let run = place.script(
        "create /a x\nget -w /a\nset /a y\nprintwatches off\nget -w /a\nset /a z\nsync /\n\
         printwatches\nprintwatches on\nls -w /\ncreate /b\nsync /\n",
    );
    assert_eq!(run.code, 0, "{run:?}");
    let events: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.contains(" path:/"))
        .collect();
    assert_eq!(
        events,
        [
            "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a",
            "WatchedEvent state:SyncConnected type:NodeChildrenChanged path:/",
        ]
    );
    assert!(run.stdout.contains("printwatches is off"), "{}", run.stdout);
}

#[test]
fn removed_watches_report_no_more() {
    let place = Place::new();
    let run = place.script(
        "create /a x\naddWatch -m PERSISTENT /a\nremovewatches /a\nset /a y\nsync /\n\
         removewatches /a\n",
    );
    assert!(!run.stdout.contains("NodeDataChanged"), "{}", run.stdout);
    assert!(
        run.stdout.contains("PersistentWatchRemoved path:/a"),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr.contains("No such watcher for /a"),
        "{}",
        run.stderr
    );
}
