//! The same load at several sizes: what grows, and how fast.

use super::ensemble::Ensemble;
use super::load::Load;
use super::measure::{self, Settings};
use super::results::{Contender, Figures};
use super::scenarios::Axis;

/// Connections that carry large values; more of them would measure the machine's memory.
const CARRIERS: u32 = 16;

/// Values that are written and read: 64 MB of them at the largest.
const LARGE_KEYS: u32 = 64;

/// Who is measured along an axis: a heap of 4 GB does not hold ten million znodes.
pub(super) fn contenders(axis: Axis) -> &'static [Contender] {
    match axis {
        Axis::Znodes => &[Contender::Zoowarden],
        Axis::Children | Axis::ValueBytes | Axis::Servers | Axis::Connections => &Contender::ALL,
    }
}

/// One contender at all `points`; hands over each point's figures as they come.
pub(super) fn along(
    axis: Axis,
    points: &[u64],
    contender: Contender,
    servers: u32,
    settings: Settings,
    mut each: impl FnMut(u64, Figures),
) -> Result<(), String> {
    let stands = match axis {
        Axis::ValueBytes | Axis::Connections => {
            let ensemble = Ensemble::start(contender, servers)?;
            measure::warm_up(&ensemble, settings)?;
            Some(ensemble)
        }
        Axis::Znodes | Axis::Children | Axis::Servers => None,
    };
    for point in points {
        let figures = match &stands {
            Some(ensemble) => loaded_at(ensemble, axis, *point, settings),
            None => fresh_at(contender, axis, *point, settings),
        };
        each(
            *point,
            figures.map_err(|what| format!("at {point}: {what}"))?,
        );
    }
    Ok(())
}

fn loaded_at(
    ensemble: &Ensemble,
    axis: Axis,
    point: u64,
    settings: Settings,
) -> Result<Figures, String> {
    let load = |workload| match axis {
        Axis::ValueBytes => Load {
            value_bytes: point,
            keys: LARGE_KEYS,
            ..Load::closed(workload, CARRIERS, 1)
        },
        _ => Load::closed(workload, u32::try_from(point).unwrap_or(u32::MAX), 1),
    };
    let mut figures = writes_and_reads(ensemble, load, settings)?;
    if axis == Axis::ValueBytes {
        for workload in ["write", "read"] {
            let rate = figures.get(&format!("{workload}_per_second"));
            let bytes = rate.unwrap_or(f64::NAN) * point as f64;
            figures.set(&format!("{workload}_mb_per_second"), bytes / 1e6);
        }
    }
    Ok(figures)
}

fn fresh_at(
    contender: Contender,
    axis: Axis,
    point: u64,
    settings: Settings,
) -> Result<Figures, String> {
    let servers = match axis {
        Axis::Servers => u32::try_from(point).unwrap_or(u32::MAX),
        _ => 1,
    };
    let mut ensemble = Ensemble::start(contender, servers)?;
    if axis == Axis::Servers {
        measure::warm_up(&ensemble, settings)?;
        return writes_and_reads(&ensemble, |what| Load::closed(what, 64, 16), settings);
    }
    if axis == Axis::Children {
        measure::warm_up(&ensemble, settings)?;
        return measure::children(&ensemble, point, settings);
    }
    let mut figures = measure::tree(&mut ensemble, point, settings)?;
    let more = writes_and_reads(&ensemble, |what| Load::closed(what, 64, 16), settings)?;
    figures.merge(more);
    Ok(figures)
}

fn writes_and_reads(
    ensemble: &Ensemble,
    load: impl Fn(&'static str) -> Load,
    settings: Settings,
) -> Result<Figures, String> {
    let mut figures = Figures::default();
    for workload in ["write", "read"] {
        let seen = measure::loaded(ensemble, &load(workload), settings.pace)?;
        for name in ["per_second", "p50_us", "p99_us", "cpu_s_per_1000"] {
            figures.take(&format!("{workload}_{name}"), &seen, name);
        }
        let errors = seen.get("errors").unwrap_or_default();
        figures.set("errors", errors + figures.get("errors").unwrap_or_default());
    }
    Ok(figures)
}
