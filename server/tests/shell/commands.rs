//! zkCli's commands: what each prints, as text and as JSON.

use serde_json::json;

use super::support::Place;

#[test]
fn every_kind_of_znode_can_be_made() {
    let place = Place::new();
    let script = "create /a\ncreate -e /e x\ncreate -s /s- x\ncreate -e -s /es- x\ncreate -c /c\n\
                  create -t 60000 /t x\ncreate -p /deep/er/est x\nls /\nls -R /deep\n";
    let run = place.script(script);
    let listed = "[a, c, deep, e, es-0000000003, s-0000000002, t]\n/deep\n/deep/er\n/deep/er/est\n";
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, listed),
        "{}",
        run.stderr
    );
    assert_eq!(place.ok(&["ls", "/"]), "[a, c, deep, s-0000000002, t]");
    for (wrong, part) in [
        (
            &["create", "-c", "-e", "/x"][..],
            "Containers cannot be ephemeral",
        ),
        (
            &["create", "-t", "5", "-e", "/x"],
            "TTLs cannot be used with Ephemeral",
        ),
        (&["create", "-t", "x", "/x"], "expected a whole number"),
        (
            &["create", "/x", "d", "foo"],
            "foo does not have the form scheme:id:perm",
        ),
        (
            &["create", "/x", "d", "world:anyone:x"],
            "unknown permission x",
        ),
    ] {
        let said = place.run(wrong).failed(2);
        assert!(said.contains(part), "{wrong:?}: {said}");
    }
}

#[test]
fn versions_guard_set_and_delete() {
    let place = Place::new();
    place.ok(&["create", "/a", "1"]);
    place.ok(&["set", "-v", "0", "/a", "2"]);
    let said = place.run(&["set", "/a", "3", "-v", "0"]).failed(1);
    assert_eq!(said, "version No is not valid : /a\n");
    place.run(&["delete", "-v", "0", "/a"]).failed(1);
    assert!(
        place
            .ok(&["set", "-s", "/a", "4"])
            .contains("dataVersion = 2")
    );
    place.ok(&["delete", "-v", "2", "/a"]);
    assert_eq!(place.ok(&["ls", "/"]), "[]");
}

#[test]
fn the_forms_of_old_scripts_work_and_say_what_is_new() {
    let place = Place::new();
    place.ok(&["create", "/a", "1"]);
    place.ok(&["create", "/a/b", "1"]);
    for (old, told) in [
        (
            &["ls", "/a", "watch"][..],
            "Please use 'ls [-w] path' instead.",
        ),
        (
            &["get", "/a", "watch"],
            "Please use 'get [-s] [-w] path' instead.",
        ),
        (
            &["set", "/a", "2", "0"],
            "Please use 'set [-s] [-v version] path data' instead.",
        ),
        (&["ls2", "/a"], "Please use 'ls -s [-w] path' instead."),
        (&["rmr", "/a"], "Please use 'deleteall path' instead."),
    ] {
        let run = place.run(old);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stderr.contains(told), "{old:?}: {}", run.stderr);
    }
}

#[test]
fn acls_are_shown_and_set_also_on_a_whole_subtree() {
    let place = Place::new();
    place.script("create /a\ncreate /a/b\n").ok();
    assert_eq!(place.ok(&["getAcl", "/a"]), "'world,'anyone\n: cdrwa");
    place.ok(&["setAcl", "-R", "/a", "world:anyone:cdr"]);
    assert_eq!(place.ok(&["getAcl", "/a/b"]), "'world,'anyone\n: cdr");
    let shown = place.run(&["--json", "getAcl", "/a"]).json();
    assert_eq!(
        shown["acl"],
        json!([{ "scheme": "world", "id": "anyone", "perms": "cdr" }])
    );
}

#[test]
fn quotas_are_set_listed_changed_and_deleted() {
    let place = Place::new();
    place.script("create /q x\ncreate /q/in y\n").ok();
    place.ok(&["setquota", "-n", "10", "/q"]);
    place.ok(&["setquota", "-B", "99", "/q"]);
    let listed = place.ok(&["listquota", "/q"]);
    let limits = "Output quota for /q count=10,bytes=-1=;byteHardLimit=99;countHardLimit=-1";
    assert_eq!(
        listed,
        format!("{limits}\nOutput stat for /q count=2,bytes=2")
    );
    let nested = place.run(&["setquota", "-n", "5", "/q/in"]).failed(1);
    assert!(
        nested.contains("has a parent") && nested.contains("which has a quota"),
        "{nested}"
    );
    let small = place.run(&["setquota", "-n", "1", "/q"]);
    assert!(
        small.stdout.contains("less than the existing count:2"),
        "{}",
        small.stdout
    );
    place.ok(&["delquota", "-n", "/q"]);
    let listed = place.run(&["listquota", "--json", "/q"]).json();
    assert_eq!(listed["limits"]["count"], json!(null));
    assert_eq!(listed["limits"]["hard_bytes"], 99);
    place.ok(&["delquota", "/q"]);
    let said = place.run(&["listquota", "/q"]).failed(1);
    assert!(said.contains("quota for /q does not exist."), "{said}");
    place.run(&["setquota", "-n", "0", "/q"]).failed(2);
    place.run(&["setquota", "-n", "5", "/nowhere"]).failed(1);
}

#[test]
fn deleteall_deletes_a_subtree_in_batches_and_says_how_much() {
    let place = Place::new();
    let script: String = (0..50)
        .map(|n| format!("create -p /d/{}/x{n}\n", n % 7))
        .collect();
    place.script(&script).ok();
    let run = place.run(&["deleteall", "/d", "-b", "9"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, "Deleted 58 znodes\n"));
    assert_eq!(place.ok(&["ls", "/"]), "[]");
    place.run(&["deleteall", "/d"]).failed(1);
    place.run(&["deleteall", "/"]).failed(2);
}

#[test]
fn every_answer_can_be_json_on_one_line() {
    let place = Place::new();
    assert_eq!(
        place.run(&["create", "--json", "-s", "/a-", "x"]).json(),
        json!({ "created": "/a-0000000000" })
    );
    let got = place.run(&["get", "/a-0000000000", "--json"]).json();
    assert_eq!(
        (&got["data"], &got["stat"]["version"]),
        (&json!("x"), &json!(0))
    );
    assert_eq!(
        place.run(&["ls", "--json", "/"]).json()["children"],
        json!(["a-0000000000"])
    );
    for words in [
        &["stat", "/"][..],
        &["set", "/a-0000000000", "y"],
        &["getEphemerals"],
        &["getAllChildrenNumber", "/"],
        &["sync", "/"],
        &["tree", "/"],
        &["find", "/"],
        &["grep", "y"],
        &["whoami"],
        &["config"],
        &["history"],
        &["help"],
        &["version"],
        &["addWatch", "/"],
        &["deleteall", "/a-0000000000"],
    ] {
        let json = [&["--json"][..], words].concat();
        let answer = place.run(&json).json();
        assert!(
            answer.is_object() || answer.is_array(),
            "{words:?}: {answer}"
        );
    }
    let said = place.run(&["--json", "get", "/nowhere"]).failed(1);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["error"]["code"], "NoNode");
    assert_eq!(said["error"]["number"], -101);
    let said = place.run(&["--json", "get"]).failed(2);
    assert!(said.starts_with("{\"error\":{\"code\":\"Usage\""), "{said}");
}

#[test]
fn reconfig_that_servers_do_not_allow_is_told() {
    let place = Place::new();
    let said = place.run(&["reconfig", "-remove", "3"]).failed(1);
    assert!(said.contains("Reconfig is disabled"), "{said}");
    place.run(&["reconfig"]).failed(2);
}
