//! Settings of what a server records about what it did: the change history, the audit log.

use std::path::PathBuf;

use super::keys::Treatment::{self, Set};
use super::resolve::Draft;
use super::setting::{Parsed, boolean, hours, text, u32_from};

/// The change history, a store of its own in the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySettings {
    /// Keep it [`zoowarden.history.enabled`].
    pub enabled: bool,
    /// Age of what is kept [`zoowarden.history.maxAge`].
    pub age_ms_max: u64,
    /// Bytes it may take on disk, MiB [`zoowarden.history.maxSizeMb`].
    pub size_mb_max: u32,
    /// Changes of znodes taken in a second; above it, only their number is kept
    /// [`zoowarden.history.maxEntriesPerSecond`].
    pub entries_per_second_max: u32,
    /// Bytes kept of each value [`zoowarden.history.maxValueBytes`]. Longer ones cannot be restored.
    pub value_bytes_max: u32,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            age_ms_max: 7 * 24 * 3_600_000,
            size_mb_max: 128,
            entries_per_second_max: 2_000,
            value_bytes_max: 64 << 10,
        }
    }
}

/// The audit log: one line per write of a client, and per start and stop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditSettings {
    /// Write it [`zookeeper.audit.enable`].
    pub enabled: bool,
    /// To this file, besides the log stream's target `audit` [`zoowarden.audit.file`].
    pub file: Option<PathBuf>,
}

const MB_MIN: u32 = 8;

pub(super) const ENABLED: Treatment = Set(|d, v| {
    d.config.history.enabled = boolean(v)?;
    Ok(())
});

pub(super) const AGE_MAX: Treatment = Set(|d, v| {
    let age_ms = hours(v)?;
    if age_ms == 0 {
        return Err("expected a time: zoowarden.history.enabled=false keeps nothing".to_owned());
    }
    d.config.history.age_ms_max = age_ms;
    Ok(())
});

pub(super) const SIZE_MB_MAX: Treatment = Set(size_mb_max);

fn size_mb_max(d: &mut Draft, v: &str) -> Parsed<()> {
    d.config.history.size_mb_max = u32_from(v, MB_MIN, "a whole number of mebibytes")?;
    Ok(())
}

pub(super) const ENTRIES_PER_SECOND_MAX: Treatment = Set(|d, v| {
    d.config.history.entries_per_second_max = u32_from(v, 1, "a whole number of changes")?;
    Ok(())
});

pub(super) const VALUE_BYTES_MAX: Treatment = Set(|d, v| {
    d.config.history.value_bytes_max = u32_from(v, 0, "a whole number of bytes")?;
    Ok(())
});

pub(super) const AUDIT_ENABLE: Treatment = Set(|d, v| {
    d.config.audit.enabled = boolean(v)?;
    Ok(())
});

pub(super) const AUDIT_FILE: Treatment = Set(|d, v| {
    d.config.audit.file = Some(text(v, "a file")?.into());
    Ok(())
});

#[cfg(test)]
mod tests {
    use super::super::{Sources, TextFile, resolve};
    use super::*;

    fn with(line: &str) -> Result<super::super::Loaded, String> {
        let resolved = resolve(&Sources {
            cfg: Some(TextFile {
                name: "zoo.cfg".to_owned(),
                text: format!("dataDir=/d\nclientPort=1\n{line}\n"),
            }),
            ..Sources::default()
        });
        resolved.map_err(|error| error.to_string())
    }

    #[test]
    fn the_history_is_kept_unless_it_is_said_otherwise() {
        let loaded = with("").unwrap();
        assert_eq!(loaded.config.history, HistorySettings::default());
        assert!(loaded.config.history.enabled && !loaded.config.audit.enabled);
        let loaded = with(
            "zoowarden.history.enabled=false\nzoowarden.history.maxAge=3d\n\
             zoowarden.history.maxSizeMb=9\nzoowarden.history.maxEntriesPerSecond=7\n\
             zoowarden.history.maxValueBytes=0\naudit.enable=true\nzoowarden.audit.file=a.log",
        );
        let loaded = loaded.unwrap();
        let history = HistorySettings {
            enabled: false,
            age_ms_max: 3 * 86_400_000,
            size_mb_max: 9,
            entries_per_second_max: 7,
            value_bytes_max: 0,
        };
        assert_eq!(loaded.config.history, history);
        let audit = AuditSettings {
            enabled: true,
            file: Some("a.log".into()),
        };
        assert_eq!(loaded.config.audit, audit);
        assert_eq!(loaded.warnings, [""; 0]);
    }

    #[test]
    fn what_makes_no_history_is_refused() {
        for line in [
            "zoowarden.history.maxAge=0",
            "zoowarden.history.maxSizeMb=7",
            "zoowarden.history.maxEntriesPerSecond=0",
            "zoowarden.history.enabled=maybe",
            "audit.enable=1",
            "zoowarden.audit.file=",
        ] {
            let refused = with(line).unwrap_err();
            assert!(refused.starts_with("zoo.cfg:3: "), "{refused}");
        }
    }
}
