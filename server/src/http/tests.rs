//! What needs no server: the table of commands.

use std::collections::BTreeSet;

use super::commands::{Verb, find, names, parameter};

#[test]
fn every_name_and_alias_of_zookeeper_and_history_is_found() {
    let all = "configuration connection_stat_reset connections dirs dump environment \
               get_trace_mask hash history initial_configuration is_read_only last_snapshot leader monitor \
               observer_connection_stat_reset observers restore ruok server_stats set_trace_mask \
               shed_connections snapshot stat_reset stats system_properties voting_view \
               watch_summary watches watches_by_path zabstate";
    assert_eq!(
        names().collect::<Vec<_>>(),
        all.split_whitespace().collect::<Vec<_>>()
    );
    for (alias, name) in [
        ("conf", "configuration"),
        ("config", "configuration"),
        ("crst", "connection_stat_reset"),
        ("cons", "connections"),
        ("env", "environment"),
        ("envi", "environment"),
        ("gtmk", "get_trace_mask"),
        ("stmk", "set_trace_mask"),
        ("icfg", "initial_configuration"),
        ("isro", "is_read_only"),
        ("lsnp", "last_snapshot"),
        ("lead", "leader"),
        ("mntr", "monitor"),
        ("orst", "observer_connection_stat_reset"),
        ("obsr", "observers"),
        ("rest", "restore"),
        ("shed", "shed_connections"),
        ("snap", "snapshot"),
        ("srvr", "server_stats"),
        ("stat", "stats"),
        ("srst", "stat_reset"),
        ("sysp", "system_properties"),
        ("wchc", "watches"),
        ("wchp", "watches_by_path"),
        ("wchs", "watch_summary"),
    ] {
        assert_eq!(
            find(alias).map(|command| command.name),
            Some(name),
            "{alias}"
        );
    }
    assert!(find("").is_none() && find("RUOK").is_none());
}

#[test]
fn whatever_changes_or_shows_all_needs_permission() {
    let all = names().filter_map(find);
    let guarded = all.filter(|command| command.needs_auth);
    let guarded = guarded.map(|command| (command.name, command.verb));
    let want = [
        ("history", Verb::Get),
        ("restore", Verb::Post),
        ("shed_connections", Verb::Post),
        ("snapshot", Verb::Get),
    ];
    assert_eq!(guarded.collect::<Vec<_>>(), want);
    let unserved = names().filter_map(find).filter(|c| !c.needs_server);
    let want = "environment get_trace_mask monitor ruok set_trace_mask system_properties zabstate";
    assert_eq!(
        unserved.map(|c| c.name).collect::<BTreeSet<_>>(),
        want.split_whitespace().collect()
    );
}

#[test]
fn parameters_are_found_by_their_names() {
    for (query, want) in [
        ("", None),
        ("streaming", None),
        ("streaming=true", Some("true")),
        ("a=1&streaming=false&streaming=true", Some("false")),
        ("xstreaming=1", None),
    ] {
        assert_eq!(parameter(query, "streaming").as_deref(), want, "{query}");
    }
}
