//! Who is in the ensemble: `server.N` lines, the dynamic file and `myid`, checked together.

use std::collections::BTreeMap;

use super::ensemble::{Ensemble, HostPort, Member, Role, ServerId};
use super::error::ConfigError;
use super::properties;
use super::resolve::{Draft, Sources, TextFile, my_id_path};
use super::setting::{Origin, Setting};
use crate::proto::server_line;

/// The `server.N` lines and the number in `myid`.
pub(super) struct Servers {
    members: BTreeMap<ServerId, Member>,
    my_id: Option<ServerId>,
    /// Votes are needed from others: an ensemble, not a single server.
    is_ensemble: bool,
    /// The file that holds the lines.
    file: String,
}

impl Servers {
    /// The client address of this server's own line.
    pub(super) fn own_client_address(&self) -> Option<&HostPort> {
        let mut members = self.members.iter();
        let own = match (self.my_id, self.is_ensemble) {
            (Some(id), _) => self.members.get(&id),
            // A single server needs no `myid` to know which line is its own.
            (None, false) => members
                .next()
                .filter(|_| members.next().is_none())
                .map(|(_, m)| m),
            (None, true) => None,
        };
        own.and_then(|member| member.client_address.as_ref())
    }
}

/// Reads the lines of zoo.cfg, or of the dynamic file when there is one.
pub(super) fn servers(
    cfg: &[Setting],
    sources: &Sources,
    draft: &mut Draft,
) -> Result<Servers, ConfigError> {
    let (lines, file) = match &sources.dynamic {
        Some(dynamic) => {
            refuse_membership_in(cfg)?;
            (dynamic_settings(dynamic)?, dynamic.name.clone())
        }
        None => (cfg.to_vec(), draft.cfg_name.clone()),
    };
    let members = members(&lines, draft)?;
    let is_ensemble = is_ensemble(&members, &file, draft)?;
    let my_id = my_id(sources.my_id.as_ref(), is_ensemble, draft)?;
    Ok(Servers {
        members,
        my_id,
        is_ensemble,
        file,
    })
}

fn is_membership(key: &str) -> bool {
    ["server.", "group", "weight"]
        .iter()
        .any(|prefix| key.starts_with(prefix))
}

fn refuse_membership_in(cfg: &[Setting]) -> Result<(), ConfigError> {
    match cfg.iter().find(|setting| is_membership(&setting.key)) {
        Some(setting) => Err(setting.refuse("expected in the dynamicConfigFile, not beside it")),
        None => Ok(()),
    }
}

fn dynamic_settings(dynamic: &TextFile) -> Result<Vec<Setting>, ConfigError> {
    let settings = properties::parse(&dynamic.name, &dynamic.text)?;
    for setting in &settings {
        if setting.key == "version" {
            return Err(setting.refuse("expected in the name of the dynamic file, not inside"));
        }
        if !is_membership(&setting.key) {
            return Err(setting.refuse("expected server, group and weight settings only"));
        }
    }
    Ok(settings)
}

fn members(
    lines: &[Setting],
    draft: &mut Draft,
) -> Result<BTreeMap<ServerId, Member>, ConfigError> {
    let mut members = BTreeMap::new();
    for setting in lines {
        let Some(id) = setting.key.strip_prefix("server.") else {
            continue;
        };
        let id: ServerId = id
            .parse()
            .map_err(|what| setting.refuse(format!("{what}, after server.")))?;
        let line = server_line(&setting.value).map_err(|what| setting.refuse(what))?;
        let origin = &setting.origin;
        if line.more_addresses > 0 {
            let host = &line.member.host;
            draft.warn(format!(
                "{origin}: server.{id}: only the first address, {host}, is used"
            ));
        }
        if line.member.secure_client_address.is_some() {
            draft.warn(format!(
                "{origin}: server.{id}: TLS ports are not supported yet"
            ));
        }
        if members.insert(id, line.member).is_some() {
            return Err(setting.refuse(format!("expected one line for server {id}, found two")));
        }
    }
    Ok(members)
}

/// ZooKeeper's rules: a single voter is a single server unless `standaloneEnabled=false`.
fn is_ensemble(
    members: &BTreeMap<ServerId, Member>,
    file: &str,
    draft: &mut Draft,
) -> Result<bool, ConfigError> {
    let voters = members
        .values()
        .filter(|member| member.role == Role::Participant)
        .count();
    let observers = members.len() - voters;
    let refuse = |what: &str| Err(ConfigError::of_key(file, "server.N", what));
    if voters == 0 && !draft.standalone_enabled {
        return refuse("missing: expected a participant, because of standaloneEnabled=false");
    }
    if voters == 0 && observers > 0 {
        return refuse("expected a participant: observers do not vote");
    }
    if voters == 1 && observers > 0 && draft.standalone_enabled {
        return refuse(
            "expected two participants or more beside observers, or standaloneEnabled=false",
        );
    }
    if voters <= 1 && draft.standalone_enabled {
        return Ok(false);
    }
    if voters <= 2 {
        draft.warn(format!(
            "{file}: no server may fail, {voters} of {voters} make the quorum; of three one may"
        ));
    } else if voters % 2 == 0 {
        draft.warn(format!(
            "{file}: {voters} voting servers tolerate no more failures than {}",
            voters - 1
        ));
    }
    Ok(true)
}

/// The first line of `myid`. A single server does without; there a bad one is only worth a
/// warning, since packages put a placeholder there.
fn my_id(
    file: Option<&TextFile>,
    is_ensemble: bool,
    draft: &mut Draft,
) -> Result<Option<ServerId>, ConfigError> {
    let Some(file) = file else { return Ok(None) };
    let value = file.text.lines().next().unwrap_or_default().trim();
    let setting = my_id_setting(&file.name, value);
    match value.parse() {
        Ok(ServerId(255)) if draft.config.ttl.extended_types_enabled && is_ensemble => {
            Err(setting.refuse("expected a server id, 0 to 254 with extendedTypesEnabled=true"))
        }
        // Version 3.5.3 took every owner from 0x80 on for a TTL znode.
        Ok(ServerId(128..)) if draft.config.ttl.emulate_353_ttl_nodes && is_ensemble => {
            Err(setting.refuse("expected a server id, 0 to 127 with emulate353TTLNodes=true"))
        }
        Ok(id) => Ok(Some(id)),
        Err(what) if is_ensemble => Err(setting.refuse(what)),
        Err(_) => {
            draft.warn(format!(
                "{}: not a server id; a single server does not need it",
                file.name
            ));
            Ok(None)
        }
    }
}

fn my_id_setting(file: &str, value: &str) -> Setting {
    let origin = Origin::File {
        name: file.to_owned(),
        line: 1,
    };
    Setting {
        origin,
        key: "myid".to_owned(),
        value: value.to_owned(),
    }
}

/// The ensemble that `servers` describe; `None`: a single server.
pub(super) fn ensemble(
    servers: Servers,
    sources: &Sources,
    draft: &mut Draft,
) -> Result<Option<Ensemble>, ConfigError> {
    if !servers.is_ensemble {
        return Ok(None);
    }
    let path = my_id_path(&draft.config.data_dir);
    let my_id_file = path.display().to_string();
    let Some(my_id) = servers.my_id else {
        let what = "missing: expected a file with the N of this server's server.N line";
        return Err(ConfigError::of_file(&my_id_file, None, what));
    };
    let Some(me) = servers.members.get(&my_id) else {
        let ids: Vec<_> = servers.members.keys().map(ServerId::to_string).collect();
        let name = sources
            .my_id
            .as_ref()
            .map_or(&my_id_file, |file| &file.name);
        let (file, ids) = (&servers.file, ids.join(", "));
        let what = format!("expected the N of a server.N line in {file}, which has {ids}");
        return Err(my_id_setting(name, &my_id.to_string()).refuse(what));
    };
    let peer_type = me.role;
    if let Some(asked) = draft.peer_type.filter(|asked| *asked != peer_type) {
        let file = &servers.file;
        draft.warn(format!(
            "peerType={asked}, but server.{my_id} in {file} is {peer_type}: that counts"
        ));
    }
    Ok(Some(Ensemble {
        my_id,
        members: servers.members,
        peer_type,
        quorum_listen_on_all_ips: draft.quorum_listen_on_all_ips,
    }))
}
