//! `zoowarden restore PATH@zxid`: puts back what was there, by ordinary writes.
//!
//! ```text
//!   was          is now          what is done
//!   nothing      anything        nothing: it came later
//!   ephemeral    anything        nothing: its session is gone
//!   a znode      nothing         created, with list and kind
//!   a znode      the same        nothing
//!   a znode      another value   refused, or with --force set to what it was
//! ```
//!
//! The plan is made first, and refused as a whole. Each write expects what the plan saw.

use std::collections::BTreeMap;

use serde_json::Value;
use zoowarden::client::{Client, ClientConfig, Code, CreateMode, CreateOptions, Error, Version};
use zoowarden::proto::{Acl, Zxid};

use super::json;

/// A znode as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Was {
    data: Vec<u8>,
    is_whole: bool,
    acl: Vec<Acl>,
    mode: CreateMode,
    mzxid: Zxid,
}

/// One thing to do, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Create {
        data: Vec<u8>,
        acl: Vec<Acl>,
        mode: CreateMode,
    },
    SetData {
        data: Vec<u8>,
        version: i32,
    },
    SetAcl {
        acl: Vec<Acl>,
        aversion: i32,
    },
    /// Why nothing is done.
    Leave(String),
    /// Why it cannot be done.
    Refuse(String),
}

/// What is to be done to which znode, parents first.
pub(super) struct Plan {
    steps: Vec<(String, Step)>,
}

impl Plan {
    /// Compares what was, by the history's answer, with what is.
    pub(super) async fn make(
        client: &Client,
        past: &Value,
        zxid: Zxid,
        force: bool,
    ) -> Result<Plan, String> {
        let empty = Vec::new();
        let mut steps = Vec::new();
        for former in past["znodes"].as_array().unwrap_or(&empty) {
            let path = former["path"].as_str().ok_or("the answer has no path")?;
            let until = former["until"].as_str().unwrap_or_default();
            let now = look(client, path)
                .await
                .map_err(|error| error.to_string())?;
            let of = match &former["shape"] {
                Value::Null => vec![Step::Leave(format!("came later, with {until}"))],
                shape if shape["kind"] == "ephemeral" => {
                    let what = "was ephemeral: only its session could put it back";
                    vec![Step::Leave(what.to_owned())]
                }
                shape => {
                    let was = read(shape).ok_or(format!("the answer about {path} is garbled"))?;
                    compare(&was, now.as_ref(), zxid, until, force)
                }
            };
            steps.extend(of.into_iter().map(|step| (path.to_owned(), step)));
        }
        Ok(Plan { steps })
    }

    /// Why the plan cannot be carried out, one line each.
    pub(super) fn refusals(&self) -> Vec<String> {
        let lines = self.steps.iter().filter_map(|(path, step)| match step {
            Step::Refuse(why) => Some(format!("{path}: {why}")),
            _ => None,
        });
        lines.collect()
    }

    /// Whether it would change anything.
    pub(super) fn is_idle(&self) -> bool {
        let idle = |step: &Step| matches!(step, Step::Leave(_) | Step::Refuse(_));
        self.steps.iter().all(|(_, step)| idle(step))
    }

    /// One line per step.
    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.steps.iter().map(|(path, step)| describe(path, step));
        lines.collect()
    }

    /// What does not come back: znodes count the children they have had from the beginning on when
    /// they are created again, and sequential names are made of that count.
    pub(super) fn cautions(&self) -> Vec<String> {
        let is_created = |step: &Step| matches!(step, Step::Create { .. });
        let created = self.steps.iter().filter(|(_, step)| is_created(step));
        let mut families = BTreeMap::<&str, (usize, Option<(u32, &str)>)>::new();
        for (path, _) in created {
            families.entry(path).or_default();
            let Some((parent, name)) = path.rsplit_once('/') else {
                continue;
            };
            if let Some((count, greatest)) = families.get_mut(parent) {
                *count += 1;
                *greatest = sequence_number(name).map(|n| (n, name)).max(*greatest);
            }
        }
        let lines = families
            .into_iter()
            .filter_map(|(parent, (next, greatest))| {
                let (number, name) = greatest?;
                (number as usize >= next).then(|| {
                format!(
                    "-- sequential names below {parent} begin again at {next:010}: they will come \
                     before {name}, and meet it"
                )
            })
            });
        lines.collect()
    }

    /// Carries it out; tells of each step, and stops at the first that fails.
    pub(super) async fn run(
        &self,
        client: &Client,
        mut tell: impl FnMut(&str),
    ) -> Result<(), String> {
        for (path, step) in &self.steps {
            perform(client, path, step).await.map_err(|error| {
                let hint = match error.code() {
                    Code::NoNode => "; restore its parent first, or create it",
                    Code::NoAuth => "; --auth SCHEME:AUTH says who you are",
                    Code::BadVersion | Code::NodeExists => "; it has changed meanwhile: try again",
                    _ => "",
                };
                format!("{path}: {error}{hint}")
            })?;
            tell(&describe(path, step));
        }
        Ok(())
    }
}

/// The number at the end of a sequential name.
fn sequence_number(name: &str) -> Option<u32> {
    let digits = name.get(name.len().checked_sub(10)?..)?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// A znode as it is.
struct Now {
    data: Vec<u8>,
    acl: Vec<Acl>,
    version: i32,
    aversion: i32,
    is_ephemeral: bool,
}

async fn look(client: &Client, path: &str) -> Result<Option<Now>, Error> {
    let found = match client.get(path).await {
        Err(error) if error.code() == Code::NoNode => return Ok(None),
        found => found?,
    };
    let (data, stat) = found;
    let (acl, _) = client.get_acl(path).await?;
    Ok(Some(Now {
        data: data.to_vec(),
        acl,
        version: stat.version,
        aversion: stat.aversion,
        is_ephemeral: stat.ephemeral_owner != 0,
    }))
}

fn read(shape: &Value) -> Option<Was> {
    let (data, is_whole) = json::read_data(&shape["value"])?;
    Some(Was {
        data,
        is_whole,
        acl: json::read_acl(&shape["acl"])?,
        mode: match shape["kind"].as_str()? {
            "persistent" => CreateMode::Persistent,
            "container" => CreateMode::Container,
            "ttl" => CreateMode::PersistentWithTtl {
                ttl_ms: shape["ttl_ms"].as_i64()?,
            },
            _ => return None,
        },
        mzxid: json::read_zxid(shape["mzxid"].as_str()?)?,
    })
}

fn compare(was: &Was, now: Option<&Now>, zxid: Zxid, until: &str, force: bool) -> Vec<Step> {
    if !was.is_whole {
        let what = "its value is longer than zoowarden.history.maxValueBytes, and was not kept: \
                    restore what is beside it by its own path";
        return vec![Step::Refuse(what.to_owned())];
    }
    if was.mzxid > zxid && !force {
        let what = "it was changed within a gap of the history: --force takes what is known, \
                    which is later than what was asked for";
        return vec![Step::Refuse(what.to_owned())];
    }
    let Some(now) = now else {
        return vec![Step::Create {
            data: was.data.clone(),
            acl: was.acl.clone(),
            mode: was.mode,
        }];
    };
    let mut steps = Vec::new();
    if now.data != was.data {
        steps.push(Step::SetData {
            data: was.data.clone(),
            version: now.version,
        });
    }
    if !is_same_list(&now.acl, &was.acl) {
        steps.push(Step::SetAcl {
            acl: was.acl.clone(),
            aversion: now.aversion,
        });
    }
    if steps.is_empty() {
        return vec![Step::Leave("is as it was".to_owned())];
    }
    if now.is_ephemeral {
        return vec![Step::Refuse(
            "is another znode now, an ephemeral one".to_owned(),
        )];
    }
    if !force {
        let what = format!(
            "has changed since ({until} was the first time; its version is {} now): \
             --force overwrites it",
            now.version
        );
        return vec![Step::Refuse(what)];
    }
    steps
}

/// Whether a list is as it was. A server may hide the hash of a digest from those without ADMIN.
fn is_same_list(now: &[Acl], was: &[Acl]) -> bool {
    let hidden = |now: &Acl, was: &Acl| {
        let (user, hash) = now.id.id.split_once(':').unwrap_or_default();
        hash == "x" && was.id.id.split(':').next() == Some(user)
    };
    let same = |(now, was): (&Acl, &Acl)| {
        now == was
            || (now.perms == was.perms
                && now.id.scheme == was.id.scheme
                && &*now.id.scheme == "digest"
                && hidden(now, was))
    };
    now.len() == was.len() && now.iter().zip(was).all(same)
}

fn describe(path: &str, step: &Step) -> String {
    match step {
        Step::Create { data, mode, .. } => {
            let kind = match mode {
                CreateMode::Container => "container, ",
                CreateMode::PersistentWithTtl { .. } => "ttl, ",
                _ => "",
            };
            format!("create   {path} ({kind}{} bytes)", data.len())
        }
        Step::SetData { data, .. } => format!("setData  {path} ({} bytes)", data.len()),
        Step::SetAcl { acl, .. } => format!("setACL   {path} ({} entries)", acl.len()),
        Step::Leave(why) => format!("leave    {path}: {why}"),
        Step::Refuse(why) => format!("refuse   {path}: {why}"),
    }
}

async fn perform(client: &Client, path: &str, step: &Step) -> Result<(), Error> {
    match step {
        Step::Create { data, acl, mode } => {
            let options = CreateOptions {
                mode: *mode,
                acl: acl.clone(),
                ..CreateOptions::default()
            };
            client.create_with(path, data, &options).await.map(drop)
        }
        Step::SetData { data, version } => {
            let version = Version::Exactly(*version);
            client.set(path, data, version).await.map(drop)
        }
        Step::SetAcl { acl, aversion } => {
            let version = Version::Exactly(*aversion);
            client.set_acl(path, acl, version).await.map(drop)
        }
        Step::Leave(_) | Step::Refuse(_) => Ok(()),
    }
}

/// Connects for a restore.
pub(super) async fn connect(config: ClientConfig) -> Result<Client, String> {
    let hosts = config.hosts.servers().join(",");
    let connected = Client::connect_with(config).await;
    connected.map_err(|error| format!("cannot connect to {hosts}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zoowarden::proto::Id;

    fn was(data: &[u8]) -> Was {
        Was {
            data: data.to_vec(),
            is_whole: true,
            acl: vec![Acl::open()],
            mode: CreateMode::Persistent,
            mzxid: Zxid(5),
        }
    }

    fn now(data: &[u8]) -> Now {
        Now {
            data: data.to_vec(),
            acl: vec![Acl::open()],
            version: 7,
            aversion: 2,
            is_ephemeral: false,
        }
    }

    fn decide(was: &Was, now: Option<&Now>, force: bool) -> Vec<Step> {
        compare(was, now, Zxid(5), "0x6", force)
    }

    #[test]
    fn what_changed_since_is_overwritten_only_by_force() {
        let [Step::Refuse(why)] = &decide(&was(b"a"), Some(&now(b"b")), false)[..] else {
            panic!("it is refused");
        };
        assert!(
            why.contains("version is 7") && why.contains("--force"),
            "{why}"
        );
        let forced = decide(&was(b"a"), Some(&now(b"b")), true);
        let set = Step::SetData {
            data: b"a".to_vec(),
            version: 7,
        };
        assert_eq!(forced, [set]);
        let same = decide(&was(b"a"), Some(&now(b"a")), false);
        assert!(matches!(&same[..], [Step::Leave(_)]), "{same:?}");
        let mut other = now(b"a");
        other.acl = vec![];
        let forced = decide(&was(b"a"), Some(&other), true);
        assert!(matches!(&forced[..], [Step::SetAcl { aversion: 2, .. }]));
        other.is_ephemeral = true;
        let refused = decide(&was(b"a"), Some(&other), true);
        assert!(matches!(&refused[..], [Step::Refuse(_)]));
    }

    #[test]
    fn what_is_gone_is_created_unless_it_is_not_known() {
        let created = decide(&was(b"a"), None, false);
        assert!(matches!(&created[..], [Step::Create { .. }]));
        let mut cut = was(b"a");
        cut.is_whole = false;
        assert!(matches!(&decide(&cut, None, true)[..], [Step::Refuse(_)]));
        let mut late = was(b"a");
        late.mzxid = Zxid(6);
        assert!(matches!(&decide(&late, None, false)[..], [Step::Refuse(_)]));
        assert!(matches!(
            &decide(&late, None, true)[..],
            [Step::Create { .. }]
        ));
    }

    #[test]
    fn sequential_names_that_will_come_twice_are_told_of() {
        let create = |path: &str| {
            let [step] = &decide(&was(b""), None, false)[..] else {
                panic!("it is created");
            };
            (path.to_owned(), step.clone())
        };
        let cautions = |paths: &[&str]| {
            let steps = paths.iter().map(|path| create(path)).collect();
            Plan { steps }.cautions()
        };
        let used = ["/q", "/q/a-0000000007", "/q/b-0000000003", "/q/ordinary"];
        let told = cautions(&used);
        assert!(told[0].contains("0000000003: they"), "{told:?}");
        assert!(told[0].contains("a-0000000007"), "{told:?}");
        for harmless in [&["/q", "/q/a-0000000000"][..], &used[1..], &["/1234567890"]] {
            assert_eq!(cautions(harmless), Vec::<String>::new());
        }
    }

    #[test]
    fn a_hidden_hash_is_no_difference() {
        let digest = |id: &str| {
            vec![Acl {
                perms: 31,
                id: Id::new("digest", id),
            }]
        };
        assert!(is_same_list(&digest("joe:x"), &digest("joe:hash")));
        assert!(!is_same_list(&digest("ann:x"), &digest("joe:hash")));
        assert!(!is_same_list(&digest("joe:other"), &digest("joe:hash")));
        assert!(!is_same_list(&[], &digest("joe:hash")));
    }
}
