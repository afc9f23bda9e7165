//! Handles: numbers that name objects, checked whenever they come back.
//!
//! ```text
//! 63     56 55            24 23          0
//! kind      generation       slot             0 is no handle at all
//! ```
//!
//! Invariants: a handle that was closed never names another object, because the generation of its
//! slot has moved on, and a slot whose generations are used up stays empty for ever; the lock of a
//! table is held for a look-up only, never while anything of the object runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zoowarden::client::Code;

use crate::failure::{Failure, notice_forks};

/// Most objects of one kind that may be open at once.
pub(crate) const HANDLES_MAX: usize = 1 << 20;

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 32;

/// All open objects of one kind.
pub(crate) struct Table<T> {
    kind: u8,
    /// What a message calls an object of this kind.
    noun: &'static str,
    slots: Mutex<Slots<T>>,
}

struct Slots<T> {
    all: Vec<Slot<T>>,
    free: Vec<usize>,
}

struct Slot<T> {
    generation: u32,
    object: Option<Arc<T>>,
}

impl<T> Table<T> {
    /// An empty table; `kind` is not zero and no other table's.
    pub(crate) const fn new(kind: u8, noun: &'static str) -> Table<T> {
        Table {
            kind,
            noun,
            slots: Mutex::new(Slots {
                all: Vec::new(),
                free: Vec::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slots<T>> {
        // A panic between two stores cannot leave the slots unfit for use.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an object in; ThrottledOp when [`HANDLES_MAX`] are open.
    pub(crate) fn insert(&self, object: Arc<T>) -> Result<u64, Failure> {
        self.insert_with(|_| Ok(object))
    }

    /// Takes in the object that `make` makes of its own handle. Nobody can look the handle up before
    /// `make` has returned.
    pub(crate) fn insert_with(
        &self,
        make: impl FnOnce(u64) -> Result<Arc<T>, Failure>,
    ) -> Result<u64, Failure> {
        notice_forks();
        let mut slots = self.lock();
        let index = match slots.free.last() {
            Some(index) => *index,
            None => self.grow(&mut slots)?,
        };
        let handle = self.handle(index, slots.all[index].generation);
        slots.all[index].object = Some(make(handle)?);
        slots.free.pop();
        Ok(handle)
    }

    fn grow(&self, slots: &mut Slots<T>) -> Result<usize, Failure> {
        let index = slots.all.len();
        if index == HANDLES_MAX {
            let text = format!("{HANDLES_MAX} {}s are open; close some first", self.noun);
            return Err(Failure::refused(Code::ThrottledOp, text));
        }
        slots.all.push(Slot {
            generation: 1,
            object: None,
        });
        slots.free.push(index);
        Ok(index)
    }

    fn handle(&self, index: usize, generation: u32) -> u64 {
        u64::from(self.kind) << (SLOT_BITS + GENERATION_BITS)
            | u64::from(generation) << SLOT_BITS
            | index as u64
    }

    /// The object of a handle.
    pub(crate) fn get(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let slots = self.lock();
        let index = self.slot(&slots, handle)?;
        let object = slots.all[index].object.as_ref();
        object.cloned().ok_or_else(|| self.was_closed())
    }

    /// Takes the object of a handle out; from now on the handle is a closed one.
    pub(crate) fn remove(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let mut slots = self.lock();
        let index = self.slot(&slots, handle)?;
        let slot = &mut slots.all[index];
        let object = slot.object.take().ok_or_else(|| self.was_closed())?;
        if slot.generation < u32::MAX {
            slot.generation += 1;
            slots.free.push(index);
        }
        Ok(object)
    }

    /// The slot that `handle` names now.
    fn slot(&self, slots: &Slots<T>, handle: u64) -> Result<usize, Failure> {
        let kind = (handle >> (SLOT_BITS + GENERATION_BITS)) as u8;
        let generation = (handle >> SLOT_BITS) as u32;
        let index = (handle & ((1 << SLOT_BITS) - 1)) as usize;
        let noun = self.noun;
        if handle == 0 {
            return Err(Failure::bad_arguments(format!(
                "the {noun} is a handle of zeros"
            )));
        }
        let slot = slots.all.get(index);
        match slot {
            Some(slot) if kind == self.kind && generation == slot.generation => Ok(index),
            Some(slot) if kind == self.kind && generation != 0 && generation < slot.generation => {
                Err(self.was_closed())
            }
            _ => Err(Failure::bad_arguments(format!(
                "0x{handle:x} is not the handle of a {noun}"
            ))),
        }
    }

    fn was_closed(&self) -> Failure {
        Failure::refused(Code::Closing, format!("the {} was closed", self.noun))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Code, HANDLES_MAX, Table};

    fn code<T>(result: Result<T, super::Failure>) -> Code {
        result.map(|_| ()).expect_err("the handle is refused").code
    }

    #[test]
    fn a_closed_handle_never_names_another_object() {
        let table = Table::new(7, "thing");
        let first = table.insert(Arc::new(1)).unwrap();
        assert_eq!(*table.get(first).unwrap(), 1);
        table.remove(first).unwrap();
        let second = table.insert(Arc::new(2)).unwrap();
        assert_ne!(first, second);
        assert_eq!(code(table.get(first)), Code::Closing);
        assert_eq!(code(table.remove(first)), Code::Closing);
        assert_eq!(*table.get(second).unwrap(), 2);
    }

    #[test]
    fn numbers_that_are_no_handles_are_refused() {
        let table = Table::new(7, "thing");
        let other = Table::new(8, "animal");
        let handle = table.insert(Arc::new(())).unwrap();
        let foreign = other.insert(Arc::new(())).unwrap();
        for number in [0, 1, u64::MAX, handle + 1, handle + (1 << 24), foreign] {
            assert_eq!(code(table.get(number)), Code::BadArguments, "{number:x}");
        }
    }

    #[test]
    fn a_full_table_says_so_and_goes_on() {
        let table = Table::new(7, "thing");
        let object = Arc::new(());
        let mut handles = Vec::new();
        for _ in 0..HANDLES_MAX {
            handles.push(table.insert(Arc::clone(&object)).unwrap());
        }
        assert_eq!(code(table.insert(Arc::clone(&object))), Code::ThrottledOp);
        table.remove(handles[0]).unwrap();
        table.insert(object).unwrap();
    }

    #[test]
    fn a_slot_without_generations_left_stays_empty() {
        let table = Table::new(7, "thing");
        let handle = table.insert(Arc::new(1)).unwrap();
        table.lock().all[0].generation = u32::MAX;
        let last = table.handle(0, u32::MAX);
        table.remove(last).unwrap();
        assert_eq!(code(table.get(last)), Code::Closing);
        assert_eq!(code(table.get(handle)), Code::Closing);
        let next = table.insert(Arc::new(2)).unwrap();
        assert_eq!(next & 0xff_ffff, 1);
    }
}
