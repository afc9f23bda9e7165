//! What a znode costs: bytes of memory, and nanoseconds of `apply`.
//!
//! `cargo bench -p zoowarden --features server --bench tree [-- <znodes>] [wide]`; prints one
//! line per figure. Memory is the growth of the resident set, so it counts the allocator's waste too; time is
//! that of the processor, so a busy machine blurs it less.

mod player;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;

use player::{Player, create, set};
use zoowarden::proto::OpCode;
use zoowarden::tree::Tree;
use zoowarden::tree::image::{Loader, chunks};

const PAGE_BYTES: u64 = 4096;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let znodes = std::env::args().find_map(|arg| arg.parse::<u64>().ok());
    let znodes = znodes.unwrap_or(1_000_000);
    let wide = std::env::args().any(|arg| arg == "wide");
    let shape = if wide { "one parent" } else { "1000 in each" };
    println!("{znodes} znodes, {shape}");
    measure(znodes, wide)
}

fn measure(znodes: u64, wide: bool) -> Outcome {
    let mut player = Player::new();
    let parents = if wide { 1 } else { znodes.div_ceil(1000) };
    for parent in 0..parents {
        player.play(OpCode::Create, &create(&format!("/d{parent}")));
    }
    let place = |i: u64| format!("/d{}/n{i:09}", i % parents);
    let bodies = (0..znodes).map(|i| create(&place(i))).collect::<Vec<_>>();
    let before = resident_bytes()?;
    timed(&mut player, "create", znodes, |player| {
        bodies
            .iter()
            .for_each(|body| player.play(OpCode::Create, body));
    })?;
    let grown = resident_bytes()? - before;
    println!("  memory     {:>6} bytes per znode", grown / znodes);

    let order = (0..znodes.min(500_000)).map(|i| i.wrapping_mul(0x9e37_79b9) % znodes);
    let sets = order.clone().map(|i| set(&place(i))).collect::<Vec<_>>();
    let run = |player: &mut Player| {
        sets.iter()
            .for_each(|body| player.play(OpCode::SetData, body));
    };
    timed(&mut player, "setData", sets.len() as u64, run)?;
    let view = player.tree.clone();
    timed(
        &mut player,
        "setData, first after a view",
        sets.len() as u64,
        run,
    )?;
    drop(view);
    let paths = order.map(place).collect::<Vec<_>>();
    timed(&mut player, "stat", paths.len() as u64, |player| {
        for path in &paths {
            black_box(player.tree.stat(path));
        }
    })?;
    image(&player.tree, znodes)
}

fn image(tree: &Tree, znodes: u64) -> Outcome {
    let start = busy_ns()?;
    let image = chunks(tree.clone()).collect::<Vec<_>>();
    report("image out", start, znodes)?;
    let start = busy_ns()?;
    let mut loader = Loader::new();
    for chunk in &image {
        loader.push(chunk)?;
    }
    let loaded = loader.finish()?;
    report("image in", start, znodes)?;
    let start = busy_ns()?;
    drop(loaded);
    report("drop", start, znodes)
}

fn timed(player: &mut Player, what: &str, count: u64, run: impl FnOnce(&mut Player)) -> Outcome {
    let start = busy_ns()?;
    run(player);
    report(what, start, count)
}

fn report(what: &str, start: u64, count: u64) -> Outcome {
    let mut line = format!("  {what:<30}");
    let each = (busy_ns()? - start) / count;
    let _ = write!(line, "{each:>6} ns each");
    println!("{line}");
    Ok(())
}

/// Time this process has run, nanoseconds.
fn busy_ns() -> Result<u64, Box<dyn Error>> {
    let schedstat = fs::read_to_string("/proc/self/schedstat")?;
    let first = schedstat.split(' ').next().ok_or("schedstat is empty")?;
    Ok(first.parse()?)
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).ok_or("statm has no second field")?;
    Ok(pages.parse::<u64>()? * PAGE_BYTES)
}
