//! What all of it ran on: figures without it say nothing.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::super::process::Run;
use super::results::middle;

/// Appends of a page, each made durable, from which the disk's latency is told.
const FLUSHES: usize = 200;

/// Rows of a table.
pub(super) fn described(folder: &Path) -> Vec<(String, String)> {
    let rows = [
        ("processor", processor()),
        ("memory", memory()),
        ("kernel", said("uname", &["-sr"])),
        ("disk", disk(folder)),
        ("load when it began", load()),
        (
            "Zoowarden",
            said(&super::binary().display().to_string(), &["--version"]),
        ),
        ("its source", said("git", &["rev-parse", "--short", "HEAD"])),
        ("Apache ZooKeeper", debian("libzookeeper-java")),
        ("Java", debian("openjdk-17-jre-headless")),
        (
            "Java's heap",
            "-Xmx4g; -Xmx2g in ensembles of more than three".to_owned(),
        ),
    ];
    rows.map(|(name, value)| (name.to_owned(), value)).into()
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |line: &str| Some(line.split_once(':')?.1.trim().to_owned());
    let mut models = text.lines().filter(|line| line.starts_with("model name"));
    let model = models.next().and_then(value);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} x {}", model.unwrap_or_else(unknown))
}

fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|total| total.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or_else(unknown, |kib| {
        format!("{:.1} GiB", kib / f64::from(1 << 20))
    })
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next().map(str::to_owned);
    first.unwrap_or_else(unknown)
}

/// The file system, and what it takes until an append of 4 KiB is durable.
fn disk(folder: &Path) -> String {
    let kind = said("stat", &["-f", "-c", "%T", &folder.display().to_string()]);
    match flushes(&folder.join("flushes")) {
        Ok((median, p99)) => {
            format!("{kind}; fdatasync of 4 KiB: median {median:.0} µs, p99 {p99:.0} µs")
        }
        Err(error) => format!("{kind}; its fdatasync was not measured: {error}"),
    }
}

fn flushes(path: &Path) -> std::io::Result<(f64, f64)> {
    let mut file = File::create(path)?;
    let mut micros = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        file.write_all(&[7; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    std::fs::remove_file(path)?;
    micros.sort_by(f64::total_cmp);
    let p99 = micros[FLUSHES * 99 / 100];
    Ok((middle(micros).map_or(f64::NAN, |middle| middle.median), p99))
}

fn debian(package: &str) -> String {
    said(
        "dpkg-query",
        &["--show", "--showformat", "${Version}", package],
    )
}

fn said(program: &str, args: &[&str]) -> String {
    let said = Run::new(program).args(args).capture();
    let first = said
        .ok()
        .and_then(|(text, _)| text.lines().next().map(str::to_owned));
    first.unwrap_or_else(unknown)
}

fn unknown() -> String {
    "unknown".to_owned()
}
