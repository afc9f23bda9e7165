//! Pictures of results, drawn by matplotlib (`tests/bench/plots.py`).

use std::path::Path;

use super::super::process::Run;
use super::super::process::target;
use super::super::report::Outcome;
use super::super::tools;

/// Draws into `folder`, and answers the names of the files; none, told, where there is no
/// matplotlib.
pub(super) fn draw(results: &Path, folder: &Path) -> Result<Vec<String>, String> {
    if let Some(Outcome::LeftOut(_)) = tools::missing(&[tools::MATPLOTLIB]) {
        println!("no plots without it");
        return Ok(Vec::new());
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let drawn = Run::new(target().join("bench/venv/bin/python"))
        .args(&["tests/bench/plots.py"])
        .args(&[results, folder])
        .capture_status();
    match drawn {
        Ok((status, names)) if status.success() => Ok(names.lines().map(str::to_owned).collect()),
        Ok((status, _)) => Err(format!("the plots were not drawn: {status}")),
        Err(error) => Err(format!("the plots were not drawn: {error}")),
    }
}
