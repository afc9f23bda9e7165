//! `tests/bindings/contract.json` through the C functions: against one server and three, and against
//! the ensemble that `ZOOWARDEN_CONTRACT_HOSTS` names. What a step means is told by the Rust runner
//! in `tests/bindings/`.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use zoowarden::bridge::runtime;
use zoowarden::testing::Ensemble;
use zoowarden_c::*;

const CONTRACT: &str = include_str!("../../tests/bindings/contract.json");

/// What a slow machine may take for an event.
const SOON: Duration = Duration::from_secs(30);

const LETTERS: [(char, i32); 5] = [
    ('c', ZOOWARDEN_PERM_CREATE),
    ('d', ZOOWARDEN_PERM_DELETE),
    ('r', ZOOWARDEN_PERM_READ),
    ('w', ZOOWARDEN_PERM_WRITE),
    ('a', ZOOWARDEN_PERM_ADMIN),
];

/// What a watch has told; its address is the watch's `user`.
#[derive(Default)]
struct Heard {
    events: Mutex<VecDeque<Value>>,
    changed: Condvar,
}

struct Watching {
    heard: Box<Heard>,
    watch: zoowarden_watch,
}

#[derive(Default)]
struct Play {
    hosts: String,
    clients: BTreeMap<String, zoowarden_client>,
    watchings: BTreeMap<String, Watching>,
    /// Those that were dropped; their callbacks may still run.
    ended: Vec<Watching>,
}

#[test]
fn contract_holds_with_one_server() {
    let mut node = zoowarden_node { id: 0 };
    let mut hosts = [0; 64];
    // SAFETY: all places are on this stack.
    unsafe {
        assert_ok(zoowarden_node_start(null(), &raw mut node));
        let (buffer, capacity) = (hosts.as_mut_ptr(), hosts.len());
        let told = zoowarden_node_connect_string(node, buffer, capacity, null_mut());
        assert_ok(told);
        play_all(&text_of(hosts.as_ptr()));
    }
    assert_ok(zoowarden_node_stop(node));
}

#[test]
fn contract_holds_with_three_servers() {
    let ensemble = runtime().block_on(Ensemble::start(3)).unwrap();
    play_all(&ensemble.connect_string());
    runtime().block_on(ensemble.shutdown());
}

#[test]
#[ignore = "needs another ensemble: `cargo xtask contract` starts Apache ZooKeeper for it"]
fn contract_holds_with_the_ensemble_named() {
    let hosts = std::env::var("ZOOWARDEN_CONTRACT_HOSTS").expect("names an ensemble");
    play_all(&hosts);
}

fn play_all(hosts: &str) {
    let contract: Value = serde_json::from_str(CONTRACT).expect("the contract is JSON");
    let scenarios = contract["scenarios"].as_array().expect("a list");
    assert!(!scenarios.is_empty());
    let whole = connect(hosts);
    for (number, scenario) in scenarios.iter().enumerate() {
        let root = format!("/contract-c-{}-{number}", std::process::id());
        operate(whole, "create", &json!({"path": root, "data": ""})).expect("an empty root");
        let mut play = Play {
            hosts: format!("{hosts}{root}"),
            ..Play::default()
        };
        let steps = scenario["steps"].as_array().expect("a list");
        for (at, step) in steps.iter().enumerate() {
            let place = format!("{}, step {at}: {step}", scenario["name"]);
            play.step(&place, step);
        }
        play.clients.into_values().for_each(close);
        let path = c(&root);
        // SAFETY: the path lives until the call returns.
        assert_ok(unsafe { zoowarden_delete_recursive(whole, path.as_ptr(), 0, null_mut()) });
    }
    close(whole);
}

/// Waits until the callbacks of all that the server has sent so far have run: a sync's comes last.
fn settle(client: zoowarden_client) {
    unsafe extern "C" fn raise(
        code: zoowarden_code,
        _: *const zoowarden_answer,
        user: *mut c_void,
    ) {
        // SAFETY: made below, and called once. It is the callback's own: the waiting thread goes on
        // while this one is still inside `send`.
        let done = unsafe { Box::from_raw(user.cast::<Sender<zoowarden_code>>()) };
        done.send(code).expect("somebody waits");
    }
    let (done, is_done) = channel();
    let user = Box::into_raw(Box::new(done)).cast();
    // SAFETY: the string is static; the sender is given away.
    assert_ok(unsafe { zoowarden_sync_async(client, c"/".as_ptr(), Some(raise), user) });
    assert_ok(is_done.recv().expect("it is called once"));
}

fn connect(hosts: &str) -> zoowarden_client {
    let mut client = zoowarden_client { id: 0 };
    let hosts = c(hosts);
    // SAFETY: the string and the place live until the call returns.
    assert_ok(unsafe { zoowarden_connect(hosts.as_ptr(), 30_000, &raw mut client) });
    client
}

/// A step may have closed it already.
fn close(client: zoowarden_client) {
    let code = zoowarden_client_close(client);
    assert!(code == zoowarden_code::ZOOWARDEN_OK || code == zoowarden_code::ZOOWARDEN_CLOSING);
}

fn assert_ok(code: zoowarden_code) {
    // SAFETY: static text, and this thread's.
    let said = unsafe { text_of(zoowarden_error_text()) };
    assert_eq!(code, zoowarden_code::ZOOWARDEN_OK, "{said}");
}

fn c(text: &str) -> CString {
    CString::new(text).expect("the contract has no NUL in a text")
}

/// # Safety
/// `text` is a string.
unsafe fn text_of(text: *const c_char) -> String {
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(text) }
        .to_str()
        .expect("UTF-8")
        .to_owned()
}

/// `ZOOWARDEN_NO_NODE` as the contract says it: `NoNode`.
fn name_of(code: zoowarden_code) -> String {
    // SAFETY: a static string.
    let name = unsafe { text_of(zoowarden_code_name(code as i32)) };
    let words = name
        .strip_prefix("ZOOWARDEN_")
        .expect("a code has a name")
        .split('_');
    words
        .map(|word| format!("{}{}", &word[..1], word[1..].to_lowercase()))
        .collect()
}

unsafe extern "C" fn hear(event: *const zoowarden_event, user: *mut c_void) {
    // SAFETY: what the library promises, and a `Heard` that is kept until the client is closed.
    let (event, heard) = unsafe { (&*event, &*user.cast::<Heard>()) };
    let kind = match event.kind {
        1 => "created",
        2 => "deleted",
        3 => "data_changed",
        4 => "children_changed",
        _ => return,
    };
    // SAFETY: events of changes have a path.
    let path = unsafe { text_of(event.path) };
    let mut events = heard.events.lock().expect("nobody panics with it");
    events.push_back(json!({"kind": kind, "path": path}));
    heard.changed.notify_all();
}

impl Play {
    fn client(&mut self, name: &str) -> zoowarden_client {
        let hosts = &self.hosts;
        *self
            .clients
            .entry(name.to_owned())
            .or_insert_with(|| connect(hosts))
    }

    fn step(&mut self, place: &str, step: &Value) {
        let client = self.client(step["client"].as_str().unwrap_or("a"));
        let name = step["name"].as_str().unwrap_or_default();
        let answer = match text(&step["do"]) {
            "event" => self.event(place, name),
            "no_event" => {
                settle(client);
                let events = self.watchings[name]
                    .heard
                    .events
                    .lock()
                    .expect("nobody panics with it");
                return assert!(events.is_empty(), "{place}: {events:?}");
            }
            "unwatch" => {
                let watching = self.watchings.remove(name).expect(place);
                assert_ok(zoowarden_watch_remove(watching.watch));
                return self.ended.push(watching);
            }
            "close" => return assert_ok(zoowarden_client_close(client)),
            "watch" => self.watch(client, name, step),
            "multi" => multi(client, step),
            operation => operate(client, operation, step),
        };
        let answer = answer.unwrap_or_else(|code| json!({"error": name_of(code)}));
        self.compare(place, &answer, &step["expect"]);
    }

    fn event(&mut self, place: &str, name: &str) -> Result<Value, zoowarden_code> {
        let heard = &self.watchings[name].heard;
        let events = heard.events.lock().expect("nobody panics with it");
        let waited = heard
            .changed
            .wait_timeout_while(events, SOON, |events| events.is_empty());
        let event = waited.expect("nobody panics with it").0.pop_front();
        Ok(event.unwrap_or_else(|| panic!("{place}: no event")))
    }

    fn watch(
        &mut self,
        client: zoowarden_client,
        name: &str,
        step: &Value,
    ) -> Result<Value, zoowarden_code> {
        let heard = Box::<Heard>::default();
        let watcher = zoowarden_watcher {
            function: Some(hear),
            user: (&raw const *heard).cast_mut().cast(),
        };
        let watcher = &raw const watcher;
        let (path, mut answer) = (c(text(&step["path"])), null_mut());
        let (at, out) = (path.as_ptr(), &raw mut answer);
        // SAFETY: everything lives until the calls return, and `heard` until the client is closed.
        let (code, found) = unsafe {
            let (code, form): (_, fn(&zoowarden_answer) -> Value) = match text(&step["kind"]) {
                "data" => (zoowarden_get(client, at, watcher, 0, out), data_form),
                "exists" => (zoowarden_exists(client, at, watcher, 0, out), stat_form),
                "children" => (
                    zoowarden_get_children(client, at, watcher, 0, out),
                    names_form,
                ),
                "persistent" => (zoowarden_add_watch(client, at, 0, watcher, 0, out), no_form),
                "recursive" => (zoowarden_add_watch(client, at, 1, watcher, 0, out), no_form),
                other => panic!("a watch of kind {other}"),
            };
            let found = answer.as_ref().map(|answer| (form(answer), answer.watch));
            zoowarden_answer_free(out);
            (code, found)
        };
        let absent = step["kind"] == "exists" && code == zoowarden_code::ZOOWARDEN_NO_NODE;
        if code != zoowarden_code::ZOOWARDEN_OK && !absent {
            return Err(code);
        }
        let (value, watch) = found.expect("a watch that was set is told of");
        self.watchings
            .insert(name.to_owned(), Watching { heard, watch });
        Ok(if absent {
            json!({"exists": false})
        } else {
            value
        })
    }

    /// Everything that is expected must be there, and equal.
    fn compare(&self, place: &str, answer: &Value, expected: &Value) {
        let expected = expected
            .as_object()
            .unwrap_or_else(|| panic!("{place}: expects nothing"));
        if !expected.contains_key("error") {
            assert_eq!(answer.get("error"), None, "{place}");
        }
        for (member, wanted) in expected {
            match member.as_str() {
                "stat" => self.compare_stat(place, &answer["stat"], wanted),
                "includes" => {
                    let list = answer["ids"].as_array().expect(place);
                    assert!(list.contains(wanted), "{place}: {answer}");
                }
                "results" => {
                    let found = answer["results"].as_array().expect(place);
                    let wanted = wanted.as_array().expect(place);
                    assert_eq!(found.len(), wanted.len(), "{place}: {answer}");
                    for (found, wanted) in found.iter().zip(wanted) {
                        self.compare(place, found, wanted);
                    }
                }
                // C has no kinds of outcomes: a program knows what it asked for.
                "kind" if answer.get("kind").is_none() => {}
                member => assert_eq!(&answer[member], wanted, "{place}: {answer}"),
            }
        }
    }

    fn compare_stat(&self, place: &str, found: &Value, wanted: &Value) {
        for (field, wanted) in wanted.as_object().expect(place) {
            if field == "owner" {
                let owner = wanted
                    .as_str()
                    .map_or(0, |name| session_of(self.clients[name]));
                assert_eq!(found["ephemeral_owner"], json!(owner), "{place}: {found}");
            } else {
                assert_eq!(&found[field], wanted, "{place}: {field} of {found}");
            }
        }
    }
}

fn session_of(client: zoowarden_client) -> i64 {
    let mut session = zoowarden_session {
        id: 0,
        password: [0; 16],
        timeout_ms: 0,
        last_zxid: 0,
    };
    // SAFETY: the place lives until the call returns.
    assert_ok(unsafe { zoowarden_client_session(client, &raw mut session) });
    session.id
}

fn operate(
    client: zoowarden_client,
    operation: &str,
    step: &Value,
) -> Result<Value, zoowarden_code> {
    let (path, data, acl) = (
        c(step["path"].as_str().unwrap_or_default()),
        bytes(step),
        Acls::of(step),
    );
    let (scheme, auth) = (
        c(step["scheme"].as_str().unwrap_or_default()),
        step["auth"].as_str(),
    );
    let auth = auth.unwrap_or_default();
    let options = acl.options(step);
    let (at, from, length) = (path.as_ptr(), data.as_ptr().cast(), data.len());
    let (entries, count, version) = (options.acl, options.acl_count, version(step));
    let mut answer = null_mut();
    let out = &raw mut answer;
    // SAFETY: everything lives until the calls return.
    unsafe {
        let (code, form): (_, fn(&zoowarden_answer) -> Value) = match operation {
            "create" => {
                let options = &raw const options;
                (
                    zoowarden_create(client, at, from, length, options, 0, out),
                    path_form,
                )
            }
            "delete" => (zoowarden_delete(client, at, version, 0, out), no_form),
            "exists" => (zoowarden_exists(client, at, null(), 0, out), stat_form),
            "get" => (zoowarden_get(client, at, null(), 0, out), data_form),
            "set" => (
                zoowarden_set(client, at, from, length, version, 0, out),
                stat_form,
            ),
            "get_children" => (
                zoowarden_get_children(client, at, null(), 0, out),
                names_form,
            ),
            "get_acl" => (zoowarden_get_acl(client, at, 0, out), acl_form),
            "set_acl" => (
                zoowarden_set_acl(client, at, entries, count, version, 0, out),
                stat_form,
            ),
            "sync" => (zoowarden_sync(client, at, 0, out), no_form),
            "get_ephemerals" => (zoowarden_get_ephemerals(client, at, 0, out), names_form),
            "get_all_children_number" => (
                zoowarden_get_all_children_number(client, at, 0, out),
                count_form,
            ),
            "add_auth" => {
                let (from, length) = (auth.as_ptr().cast(), auth.len());
                (
                    zoowarden_add_auth(client, scheme.as_ptr(), from, length, 0, out),
                    no_form,
                )
            }
            "who_am_i" => (zoowarden_who_am_i(client, 0, out), acl_form),
            other => panic!("no operation is called {other}"),
        };
        told(code, &raw mut answer, form, operation == "exists")
    }
}

/// What an operation gave, as the contract says it; frees the answer.
///
/// # Safety
/// `answer` was filled by a blocking function that answered `code`.
unsafe fn told(
    code: zoowarden_code,
    answer: *mut *mut zoowarden_answer,
    form: fn(&zoowarden_answer) -> Value,
    is_exists: bool,
) -> Result<Value, zoowarden_code> {
    // SAFETY: as promised by the caller.
    let told = unsafe {
        let told = (*answer).as_ref().map(form);
        zoowarden_answer_free(answer);
        told
    };
    match code {
        zoowarden_code::ZOOWARDEN_OK => Ok(told.expect("a success has an answer")),
        zoowarden_code::ZOOWARDEN_NO_NODE if is_exists => Ok(json!({"exists": false})),
        code => Err(code),
    }
}

fn multi(client: zoowarden_client, step: &Value) -> Result<Value, zoowarden_code> {
    let mut transaction = zoowarden_transaction { id: 0 };
    let mut answer = null_mut();
    // SAFETY: everything lives until the calls return.
    unsafe {
        assert_ok(zoowarden_transaction_new(&raw mut transaction));
        for op in step["ops"].as_array().expect("a list") {
            let (path, data, acl) = (c(text(&op["path"])), bytes(op), Acls::of(op));
            let (at, from, length) = (path.as_ptr(), data.as_ptr().cast(), data.len());
            let options = acl.options(op);
            assert_ok(match text(&op["do"]) {
                "create" => {
                    let options = &raw const options;
                    zoowarden_transaction_create(transaction, at, from, length, options)
                }
                "delete" => zoowarden_transaction_delete(transaction, at, version(op)),
                "set" => zoowarden_transaction_set(transaction, at, from, length, version(op)),
                "check" => zoowarden_transaction_check(transaction, at, version(op)),
                other => panic!("no change is called {other}"),
            });
        }
        let code = zoowarden_transaction_commit(transaction, client, 0, &raw mut answer);
        let outcomes = outcomes(answer.as_ref().expect("a transaction tells of each change"));
        zoowarden_answer_free(&raw mut answer);
        if code == zoowarden_code::ZOOWARDEN_OK {
            let results: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
            return Ok(json!({"results": results}));
        }
        let index = outcomes.iter().position(|(found, _)| *found == code);
        Ok(json!({"error": name_of(code), "index": index}))
    }
}

fn outcomes(answer: &zoowarden_answer) -> Vec<(zoowarden_code, Value)> {
    (0..answer.outcomes_count)
        .map(|at| {
            // SAFETY: there are as many.
            let outcome = unsafe { &*answer.outcomes.add(at) };
            let mut value = json!({"stat": stat(&outcome.stat)});
            if !outcome.path.is_null() {
                // SAFETY: not null, so a string.
                value["path"] = json!(unsafe { text_of(outcome.path) });
            }
            (outcome.code, value)
        })
        .collect()
}

fn no_form(_: &zoowarden_answer) -> Value {
    json!({})
}

fn count_form(answer: &zoowarden_answer) -> Value {
    json!({"count": answer.count})
}

fn path_form(answer: &zoowarden_answer) -> Value {
    // SAFETY: creations have a path.
    json!({"path": unsafe { text_of(answer.path) }, "stat": stat(&answer.stat)})
}

fn stat_form(answer: &zoowarden_answer) -> Value {
    json!({"exists": true, "stat": stat(&answer.stat)})
}

/// Text where it is text.
fn data_form(answer: &zoowarden_answer) -> Value {
    // SAFETY: that many bytes are there, and none if the pointer is null.
    let data = match answer.data_length {
        0 => &[],
        length => unsafe { std::slice::from_raw_parts(answer.data, length) },
    };
    let is_text = |text: &&str| !text.contains(|c: char| c.is_control());
    let value = match std::str::from_utf8(data).ok().filter(is_text) {
        Some(text) => json!(text),
        None => json!({"hex": data.iter().map(|byte| format!("{byte:02x}")).collect::<String>()}),
    };
    json!({"data": value, "stat": stat(&answer.stat)})
}

fn names_form(answer: &zoowarden_answer) -> Value {
    // SAFETY: there are as many.
    let name = |at| unsafe { text_of(*answer.names.add(at)) };
    let mut names: Vec<_> = (0..answer.names_count).map(name).collect();
    names.sort();
    json!({"children": names, "paths": names, "stat": stat(&answer.stat)})
}

fn acl_form(answer: &zoowarden_answer) -> Value {
    let (mut acl, mut ids) = (Vec::new(), Vec::new());
    for at in 0..answer.acl_count {
        // SAFETY: there are as many, and their texts are strings.
        let (perms, scheme, id) = unsafe {
            let entry = &*answer.acl.add(at);
            (entry.perms, text_of(entry.scheme), text_of(entry.id))
        };
        let set = LETTERS.iter().filter(|(_, bit)| perms & bit != 0);
        let perms: String = set.map(|(letter, _)| letter).collect();
        acl.push(json!({"perms": perms, "scheme": scheme, "id": id}));
        ids.push(json!({"scheme": scheme, "id": id}));
    }
    json!({"acl": acl, "ids": ids, "stat": stat(&answer.stat)})
}

fn stat(stat: &zoowarden_stat) -> Value {
    json!({
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeral_owner": stat.ephemeral_owner,
        "data_length": stat.data_length,
        "num_children": stat.num_children,
    })
}

/// An ACL of the contract and the texts it points to.
struct Acls {
    _texts: Vec<CString>,
    entries: Option<Vec<zoowarden_acl>>,
}

impl Acls {
    fn of(step: &Value) -> Acls {
        let mut texts = Vec::new();
        let entries = step["acl"].as_array().map(|list| {
            let entry = |entry: &Value| {
                let letters = text(&entry["perms"]);
                let set = LETTERS
                    .iter()
                    .filter(|(letter, _)| letters.contains(*letter));
                let (scheme, id) = (c(text(&entry["scheme"])), c(text(&entry["id"])));
                let made = zoowarden_acl {
                    perms: set.map(|(_, bit)| bit).sum(),
                    scheme: scheme.as_ptr(),
                    id: id.as_ptr(),
                };
                texts.extend([scheme, id]);
                made
            };
            list.iter().map(entry).collect()
        });
        Acls {
            _texts: texts,
            entries,
        }
    }

    fn options(&self, step: &Value) -> zoowarden_create_options {
        let mode = match step["mode"].as_str().unwrap_or("persistent") {
            "persistent" => zoowarden_create_mode::ZOOWARDEN_PERSISTENT,
            "persistent_sequential" => zoowarden_create_mode::ZOOWARDEN_PERSISTENT_SEQUENTIAL,
            "ephemeral" => zoowarden_create_mode::ZOOWARDEN_EPHEMERAL,
            "ephemeral_sequential" => zoowarden_create_mode::ZOOWARDEN_EPHEMERAL_SEQUENTIAL,
            "container" => zoowarden_create_mode::ZOOWARDEN_CONTAINER,
            other => panic!("no mode is called {other}"),
        };
        zoowarden_create_options {
            mode: mode as i32,
            ttl_ms: 0,
            acl: self
                .entries
                .as_ref()
                .map_or(null(), |entries| entries.as_ptr()),
            acl_count: self.entries.as_ref().map_or(0, Vec::len),
        }
    }
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} must be a text"))
}

fn bytes(step: &Value) -> Vec<u8> {
    match &step["data"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        data => {
            let hex = text(&data["hex"]);
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
            (0..hex.len()).step_by(2).map(byte).collect()
        }
    }
}

fn version(step: &Value) -> i32 {
    let version = step["version"].as_i64();
    version.map_or(ZOOWARDEN_ANY_VERSION, |version| version as i32)
}
