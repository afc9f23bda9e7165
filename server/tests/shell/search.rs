//! tree, find and grep.

use super::support::Place;

fn planted() -> Place {
    let place = Place::new();
    let script = "create /app\ncreate /app/config x\ncreate /app/locks\n\
                  create -s /app/locks/lock- x\ncreate /app/old HOST\n";
    place.script(script).ok();
    // A line end cannot be typed within a line, so it comes by another way.
    place
        .run_with(&["set", "/app/config", "-"], b"host=a\nport=1\n")
        .ok();
    place
}

#[test]
fn tree_draws_a_subtree() {
    let place = planted();
    let drawn = place.ok(&["tree", "/app"]);
    let want = "/app\n├── config\n├── locks\n│   └── lock-0000000000\n└── old";
    assert_eq!(drawn, want);
    assert_eq!(place.ok(&["tree", "-d", "1", "/app"]).lines().count(), 4);
    let long = place.ok(&["tree", "-l", "/app"]);
    assert!(long.contains("config  (14 bytes, version 1)"), "{long}");
}

#[test]
fn find_looks_for_names_kinds_and_sizes() {
    let place = planted();
    assert_eq!(
        place.ok(&["find", "/", "-n", "lock-*"]),
        "/app/locks/lock-0000000000"
    );
    assert_eq!(
        place.ok(&["find", "/app", "--min-bytes", "4"]),
        "/app/config\n/app/old"
    );
    assert_eq!(place.ok(&["find", "/app", "-t", "e"]), "");
    let run = place.script("create -e /app/e\nfind /app -t e\n");
    assert_eq!(run.stdout, "/app/e\n");
    place.run(&["find", "/", "-t", "x"]).failed(2);
}

#[test]
fn grep_looks_into_data() {
    let place = planted();
    assert_eq!(place.ok(&["grep", "host", "/"]), "/app/config: host=a");
    let both = "/app/config: host=a\n/app/old: HOST";
    assert_eq!(place.ok(&["grep", "-i", "HOST"]), both);
    assert_eq!(
        place.ok(&["grep", "-l", "port|HOST", "/app"]),
        "/app/config\n/app/old"
    );
    assert_eq!(place.ok(&["grep", "-F", "t=1", "/"]), "/app/config: port=1");
    let wrong = place.run(&["grep", "(", "/"]).failed(2);
    assert!(wrong.contains("-F"), "{wrong}");
}

#[test]
fn what_may_not_be_read_is_told_and_the_rest_is_shown() {
    let place = planted();
    place.ok(&["setAcl", "/app/locks", "world:anyone:cdwa"]);
    let run = place.run(&["ls", "-R", "/app"]);
    assert_eq!(run.stdout, "/app\n/app/config\n/app/locks\n/app/old\n");
    assert_eq!(run.failed(1), "Insufficient permission : /app/locks\n");
}
