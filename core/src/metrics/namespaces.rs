//! Measurements by the first name of a path, with a limit to how many names there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::summary::Histogram;

/// Names that are counted apart. A client that writes below ever new ones must not fill the memory
/// of this server, nor that of whoever collects its metrics.
pub const NAMESPACES_MAX: usize = 256;

/// What is counted together once there are too many.
pub const OTHER: &str = "__other__";

/// The first name of a path; none of the root.
pub fn namespace(path: &str) -> Option<&str> {
    let name = path.strip_prefix('/')?.split('/').next()?;
    (!name.is_empty()).then_some(name)
}

/// A measurement per namespace.
#[derive(Debug, Default)]
pub struct Namespaces {
    cells: RwLock<BTreeMap<Box<str>, Arc<Histogram>>>,
}

impl Namespaces {
    /// The cell of a namespace. Whoever measures often keeps it: see [`Recent`].
    pub fn cell(&self, name: &str) -> Arc<Histogram> {
        if let Some(cell) = self.cells.read().get(name) {
            return Arc::clone(cell);
        }
        let mut cells = self.cells.write();
        let name = if cells.len() < NAMESPACES_MAX {
            name
        } else {
            OTHER
        };
        let new = || Arc::new(Histogram::rare(1));
        Arc::clone(cells.entry(name.into()).or_insert_with(new))
    }

    /// All that were counted, in the order of their names.
    pub fn all(&self) -> Vec<(String, Arc<Histogram>)> {
        let cells = self.cells.read();
        let cells = cells.iter();
        cells
            .map(|(name, cell)| (name.to_string(), Arc::clone(cell)))
            .collect()
    }

    /// Every measurement begins anew; the names stay.
    pub fn reset(&self) {
        self.cells.read().values().for_each(|cell| cell.reset());
    }
}

/// The namespace somebody measured last, so that most measurements look nothing up and lock
/// nothing.
#[derive(Debug, Default)]
pub struct Recent {
    last: Option<(Box<str>, Arc<Histogram>)>,
}

impl Recent {
    /// Takes in a value of a path.
    pub fn observe(&mut self, namespaces: &Namespaces, path: &str, value: u64) {
        let Some(name) = namespace(path) else {
            return;
        };
        match &self.last {
            Some((last, cell)) if **last == *name => cell.observe(value),
            _ => {
                let cell = namespaces.cell(name);
                cell.observe(value);
                self.last = Some((name.into(), cell));
            }
        }
    }
}
