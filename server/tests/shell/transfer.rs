//! cp and mv: what is copied, what stands in the way, and what is one multi.

use super::support::Place;

fn planted() -> Place {
    let place = Place::new();
    let script = "create /a 1\ncreate /a/b 2 world:anyone:cdr\ncreate /a/b/c\n";
    place.script(script).ok();
    place
}

#[test]
fn cp_takes_data_and_acls_along() {
    let place = planted();
    let refused = place.run(&["cp", "/a", "/copy"]).failed(1);
    assert_eq!(refused, "/a has 1 children: -R copies them, too\n");
    let run = place.run(&["cp", "-R", "/a", "/copy"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, "Copied 3 znodes\n"));
    assert_eq!(
        place.ok(&["ls", "-R", "/copy"]),
        "/copy\n/copy/b\n/copy/b/c"
    );
    assert_eq!(place.ok(&["get", "/copy/b/c"]), "null");
    assert_eq!(place.ok(&["getAcl", "/copy/b"]), "'world,'anyone\n: cdr");
    place.ok(&["cp", "-p", "/a/b/c", "/x/y/z"]);
    assert_eq!(place.ok(&["get", "/x/y/z"]), "null");
    place.run(&["cp", "-R", "/a", "/a/b/inside"]).failed(2);
}

#[test]
fn conflicts_are_met_as_the_policy_says() {
    let place = planted();
    place.script("create /to old\ncreate /to/b old\n").ok();
    let said = place.run(&["cp", "-R", "/a", "/to"]).failed(1);
    assert!(
        said.contains("Node already exists: /to and 1 more; nothing was changed"),
        "{said}"
    );
    let skip = place.run(&["cp", "-R", "/a", "/to", "--on-conflict", "skip"]);
    assert_eq!(
        skip.stderr,
        "Copied 1 znode, 2 were there and stayed as they are\n"
    );
    assert_eq!(place.ok(&["get", "/to/b"]), "old");
    let over = place.run(&["cp", "-R", "/a", "/to", "--on-conflict", "overwrite"]);
    assert_eq!(over.stderr, "Copied 3 znodes, 3 of them overwritten\n");
    assert_eq!(place.ok(&["get", "/to/b"]), "2");
    assert_eq!(place.ok(&["getAcl", "/to/b"]), "'world,'anyone\n: cdr");
    place
        .run(&["cp", "/a", "/to", "--on-conflict", "burn"])
        .failed(2);
}

#[test]
fn mv_is_one_multi_where_it_fits() {
    let place = planted();
    let run = place.run(&["mv", "/a", "/m"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, "Moved 3 znodes in one multi\n")
    );
    assert_eq!(place.ok(&["ls", "-R", "/"]), "/\n/m\n/m/b\n/m/b/c");
    let moved = place.ok(&["stat", "/m/b/c"]);
    let of_top = place.ok(&["stat", "/m"]);
    let created = |stat: &str| stat.lines().next().unwrap_or_default().to_owned();
    assert_eq!(
        created(&moved),
        created(&of_top),
        "one change made them all"
    );
    place.ok(&["create", "/n"]);
    let said = place.run(&["mv", "/m", "/n"]).failed(1);
    assert!(
        said.contains("Node already exists: /n; nothing was changed"),
        "{said}"
    );
}

#[test]
fn mv_of_what_does_not_fit_says_that_it_is_not_atomic() {
    let place = Place::new();
    place.ok(&["create", "/big"]);
    let data = vec![b'x'; 300_000];
    for number in 0..4 {
        place
            .run_with(&["create", &format!("/big/{number}"), "-"], &data)
            .ok();
    }
    let run = place.run(&["mv", "/big", "/moved"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr.contains("do not fit into one multi"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("Moved 5 znodes in steps, not atomically"),
        "{}",
        run.stderr
    );
    assert_eq!(place.ok(&["ls", "/"]), "[moved]");
    assert_eq!(
        place
            .ok(&["find", "/moved", "-m", "300000"])
            .lines()
            .count(),
        4
    );
}

#[test]
fn ephemerals_are_left_out_of_copies_and_forbid_a_move_unless_told() {
    let place = planted();
    let run = place.script(
        "create -e /a/e x\ncp -R /a /c\nmv /a /m\nmv --ephemerals persistent /a /m\nls /c\nls /m\n",
    );
    assert_eq!(run.stdout, "[b]\n[b, e]\n", "{}", run.stderr);
    assert!(
        run.stderr
            .contains("Copied 3 znodes, 1 left out because ephemeral"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("/a/e is ephemeral"), "{}", run.stderr);
    assert_eq!(place.ok(&["ls", "/m"]), "[b, e]");
}

#[test]
fn an_empty_variable_behind_a_slash_changes_nothing() {
    let place = planted();
    for line in [
        "deleteall /a/",
        "delete /a/b/c/",
        "set /a/ x",
        "create /a/new/",
        "setAcl -R /a/ world:anyone:r",
        "mv /a/ /m",
        "mv /a /m/",
        "cp -R /a/ /m",
        "cp -R /a /m/",
        "setquota -n 5 /a/",
        "delquota /a/",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let said = place.run(&words).failed(2);
        assert!(said.contains("path ends with /"), "{line}: {said}");
    }
    assert_eq!(place.ok(&["ls", "-R", "/"]), "/\n/a\n/a/b\n/a/b/c");
    assert_eq!(place.ok(&["ls", "/a/"]), "[b]", "a look forgives the slash");
}
