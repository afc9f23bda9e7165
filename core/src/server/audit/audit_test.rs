use super::*;
use crate::environment::SystemClock;

fn audit(file: &Path) -> Audit {
    let settings = AuditSettings {
        enabled: true,
        file: Some(file.to_owned()),
    };
    let started = Audit::start(&settings, Arc::new(SystemClock::new()));
    started.expect("the directory can be written")
}

fn line(text: &str) -> Line {
    Line {
        text: text.to_owned(),
        outcome: Outcome::Failure,
    }
}

#[test]
fn lines_are_in_the_file_when_the_server_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.log");
    for _ in 0..2 {
        let audit = audit(&file);
        audit.started();
        audit.send(line("session=0x1"));
        audit.close();
        audit.send(line("too late"));
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let ends = text.lines().map(|line| line.split_once("Z ").unwrap().1);
    let user = account();
    let once = [
        format!("INFO audit: user={user}\toperation=serverStart\tresult=success"),
        "ERROR audit: session=0x1".to_owned(),
        format!("INFO audit: user={user}\toperation=serverStop\tresult=invoked"),
    ];
    assert_eq!(ends.collect::<Vec<_>>(), [&once[..], &once[..]].concat());
}

#[test]
fn lines_on_their_way_are_bounded_and_missing_ones_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.log");
    let audit = audit(&file);
    audit.send(line(&"x".repeat(LINES_BYTES_MAX + 1)));
    audit.send(line("after"));
    audit.close();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("# 1 lines are missing here\n"),
        "{}",
        text.len()
    );
    assert!(text.contains("audit: after\n") && !text.contains("xx"));
    assert_eq!(audit.waiting_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn a_file_that_was_moved_away_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let mut file = AuditFile::open(&path).unwrap();
    file.put("t", "INFO", "one");
    file.settle(true, 0);
    std::fs::rename(&path, dir.path().join("audit.log.1")).unwrap();
    file.put("t", "INFO", "two");
    file.settle(true, 3);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "t INFO audit: two\n# 3 lines are missing here\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_the_start() {
    let settings = AuditSettings {
        enabled: true,
        file: Some("/nowhere/audit.log".into()),
    };
    assert!(Audit::start(&settings, Arc::new(SystemClock::new())).is_err());
}

#[test]
fn times_are_written_in_utc() {
    for (ms, want) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_795_367_253_884, "2026-11-22T17:07:33.884Z"),
        (4_107_542_400_001, "2100-03-01T00:00:00.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(utc(ms), want);
    }
}
