//! export and import.

use serde_json::Value;

use super::support::Place;

fn planted() -> Place {
    let place = Place::new();
    let script = "create /app täxt\ncreate /app/null\ncreate /app/empty \"\"\n\
                  create -b /app/bin /wA=\ncreate /app/acl x world:anyone:cdr\n\
                  create -p /app/deep/er x\n";
    place.script(script).ok();
    place
}

#[test]
fn a_subtree_goes_out_and_comes_back_the_same() {
    let place = planted();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.json").display().to_string();
    let told = place.run(&["export", "/app", &file]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(told.stderr, format!("Exported 7 znodes to {file}\n"));
    let parsed: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(parsed["root"], "/app");
    assert_eq!(parsed["znodes"].as_array().unwrap().len(), 7);
    let told = place.run(&["import", &file, "/copy"]);
    assert_eq!(
        (told.code, told.stderr.as_str()),
        (0, "Imported 7 znodes\n")
    );
    let there = place.ok(&["export", "/copy"]);
    let before = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        there.trim_end(),
        before
            .replace("\"root\":\"/app\"", "\"root\":\"/copy\"")
            .trim_end()
    );
}

#[test]
fn import_goes_where_it_was_and_takes_standard_input() {
    let place = planted();
    let text = place.ok(&["export", "/app"]);
    place.ok(&["deleteall", "/app"]);
    place.run_with(&["import", "-"], text.as_bytes()).ok();
    assert_eq!(place.ok(&["get", "/app"]), "täxt");
    assert_eq!(place.ok(&["get", "-b", "/app/bin"]), "/wA=");
    assert_eq!(place.ok(&["get", "/app/null"]), "null");
    let said = place.run_with(&["import", "-"], text.as_bytes()).failed(1);
    assert!(
        said.contains("Node already exists: /app and 6 more; nothing was changed"),
        "{said}"
    );
    place.ok(&["delete", "/app/bin"]);
    let words = ["import", "-", "--on-conflict", "skip", "--json"];
    let sums = place.run_with(&words, text.as_bytes()).json();
    assert_eq!((&sums["created"], &sums["skipped"]), (&1.into(), &6.into()));
}

#[test]
fn what_is_no_export_is_refused_before_anything_is_changed() {
    let place = Place::new();
    for (text, part) in [
        ("{", "not an export"),
        (
            "{\"format\":\"x\",\"version\":1,\"root\":\"/\",\"znodes\":[]}",
            "it says format x",
        ),
        (
            "{\"format\":\"zoowarden-export\",\"version\":1,\"root\":\"/r\",\"znodes\":[\
             {\"path\":\"/\"},{\"path\":\"/b\",\"data_base64\":\"?\"}]}",
            "/b: not base64",
        ),
    ] {
        let said = place.run_with(&["import", "-"], text.as_bytes()).failed(1);
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(place.ok(&["ls", "/"]), "[]");
}

#[test]
fn thousands_of_znodes_go_through() {
    let place = Place::new();
    let entry = |n: u32| format!(",\n{{\"path\":\"/n{n}\",\"data\":\"{n}\"}}");
    let many: String = (0..5000).map(entry).collect();
    let text = format!(
        "{{\"format\":\"zoowarden-export\",\"version\":1,\"root\":\"/many\",\"znodes\":[\n\
         {{\"path\":\"/\"}}{many}]}}"
    );
    place.run_with(&["import", "-"], text.as_bytes()).ok();
    assert_eq!(place.ok(&["getAllChildrenNumber", "/many"]), "5000");
    assert_eq!(place.ok(&["find", "/many"]).lines().count(), 5001);
    place.ok(&["cp", "-R", "/many", "/more"]);
    assert_eq!(place.ok(&["get", "/more/n4999"]), "4999");
    place.ok(&["deleteall", "/many"]);
    assert_eq!(place.ok(&["ls", "/"]), "[more]");
}
