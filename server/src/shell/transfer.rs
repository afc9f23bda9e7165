//! Copying and moving subtrees: cp and mv, and what import shares with them.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use zoowarden::client::{Client, Error};
use zoowarden::proto::Acl;

use super::Shell;
use super::arguments::Arguments;
use super::batch::{self, Batches, Change, MULTI_CHANGES_MAX};
use super::dispatch::exact_path_operand;
use super::failure::Failure;
use super::requests::{self, Lifetime};
use super::walk::{self, ALL_LEVELS, Paths, Record, WINDOW};
use super::writes::{make_parents, znodes};

/// A move is one multi up to this size; servers take 1,048,575 bytes.
const SINGLE_MULTI_BYTES_MAX: usize = 900_000;

/// What becomes of a znode that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// Nothing is begun.
    Fail,
    /// It stays as it is.
    Skip,
    /// It gets the data and the ACL.
    Overwrite,
}

impl OnConflict {
    /// `--on-conflict`.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self, Failure> {
        match arguments.value("on-conflict") {
            None | Some("fail") => Ok(Self::Fail),
            Some("skip") => Ok(Self::Skip),
            Some("overwrite") => Ok(Self::Overwrite),
            Some(other) => Err(Failure::Usage(format!(
                "--on-conflict {other}: expected fail, skip or overwrite"
            ))),
        }
    }
}

/// What becomes of ephemerals: they belong to a session, and cannot be given to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ephemerals {
    Skip,
    Persistent,
    /// Of the shell's own session: gone when the shell ends.
    Ephemeral,
}

impl Ephemerals {
    /// `--ephemerals`, if it was given.
    pub(crate) fn of(arguments: &Arguments) -> Result<Option<Self>, Failure> {
        match arguments.value("ephemerals") {
            None => Ok(None),
            Some("skip") => Ok(Some(Self::Skip)),
            Some("persistent") => Ok(Some(Self::Persistent)),
            Some("ephemeral") => Ok(Some(Self::Ephemeral)),
            Some(other) => Err(Failure::Usage(format!(
                "--ephemerals {other}: expected skip, persistent or ephemeral"
            ))),
        }
    }

    /// The lifetime that a znode gets, `None` if it is left out.
    pub(crate) fn lifetime(self, of_source: Lifetime) -> Option<Lifetime> {
        match (of_source, self) {
            (Lifetime::Ephemeral, Self::Skip) => None,
            (Lifetime::Ephemeral, Self::Persistent) => Some(Lifetime::Persistent),
            (lifetime, _) => Some(lifetime),
        }
    }
}

/// A znode to be made.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) path: String,
    pub(crate) data: Option<Bytes>,
    pub(crate) acl: Vec<Acl>,
    pub(crate) lifetime: Lifetime,
}

/// What was done.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) created: u64,
    pub(crate) overwritten: u64,
    pub(crate) skipped: u64,
    pub(crate) ephemerals_skipped: u64,
}

/// `cp [-R] [-p] [--on-conflict policy] [--ephemerals policy] from to`
pub(crate) async fn cp(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let (from, to) = from_and_to(arguments)?;
    let on_conflict = OnConflict::of(arguments)?;
    let ephemerals = Ephemerals::of(arguments)?.unwrap_or(Ephemerals::Skip);
    let client = shell.link.client().await?;
    let found = subtree(&client, from, arguments.has("recursive"), "copies").await?;
    if arguments.has("parents") {
        make_parents(&client, to).await?;
    }
    let targets: Vec<String> = found
        .paths
        .iter()
        .map(|path| walk::moved(path, from, to))
        .collect();
    let there = conflicts(&client, &targets, on_conflict).await?;
    let mut writer = Writer::new(shell, &client, on_conflict, "copied");
    let records = walk::records(&client, &found.paths);
    let mut records = std::pin::pin!(records);
    let mut outcome = Ok(());
    while let Some(record) = records.next().await {
        let Record {
            path,
            data,
            stat,
            acl,
        } = match record {
            Ok(record) => record,
            Err(error) => {
                outcome = Err(error.into());
                break;
            }
        };
        let lifetime = ephemerals.lifetime(lifetime(stat.ephemeral_owner));
        let Some(lifetime) = lifetime else {
            writer.sums.ephemerals_skipped += 1;
            continue;
        };
        let path = walk::moved(&path, from, to);
        let is_there = there.binary_search(&path).is_ok();
        let wanted = Wanted {
            path,
            data,
            acl,
            lifetime,
        };
        outcome = writer.put(wanted, is_there).await;
        if outcome.is_err() {
            break;
        }
    }
    let (sums, outcome) = writer.finish(outcome).await;
    report(shell, "Copied", &sums, outcome)
}

/// `mv [-p] [--ephemerals policy] from to`
pub(crate) async fn mv(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let (from, to) = from_and_to(arguments)?;
    let ephemerals = Ephemerals::of(arguments)?;
    if ephemerals == Some(Ephemerals::Skip) {
        let what = "--ephemerals skip: a znode cannot be moved while something below it stays";
        return Err(Failure::Usage(what.to_owned()));
    }
    let client = shell.link.client().await?;
    let found = subtree(&client, from, true, "moves").await?;
    if arguments.has("parents") {
        make_parents(&client, to).await?;
    }
    conflicts(&client, &[to.to_owned()], OnConflict::Fail).await?;
    let (changes, bytes) = moves(&client, &found.paths, from, to, ephemerals).await?;
    // A copy and a deletion of each; what has vanished since it was found is not among them.
    let copies = changes.len() / 2;
    let moved = copies as u64;
    let is_atomic = bytes <= SINGLE_MULTI_BYTES_MAX;
    if is_atomic {
        batch::all_or_none(&client, changes).await?;
    } else {
        move_in_steps(shell, &client, changes, copies, bytes).await?;
    }
    if shell.json {
        return shell
            .output
            .json(&json!({ "moved": moved, "atomic": is_atomic }));
    }
    let how = if is_atomic {
        "in one multi"
    } else {
        "in steps, not atomically"
    };
    shell
        .output
        .message(&format!("Moved {} {how}", znodes(moved)));
    Ok(())
}

/// First everything is created, from the top down, then the old is deleted, from the leaves up, each
/// only if it still has the version that was copied.
async fn moves(
    client: &Client,
    paths: &[String],
    from: &str,
    to: &str,
    ephemerals: Option<Ephemerals>,
) -> Result<(Vec<Change>, usize), Failure> {
    let records = walk::records(client, paths);
    let mut records = std::pin::pin!(records);
    let (mut creates, mut deletes) = (Vec::new(), Vec::new());
    while let Some(record) = records.next().await {
        let Record {
            path,
            data,
            stat,
            acl,
        } = record?;
        let lifetime = lifetime(stat.ephemeral_owner);
        let lifetime = match ephemerals {
            Some(policy) => policy.lifetime(lifetime).unwrap_or(lifetime),
            None if lifetime == Lifetime::Ephemeral => {
                return Err(Failure::Other(format!(
                    "{path} is ephemeral and belongs to its session: --ephemerals persistent or \
                 ephemeral says what the moved one shall be; nothing was changed"
                )));
            }
            None => lifetime,
        };
        creates.push(Change::Create {
            path: walk::moved(&path, from, to),
            data,
            acl,
            lifetime,
        });
        deletes.push(Change::Delete {
            path,
            version: stat.version,
        });
    }
    creates.extend(deletes.into_iter().rev());
    let bytes = creates.iter().map(Change::bytes).sum();
    Ok((creates, bytes))
}

/// Carries out `changes`, of which the first `copies` create.
async fn move_in_steps(
    shell: &Shell,
    client: &Client,
    changes: Vec<Change>,
    copies: usize,
    bytes: usize,
) -> Result<(), Failure> {
    shell.output.message(&format!(
        "{bytes} bytes do not fit into one multi: the new znodes are made first, then the old ones \
         deleted; others can see both meanwhile"
    ));
    let mut batches = Batches::new(
        client,
        &shell.output,
        "created or deleted",
        MULTI_CHANGES_MAX,
    );
    let mut outcome = Ok(());
    // All is created before anything is deleted.
    for (at, change) in changes.into_iter().enumerate() {
        if at == copies {
            outcome = batches.finish().await;
        }
        outcome = match outcome {
            Ok(()) => batches.push(change).await,
            failed => failed,
        };
        if outcome.is_err() {
            break;
        }
    }
    let last = batches.finish().await;
    let outcome = outcome.and(last);
    if outcome.is_err() {
        let moved = copies as u64;
        let created = batches.done().min(moved);
        let deleted = batches.done().saturating_sub(moved);
        shell.output.message(&format!(
            "Stopped on the way: {created} of {moved} created, {deleted} of {moved} deleted; the \
             rest is still in its old place"
        ));
    }
    outcome
}

fn from_and_to(arguments: &Arguments) -> Result<(&str, &str), Failure> {
    let (from, to) = (
        exact_path_operand(arguments, 0)?,
        exact_path_operand(arguments, 1)?,
    );
    if from == "/" {
        return Err(Failure::Usage(
            "/ itself is not copied or moved: name what is in it".to_owned(),
        ));
    }
    if walk::is_within(to, from) {
        return Err(Failure::Usage(format!(
            "{to} is within {from}: there is no end to that"
        )));
    }
    Ok((from, to))
}

/// The paths to take along; all of them must be readable.
async fn subtree(
    client: &Client,
    from: &str,
    is_recursive: bool,
    what: &str,
) -> Result<Paths, Failure> {
    let mut found = walk::paths(client, from, if is_recursive { ALL_LEVELS } else { 1 }).await?;
    if !is_recursive && found.paths.len() > 1 {
        let below = found.paths.len() - 1;
        return Err(Failure::Other(format!(
            "{from} has {below} children: -R {what} them, too"
        )));
    }
    match found.denied.pop() {
        Some(error) => Err(error.into()),
        None => Ok(found),
    }
}

/// Which of the targets are there already, sorted; with `Fail`, none may be.
pub(crate) async fn conflicts(
    client: &Client,
    targets: &[String],
    on_conflict: OnConflict,
) -> Result<Vec<String>, Failure> {
    let found: Vec<Result<Option<&String>, Error>> = stream::iter(targets)
        .map(async |path| Ok(requests::exists(client, path).await?.then_some(path)))
        .buffered(WINDOW)
        .collect()
        .await;
    let mut there = Vec::new();
    for found in found {
        there.extend(found?.cloned());
    }
    match (on_conflict, there.as_slice()) {
        (OnConflict::Fail, [first, rest @ ..]) => {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Err(Failure::Other(format!(
                "Node already exists: {first}{more}; nothing was changed (see --on-conflict)"
            )))
        }
        _ => {
            there.sort_unstable();
            Ok(there)
        }
    }
}

/// Whether a znode goes with its session; containers and TTLs do not show in a stat.
pub(crate) fn lifetime(ephemeral_owner: i64) -> Lifetime {
    match ephemeral_owner {
        0 => Lifetime::Persistent,
        _ => Lifetime::Ephemeral,
    }
}

/// Makes znodes, many at once, and keeps count.
pub(crate) struct Writer<'a> {
    client: &'a Client,
    batches: Batches<'a>,
    on_conflict: OnConflict,
    /// ACLs to be set, which a multi cannot.
    acls: Vec<(String, Vec<Acl>)>,
    pub(crate) sums: Sums,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        shell: &'a Shell,
        client: &'a Client,
        on_conflict: OnConflict,
        done_word: &'static str,
    ) -> Self {
        Self {
            client,
            batches: Batches::new(client, &shell.output, done_word, MULTI_CHANGES_MAX),
            on_conflict,
            acls: Vec::new(),
            sums: Sums::default(),
        }
    }

    /// Makes a znode, or treats one that is there as the policy says.
    pub(crate) async fn put(&mut self, wanted: Wanted, is_there: bool) -> Result<(), Failure> {
        let Wanted {
            path,
            data,
            acl,
            lifetime,
        } = wanted;
        if !is_there {
            self.sums.created += 1;
            return self
                .batches
                .push(Change::Create {
                    path,
                    data,
                    acl,
                    lifetime,
                })
                .await;
        }
        if self.on_conflict != OnConflict::Overwrite {
            self.sums.skipped += 1;
            return Ok(());
        }
        self.sums.overwritten += 1;
        self.acls.push((path.clone(), acl));
        self.batches.push(Change::Set { path, data }).await
    }

    /// Waits for everything. After a failure only what is certain is counted, as created.
    pub(crate) async fn finish(
        mut self,
        outcome: Result<(), Failure>,
    ) -> (Sums, Result<(), Failure>) {
        if outcome.is_err() {
            self.batches.abandon();
        }
        let rest = self.batches.finish().await;
        let mut outcome = outcome.and(rest);
        if outcome.is_ok() {
            let client = self.client;
            let set = stream::iter(&self.acls)
                .map(|(path, acl)| requests::set_acl(client, path, acl, requests::ANY))
                .buffered(WINDOW);
            let mut set = std::pin::pin!(set);
            while let Some(done) = set.next().await {
                outcome = outcome.and(done.map(drop).map_err(Failure::from));
            }
        } else {
            self.sums = Sums {
                created: self.batches.done(),
                ..Sums::default()
            };
        }
        (self.sums, outcome)
    }
}

/// Says what was done, also when it was not all.
pub(crate) fn report(
    shell: &Shell,
    verb: &str,
    sums: &Sums,
    outcome: Result<(), Failure>,
) -> Result<(), Failure> {
    if let Err(failure) = outcome {
        if sums.created > 0 {
            let done = znodes(sums.created);
            shell
                .output
                .message(&format!("Stopped on the way: at least {done} written"));
        }
        return Err(failure);
    }
    if shell.json {
        return shell.output.json(&json!({
            "created": sums.created,
            "overwritten": sums.overwritten,
            "skipped": sums.skipped,
            "ephemerals_skipped": sums.ephemerals_skipped,
        }));
    }
    let mut told = format!("{verb} {}", znodes(sums.created + sums.overwritten));
    for (count, what) in [
        (sums.overwritten, "of them overwritten"),
        (sums.skipped, "were there and stayed as they are"),
        (sums.ephemerals_skipped, "left out because ephemeral"),
    ] {
        if count > 0 {
            told += &format!(", {count} {what}");
        }
    }
    shell.output.message(&told);
    Ok(())
}
