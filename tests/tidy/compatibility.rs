//! The tables of docs/compatibility.md say what the code does: every row has its code, all code its
//! row.
//!
//! What lives here: what a row says, and what the code has, read from the tables that it is driven
//! by. What does not: whether the remarks are true; tests of the behaviour itself tell.

use super::source::{File, Tree};
use super::{Violation, allows, catches, holds};

const DOCUMENT: &str = "docs/compatibility.md";
const OPCODES: &str = "core/src/proto/request.rs";
const WORDS: &str = "core/src/server/four_letter/mod.rs";
const COMMANDS: &str = "server/src/http/commands.rs";
const SETTINGS: &str = "core/src/server/config/keys.rs";
const TLS_SETTINGS: &str = "core/src/server/config/tls.rs";
const METRICS: [&str; 3] = [
    "core/src/metrics/names.rs",
    "core/src/metrics/mod.rs",
    "core/src/server/gauges.rs",
];

/// Settings that one function takes for all that begin so, and where it begins.
const FAMILIES: [(&str, &str); 2] = [
    ("ssl.", "pub(super) fn apply("),
    ("metricsProvider.ssl.", "pub(super) fn apply_of_metrics("),
];

/// What a row may say.
const CLAIMS: [&str; 3] = ["yes", "in part", "no"];
const THERE: &[&str] = &["yes", "in part"];
const NOT_THERE: &[&str] = &["no"];

/// Something that the code has, and what a row may say of it.
struct Item<'a> {
    file: &'a File,
    line: usize,
    /// With a `*` at its end it stands for all names that begin so.
    name: String,
    /// What the second column must say, if it says more than whether it is there.
    second: Option<String>,
    claims: &'static [&'static str],
}

struct Row<'a> {
    line: usize,
    names: Vec<&'a str>,
    cells: Vec<&'a str>,
}

/// One table of the document.
struct Table {
    heading: &'static str,
    items: fn(&Tree) -> Vec<Item<'_>>,
    /// The fewest that the code has; fewer, and this file does not understand the code any more.
    items_min: usize,
    /// Whether the code must know even what it does not do.
    knows_all: bool,
}

const TABLES: [Table; 5] = [
    Table {
        heading: "## Operations",
        items: opcodes,
        items_min: 29,
        knows_all: false,
    },
    Table {
        heading: "## Four-letter words",
        items: words,
        items_min: 18,
        knows_all: true,
    },
    Table {
        heading: "## Admin commands",
        items: commands,
        items_min: 55,
        knows_all: true,
    },
    Table {
        heading: "## Settings",
        items: settings,
        items_min: 200,
        knows_all: true,
    },
    Table {
        heading: "## Metrics",
        items: metrics,
        items_min: 90,
        knows_all: false,
    },
];

/// The rows of the tables between a heading and the next. `(a, b)` and `a, b` are names alike.
fn rows<'a>(document: &'a File, heading: &str) -> Vec<Row<'a>> {
    let lines = (1..).zip(document.text.lines());
    let section = lines
        .skip_while(|(_, line)| *line != heading)
        .skip(1)
        .take_while(|(_, line)| !line.starts_with("## "));
    let rows = section.filter_map(|(line, text)| {
        let inside = text.strip_prefix("| ")?.strip_suffix('|')?;
        let cells: Vec<&str> = inside.split(" |").map(str::trim).collect();
        let names = cells[0].split([',', '(', ')']).map(str::trim);
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        Some(Row { line, names, cells })
    });
    // A table's head says what the columns are.
    rows.filter(|row| !row.cells.contains(&"supported"))
        .collect()
}

/// The insides of the string literals of a text, with their offsets.
fn literals(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let mut offset = at;
        for (number, piece) in line.split('"').enumerate() {
            if number % 2 == 1 && !line.trim_start().starts_with("//") {
                found.push((offset, piece));
            }
            offset += piece.len() + 1;
        }
        at += line.len();
    }
    found
}

fn file<'a>(tree: &'a Tree, path: &str) -> Option<&'a File> {
    tree.files.iter().find(|file| file.path == path)
}

/// The part of a file between two marks, with its offset; the empty end of one that lacks them.
fn between<'a>(file: &'a File, from: &str, to: &str) -> (usize, &'a str) {
    let text = &file.text;
    let start = text.find(from).map_or(text.len(), |at| at + from.len());
    let length = text[start..].find(to).unwrap_or(text.len() - start);
    (start, &text[start..start + length])
}

impl<'a> Item<'a> {
    fn new(file: &'a File, offset: usize, name: &str) -> Item<'a> {
        Item {
            line: file.line_of(offset),
            file,
            name: name.to_owned(),
            second: None,
            claims: THERE,
        }
    }

    fn stands_for(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.name,
        }
    }
}

/// `/// name` above `Variant = number,`.
fn opcodes(tree: &Tree) -> Vec<Item<'_>> {
    let Some(file) = file(tree, OPCODES) else {
        return Vec::new();
    };
    let (start, body) = between(file, "pub enum OpCode {", "\n}");
    let mut at = start;
    let mut name = "";
    let mut items = Vec::new();
    for line in body.split_inclusive('\n') {
        let trimmed = line.trim();
        if let Some(comment) = trimmed.strip_prefix("/// ") {
            name = comment.split(',').next().unwrap_or_default();
        } else if let Some((_, number)) = trimmed.split_once(" = ") {
            let number = number.trim_end_matches(',').to_owned();
            let item = Item::new(file, at, name);
            items.push(Item {
                second: Some(number),
                ..item
            });
        }
        at += line.len();
    }
    items
}

fn words(tree: &Tree) -> Vec<Item<'_>> {
    let Some(file) = file(tree, WORDS) else {
        return Vec::new();
    };
    let (start, body) = between(file, "pub fn as_str(", "\n    }\n");
    let literals = literals(body).into_iter();
    literals
        .map(|(at, word)| Item::new(file, start + at, word))
        .collect()
}

/// `get("name", &["alias"], …`; the name may be a constant of the same file.
fn commands(tree: &Tree) -> Vec<Item<'_>> {
    let Some(file) = file(tree, COMMANDS) else {
        return Vec::new();
    };
    let (start, body) = between(file, "static COMMANDS", "\n];");
    let mut items = Vec::new();
    for opener in ["    get(", "    always(", "    guarded("] {
        for (offset, _) in body.match_indices(opener) {
            let head = body[offset..].split(']').next().unwrap_or_default();
            let named = literals(head).into_iter().map(|(_, name)| name);
            let constants = head.split([',', '(', ' ']).filter_map(|word| {
                let definition = format!("const {word}: &str = \"");
                let (_, value) = file.text.split_once(&definition)?;
                value.split('"').next()
            });
            let names = named.chain(constants);
            items.extend(names.map(|name| Item::new(file, start + offset, name)));
        }
    }
    items
}

/// `file("name", treatment)`, and the names within families.
fn settings(tree: &Tree) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    if let Some(file) = file(tree, SETTINGS) {
        let (start, body) = between(file, "static KEYS", "\n];");
        for (opener, place) in [
            ("file", "zoo.cfg"),
            ("both", "zoo.cfg or -D"),
            ("bare", "-D"),
        ] {
            for (offset, _) in body.match_indices(&format!("\n    {opener}(")) {
                let rest = &body[offset + 1..];
                let Some((_, name)) = literals(rest).into_iter().next() else {
                    continue;
                };
                let behind = rest.split_once(&format!("\"{name}\",")).map(|(_, b)| b);
                let item = Item::new(file, start + offset + 1, name);
                items.push(Item {
                    second: Some(place.to_owned()),
                    claims: claims_of(name, behind.unwrap_or_default().trim_start()),
                    ..item
                });
            }
        }
    }
    items.sort_by_key(|item| (item.name.ends_with('*'), item.line));
    items.extend(tls_settings(tree));
    items
}

fn is_family(name: &str) -> bool {
    let beginning = name.strip_suffix('*');
    FAMILIES.iter().any(|(family, _)| beginning == Some(family))
}

/// What a row may say of a setting that the table treats so.
fn claims_of(name: &str, treatment: &str) -> &'static [&'static str] {
    let starts = |words: &[&str]| words.iter().any(|word| treatment.starts_with(word));
    if is_family(name) {
        &CLAIMS
    } else if starts(&[
        "ANY",
        "NoMeaning(",
        "NotYet(",
        "Set(|_, _| no_other_quorums",
    ]) {
        NOT_THERE
    } else {
        THERE
    }
}

/// The arms of the functions that take a family, and the stores' names.
fn tls_settings(tree: &Tree) -> Vec<Item<'_>> {
    let Some(file) = file(tree, TLS_SETTINGS) else {
        return Vec::new();
    };
    let mut items = Vec::new();
    for (beginning, function) in FAMILIES {
        let (start, body) = between(file, function, "\n}\n");
        let is_arm = |(at, name): &(usize, &str)| {
            let behind = body[at + name.len()..].trim_start_matches('"').trim_start();
            behind.starts_with("=>") || behind.starts_with('|')
        };
        let arms = literals(body).into_iter().filter(is_arm);
        items.extend(arms.map(|(at, name)| {
            let name = format!("{beginning}{name}");
            Item::new(file, start + at, &name)
        }));
        let (start, body) = between(file, "const STORE_KEYS", ";\n");
        for (at, name) in literals(body) {
            for store in ["keyStore", "trustStore"] {
                let name = format!("{beginning}{store}.{name}");
                items.push(Item::new(file, start + at, &name));
            }
        }
    }
    for item in &mut items {
        item.claims = &CLAIMS;
    }
    items
}

fn metrics(tree: &Tree) -> Vec<Item<'_>> {
    let is_name = |name: &str| {
        name.len() > 3
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || "_0123456789".contains(c))
    };
    let files = METRICS.iter().filter_map(|path| file(tree, path));
    let items = files.flat_map(|file| {
        let (_, program) = between(file, "", "#[cfg(test)]\nmod tests {");
        let named = literals(program).into_iter();
        named
            .filter(|(_, name)| is_name(name))
            .map(|(at, name)| Item::new(file, at, name))
    });
    items.collect()
}

/// Where the document and the code differ.
fn differences(tree: &Tree) -> Vec<Violation> {
    TABLES
        .iter()
        .flat_map(|table| differences_of(tree, table))
        .collect()
}

fn differences_of(tree: &Tree, table: &Table) -> Vec<Violation> {
    let items = (table.items)(tree);
    let rows = file(tree, DOCUMENT).map_or(Vec::new(), |document| rows(document, table.heading));
    let mut violations = Vec::new();
    let mut named = vec![false; items.len()];
    let mut seen: Vec<&str> = Vec::new();
    for row in &rows {
        let mut accuse = |what: String| violations.push(Violation::at(DOCUMENT, row.line, &what));
        let claim = row.cells.iter().find(|cell| CLAIMS.contains(cell));
        let Some(claim) = claim.copied() else {
            accuse(format!("`{}` says neither of {CLAIMS:?}", row.cells[0]));
            continue;
        };
        if claim == "no" && row.cells.last().is_none_or(|why| why.is_empty()) {
            accuse(format!("`{}` does not say why not", row.cells[0]));
        }
        for name in &row.names {
            if seen.contains(name) {
                accuse(format!("`{name}` stands here twice"));
            }
            seen.push(name);
            let found: Vec<usize> = found(&items, name);
            found.iter().for_each(|place| named[*place] = true);
            match found.first() {
                None if claim == "no" && !table.knows_all => {}
                None => accuse(format!("the code has no `{name}`")),
                Some(place) => accuse_row(&items[*place], row, claim, &mut accuse),
            }
        }
    }
    let unnamed = items.iter().zip(named).filter(|(_, named)| !named);
    violations.extend(unnamed.map(|(item, _)| {
        let what = format!("`{}` has no row in {DOCUMENT}", item.name);
        Violation::at(&item.file.path, item.line, &what)
    }));
    violations
}

/// The places of what a name of a row is: of the first that stands for it, and of all that are
/// called like that; in a family, of the kind of setting as well.
fn found(items: &[Item<'_>], name: &str) -> Vec<usize> {
    let Some(first) = items.iter().find(|item| item.stands_for(name)) else {
        return Vec::new();
    };
    let places = |is_it: &dyn Fn(&Item<'_>) -> bool| -> Vec<usize> {
        let places = items.iter().enumerate();
        places
            .filter(|(_, item)| is_it(item))
            .map(|(place, _)| place)
            .collect()
    };
    let mut found = places(&|item| item.name == first.name);
    if is_family(&first.name) {
        let of_clients = name.replacen("ssl.quorum.", "ssl.", 1);
        let kind = places(&|item| item.name == of_clients || item.name == name);
        // A name that the function of the family does not know is no setting.
        if kind.is_empty() {
            found.clear();
        }
        found.extend(kind);
    }
    found
}

fn accuse_row(item: &Item<'_>, row: &Row<'_>, claim: &str, accuse: &mut impl FnMut(String)) {
    if !item.claims.contains(&claim) {
        let (name, allowed) = (&item.name, item.claims);
        accuse(format!(
            "`{claim}`, but the code says {allowed:?} of {name}"
        ));
    }
    if let Some(second) = &item.second
        && row.cells.get(1).is_none_or(|cell| cell != second)
    {
        let name = &item.name;
        accuse(format!("the second column of {name} should be `{second}`"));
    }
}

#[test]
fn compatibility_tables_and_code_agree() {
    let document = |heading: &str, row: &str| format!("{heading}\n\n{row}\n");
    for (heading, row) in [
        ("## Operations", "| fly | 99 | yes | |"),
        ("## Operations", "| fly | 99 | no | |"),
        ("## Operations", "| fly | 99 | perhaps | |"),
        ("## Four-letter words", "| wxyz | yes | |"),
        ("## Admin commands", "| ruok (areyouok) | yes | |"),
        ("## Settings", "| flyTime | zoo.cfg | no | nobody flies |"),
        ("## Metrics", "| flights_count | yes | |"),
    ] {
        catches(differences, &[(DOCUMENT, &document(heading, row))]);
    }
    for (path, text) in [
        (OPCODES, "pub enum OpCode {\n    /// fly\n    Fly = 99,\n}"),
        (WORDS, "pub fn as_str(\nSelf::Wxyz => \"wxyz\",\n    }\n"),
        (
            COMMANDS,
            "static COMMANDS = [\n    get(\"fly\", &[], run),\n];",
        ),
        (SETTINGS, "static KEYS = [\n    file(\"flyTime\", ANY),\n];"),
        (
            TLS_SETTINGS,
            "pub(super) fn apply(\n    \"wings\" => a,\n}\n",
        ),
        (
            METRICS[0],
            "    /// Flights.\n    Flights = \"flights_count\" Alone,",
        ),
    ] {
        catches(differences, &[(path, text)]);
    }
    allows(
        differences,
        &[(DOCUMENT, "## Metrics\n\n| a_b_c | no | why |\n")],
    );
    holds(differences);
}

#[test]
fn a_row_must_say_of_a_setting_what_the_table_does_with_it() {
    let code = "static KEYS = [\n    both(\"flyTime\", ANY),\n    file(\"walkTime\", Set(a)),\n];";
    let with = |rows: &str| {
        let document = format!("## Settings\n\n{rows}\n");
        differences(&Tree::planted(&[(DOCUMENT, &document), (SETTINGS, code)])).len()
    };
    let walk = "| walkTime | zoo.cfg | yes | |";
    assert_eq!(
        with(&format!("{walk}\n| flyTime | zoo.cfg or -D | no | why |")),
        0
    );
    assert_eq!(
        with(&format!("{walk}\n| flyTime | zoo.cfg or -D | yes | |")),
        1
    );
    assert_eq!(
        with(&format!("{walk}\n| flyTime | zoo.cfg | no | why |")),
        1
    );
    assert_eq!(
        with(&format!(
            "{walk}\n{walk}\n| flyTime | zoo.cfg or -D | no | why |"
        )),
        1
    );
}

#[test]
fn the_codes_tables_are_still_understood() {
    let tree = Tree::of_repository();
    for table in &TABLES {
        let found = (table.items)(&tree).len();
        let least = table.items_min;
        assert!(found >= least, "{}: {found}, not {least}", table.heading);
    }
}
