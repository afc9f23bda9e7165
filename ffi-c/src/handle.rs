//! Handles: numbers that name objects, checked whenever they come back.
//!
//! ```text
//! 63     56 55            24 23          0
//! kind      generation       slot             0 is no handle at all
//! ```
//!
//! Invariants: a handle that was closed never names another object, because the generation of its
//! slot has moved on, and a slot whose generations are used up stays empty for ever; the lock of a
//! table is held for a look-up only, never while anything of the object runs or is made. Who looks up
//! an object in the making waits for it, and nobody else does.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

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
    /// An object is no longer in the making.
    made: Condvar,
}

struct Slots<T> {
    all: Vec<Slot<T>>,
    free: Vec<usize>,
}

struct Slot<T> {
    generation: u32,
    object: Option<Arc<T>>,
    in_making: bool,
}

/// A slot whose object is being made; empty again when this is dropped before it is filled, by a
/// panic too.
struct Reserved<'a, T> {
    table: &'a Table<T>,
    index: usize,
    handle: u64,
}

impl<T> Reserved<'_, T> {
    fn fill(self, object: Arc<T>) -> u64 {
        self.table.lock().all[self.index].object = Some(object);
        self.handle
    }
}

impl<T> Drop for Reserved<'_, T> {
    fn drop(&mut self) {
        let mut slots = self.table.lock();
        slots.all[self.index].in_making = false;
        if slots.all[self.index].object.is_none() {
            slots.free.push(self.index);
        }
        self.table.made.notify_all();
    }
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
            made: Condvar::new(),
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

    /// Takes in the object that `make` makes of its own handle. Whoever looks the handle up before
    /// `make` has returned waits for that; `make` itself must not.
    pub(crate) fn insert_with(
        &self,
        make: impl FnOnce(u64) -> Result<Arc<T>, Failure>,
    ) -> Result<u64, Failure> {
        notice_forks();
        let reserved = self.reserve()?;
        let object = make(reserved.handle)?;
        Ok(reserved.fill(object))
    }

    fn reserve(&self) -> Result<Reserved<'_, T>, Failure> {
        let mut slots = self.lock();
        let index = match slots.free.pop() {
            Some(index) => index,
            None => self.grow(&mut slots)?,
        };
        slots.all[index].in_making = true;
        Ok(Reserved {
            table: self,
            index,
            handle: self.handle(index, slots.all[index].generation),
        })
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
            in_making: false,
        });
        Ok(index)
    }

    fn handle(&self, index: usize, generation: u32) -> u64 {
        u64::from(self.kind) << (SLOT_BITS + GENERATION_BITS)
            | u64::from(generation) << SLOT_BITS
            | index as u64
    }

    /// The object of a handle.
    pub(crate) fn get(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let (slots, index) = self.made(handle)?;
        let object = slots.all[index].object.as_ref();
        object.cloned().ok_or_else(|| self.was_closed())
    }

    /// Takes the object of a handle out; from now on the handle is a closed one.
    pub(crate) fn remove(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let (mut slots, index) = self.made(handle)?;
        let slot = &mut slots.all[index];
        let object = slot.object.take().ok_or_else(|| self.was_closed())?;
        if slot.generation < u32::MAX {
            slot.generation += 1;
            slots.free.push(index);
        }
        Ok(object)
    }

    /// The slot that `handle` names, once its object is made.
    fn made(&self, handle: u64) -> Result<(MutexGuard<'_, Slots<T>>, usize), Failure> {
        let mut slots = self.lock();
        loop {
            let index = self.slot(&slots, handle)?;
            if !slots.all[index].in_making {
                return Ok((slots, index));
            }
            let woken = self.made.wait(slots);
            slots = woken.unwrap_or_else(PoisonError::into_inner);
        }
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
    fn an_object_in_the_making_is_waited_for_and_holds_up_no_other() {
        let table = Table::new(7, "thing");
        let other = table.insert(Arc::new(1)).unwrap();
        std::thread::scope(|scope| {
            let mut early = None;
            let handle = table.insert_with(|handle| {
                let table = &table;
                early = Some(scope.spawn(move || *table.get(handle).unwrap()));
                assert_eq!(*table.get(other).unwrap(), 1);
                Ok(Arc::new(2))
            });
            assert_eq!(*table.get(handle.unwrap()).unwrap(), 2);
            assert_eq!(early.unwrap().join().unwrap(), 2);
        });
        let refused = table.insert_with(|_| Err(super::Failure::bad_arguments("no")));
        assert_eq!(code(refused), Code::BadArguments);
        let next = table.insert(Arc::new(3)).unwrap();
        assert_eq!(next & 0xff_ffff, 2, "the slot of the refused one");
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
