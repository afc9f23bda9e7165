//! Commands that look through a subtree: tree, find, grep.

use futures_util::stream::{self, StreamExt};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Value, json};
use zoowarden::client::Client;
use zoowarden::proto::{Code, Stat, path};

use super::Shell;
use super::arguments::Arguments;
use super::dispatch::path_operand;
use super::failure::Failure;
use super::walk::{self, ALL_LEVELS, Depth, WINDOW};
use super::writes::znodes;
use super::{reads, requests, show};

/// `tree [-d depth] [-l] [path]`
pub(crate) async fn tree(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let top = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let found = walk::paths(&client, top, depth(arguments)?).await?;
    if shell.json {
        let (tree, _) = nested(&found.paths, 0);
        shell.output.json(&tree)?;
        return reads::denied(shell, found.denied);
    }
    let branches = branches(&found.paths);
    let stats = stream::iter(&found.paths).map(async |path| match arguments.has("long") {
        true => requests::stat(&client, path).await.ok(),
        false => None,
    });
    let mut stats = std::pin::pin!(stats.buffered(WINDOW));
    for (path, branch) in found.paths.iter().zip(&branches) {
        let name = if branch.is_empty() {
            path
        } else {
            name_of(path)
        };
        let detail = stats
            .next()
            .await
            .flatten()
            .map(|stat| detail(&stat))
            .unwrap_or_default();
        shell.output.line(&format!("{branch}{name}{detail}"))?;
    }
    let count = found.paths.len() as u64;
    shell.output.message(&znodes(count));
    reads::denied(shell, found.denied)
}

fn depth(arguments: &Arguments) -> Result<Depth, Failure> {
    let depth = arguments.number("depth").map_err(Failure::Usage)?;
    Ok(depth.unwrap_or(ALL_LEVELS))
}

fn name_of(path: &str) -> &str {
    path::split(path).map_or(path, |(_, name)| name)
}

fn detail(stat: &Stat) -> String {
    let owner = match stat.ephemeral_owner {
        0 => String::new(),
        owner => format!(", ephemeral of {}", show::hex(owner)),
    };
    format!(
        "  ({} bytes, version {}{owner})",
        stat.data_length, stat.version
    )
}

/// What is drawn before each name: nothing at the top. The paths stand depth first, so one pass from
/// the end knows for each level whether a sibling follows.
fn branches(paths: &[String]) -> Vec<String> {
    let level = |path: &String| path::components(path).count();
    let top = paths.first().map_or(0, level);
    let mut follows = Vec::new();
    let mut drawn = Vec::with_capacity(paths.len());
    for path in paths.iter().rev() {
        let depth = level(path) - top;
        follows.resize(depth + 1, false);
        let mut branch: String = (1..depth)
            .map(|level| if follows[level] { "│   " } else { "    " })
            .collect();
        if depth > 0 {
            branch += if follows[depth] {
                "├── "
            } else {
                "└── "
            };
        }
        follows[depth] = true;
        drawn.push(branch);
    }
    drawn.reverse();
    drawn
}

/// The znode at `at` with its children, and where the next one that is not below it stands.
fn nested(paths: &[String], at: usize) -> (Value, usize) {
    let path = &paths[at];
    let mut next = at + 1;
    let mut children = Vec::new();
    while next < paths.len() && walk::is_within(&paths[next], path) {
        let (child, after) = nested(paths, next);
        children.push(child);
        next = after;
    }
    (json!({ "path": path, "children": children }), next)
}

/// `find [path] [-n glob] [-t kind] [-d depth] [-m bytes]`
pub(crate) async fn find(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let top = path_operand(arguments, 0)?;
    let wanted = Wanted::of(arguments)?;
    let client = shell.link.client().await?;
    let found = walk::paths(&client, top, depth(arguments)?).await?;
    let named = found
        .paths
        .iter()
        .filter(|path| wanted.name_fits(name_of(path)));
    let checked = stream::iter(named).map(async |path| {
        let fits = !wanted.needs_stat() || wanted.stat_fits(&client, path).await?;
        Ok::<_, Failure>(fits.then_some(path))
    });
    let mut checked = std::pin::pin!(checked.buffered(WINDOW));
    let mut paths = Vec::new();
    while let Some(path) = checked.next().await {
        match path? {
            Some(path) if shell.json => paths.push(path.as_str()),
            Some(path) => shell.output.line(path)?,
            None => {}
        }
    }
    if shell.json {
        shell.output.json(&json!({ "path": top, "paths": paths }))?;
    }
    reads::denied(shell, found.denied)
}

/// What `find` looks for.
struct Wanted {
    name: Option<Regex>,
    ephemeral: Option<bool>,
    bytes_min: Option<i32>,
}

impl Wanted {
    fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let ephemeral = match arguments.value("type") {
            None => None,
            Some("e" | "ephemeral") => Some(true),
            Some("p" | "persistent") => Some(false),
            Some(other) => {
                return Err(Failure::Usage(format!(
                    "-t {other}: expected e (ephemeral) or p (persistent)"
                )));
            }
        };
        Ok(Self {
            name: arguments.value("name").map(glob),
            ephemeral,
            bytes_min: arguments.number("min-bytes").map_err(Failure::Usage)?,
        })
    }

    fn name_fits(&self, name: &str) -> bool {
        self.name
            .as_ref()
            .is_none_or(|glob| glob.is_match(name.as_bytes()))
    }

    fn needs_stat(&self) -> bool {
        self.ephemeral.is_some() || self.bytes_min.is_some()
    }

    async fn stat_fits(&self, client: &Client, path: &str) -> Result<bool, Failure> {
        match requests::stat(client, path).await {
            Ok(stat) => Ok(self
                .ephemeral
                .is_none_or(|ephemeral| ephemeral == (stat.ephemeral_owner != 0))
                && self.bytes_min.is_none_or(|least| stat.data_length >= least)),
            Err(error) if error.code() == Code::NoNode => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A name with `*` for any characters and `?` for one.
fn glob(pattern: &str) -> Regex {
    let part = |c: char| match c {
        '*' => ".*".to_owned(),
        '?' => ".".to_owned(),
        c => regex::escape(c.encode_utf8(&mut [0; 4])),
    };
    let pattern: String = pattern.chars().map(part).collect();
    Regex::new(&format!("^(?s:{pattern})$")).expect("every other character is escaped")
}

/// `grep [-i] [-F] [-l] pattern [path]`
pub(crate) async fn grep(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let pattern = arguments.operand(0).unwrap_or_default();
    let pattern = pattern_of(
        pattern,
        arguments.has("fixed"),
        arguments.has("ignore-case"),
    )?;
    let top = path_operand(arguments, 1)?;
    let client = shell.link.client().await?;
    let found = walk::paths(&client, top, ALL_LEVELS).await?;
    let data = stream::iter(&found.paths)
        .map(async |path| (path, requests::get(&client, path).await))
        .buffered(WINDOW);
    let mut data = std::pin::pin!(data);
    let mut matches = Vec::new();
    let mut denied = found.denied;
    while let Some((path, got)) = data.next().await {
        match got {
            Ok((Some(data), _)) => {
                let hits = hits(&pattern, &data);
                show_hits(shell, arguments, path, &hits)?;
                matches.extend((!hits.is_empty()).then(|| json!({ "path": path, "lines": hits })));
            }
            Ok((None, _)) => {}
            Err(error) if error.code() == Code::NoNode => {}
            Err(error) if error.code() == Code::NoAuth => denied.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    if shell.json {
        shell
            .output
            .json(&json!({ "path": top, "matches": matches }))?;
    }
    reads::denied(shell, denied)
}

fn pattern_of(text: &str, is_fixed: bool, ignores_case: bool) -> Result<Regex, Failure> {
    let escaped = is_fixed.then(|| regex::escape(text));
    let pattern = RegexBuilder::new(escaped.as_deref().unwrap_or(text))
        .case_insensitive(ignores_case)
        .build();
    pattern.map_err(|error| {
        let what = error.to_string();
        let reason = what.lines().last().unwrap_or_default().trim();
        Failure::Usage(format!(
            "{text}: {reason} (-F looks for it letter by letter)"
        ))
    })
}

/// The lines that match. Of data that is no text, one line says that it matches.
fn hits(pattern: &Regex, data: &[u8]) -> Vec<String> {
    if !show::is_text(data) {
        let says = format!("(binary data of {} bytes matches)", data.len());
        return pattern.is_match(data).then_some(says).into_iter().collect();
    }
    let lines = data
        .split(|byte| *byte == b'\n')
        .filter(|line| pattern.is_match(line));
    lines
        .map(|line| {
            String::from_utf8_lossy(line)
                .trim_end_matches('\r')
                .to_owned()
        })
        .collect()
}

fn show_hits(
    shell: &Shell,
    arguments: &Arguments,
    path: &str,
    hits: &[String],
) -> Result<(), Failure> {
    if shell.json || hits.is_empty() {
        return Ok(());
    }
    if arguments.has("list") {
        return shell.output.line(path);
    }
    hits.iter()
        .try_for_each(|hit| shell.output.line(&format!("{path}: {hit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn a_tree_is_drawn_with_every_line_joined_to_its_parent() {
        let paths = paths(&["/a", "/a/b", "/a/b/c", "/a/b/d", "/a/e", "/a/e/f"]);
        let drawn = branches(&paths);
        assert_eq!(
            drawn,
            ["", "├── ", "│   ├── ", "│   └── ", "└── ", "    └── "]
        );
        let (tree, end) = nested(&paths, 0);
        assert_eq!(
            (tree["children"][0]["children"][1]["path"].as_str(), end),
            (Some("/a/b/d"), 6)
        );
    }

    #[test]
    fn globs_fit_whole_names() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("lock-*", "lock-0001", true),
            ("lock-*", "a-lock-0001", false),
            ("?.x", "a.x", true),
            ("?.x", "aax", false),
            ("a+b", "a+b", true),
        ] {
            assert_eq!(
                glob(pattern).is_match(name.as_bytes()),
                fits,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn grep_shows_lines_and_keeps_binary_data_to_itself() {
        let pattern = |text| pattern_of(text, false, true).unwrap();
        assert_eq!(hits(&pattern("B."), b"abc\nxyz\r\nBB\n"), ["abc", "BB"]);
        assert_eq!(
            hits(&pattern("b"), b"b\x00\xff"),
            ["(binary data of 3 bytes matches)"]
        );
        assert!(pattern_of("(", false, false).is_err() && pattern_of("(", true, false).is_ok());
    }
}
