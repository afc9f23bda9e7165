//! The callback thread of a handle: one job after the other, in the order they came in.
//!
//! Invariants: jobs run on one thread; what is queued before `finish` runs, nothing after; a panic
//! in a job ends with the job. The queue holds at most one job per call in flight, one per watch
//! left and a few per connection, so its length is bounded by what the program asked for.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// Something that calls into the program.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    is_finished: bool,
}

/// The jobs that wait for the callback thread.
#[derive(Default)]
pub(crate) struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

impl Queue {
    /// Adds a job behind all others; after `finish` it is dropped without a run.
    pub(crate) fn push(&self, job: Job) {
        let mut jobs = self.jobs.lock();
        if !jobs.is_finished {
            jobs.waiting.push_back(job);
            self.changed.notify_one();
        }
    }

    /// Lets the thread end when it has run what is queued.
    pub(crate) fn finish(&self) {
        self.jobs.lock().is_finished = true;
        self.changed.notify_one();
    }

    /// The body of the callback thread.
    pub(crate) fn run(self: &Arc<Self>) {
        while let Some(job) = self.next() {
            // The panic message has been printed by the panic hook; the handle stays usable.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                return Some(job);
            }
            if jobs.is_finished {
                return None;
            }
            self.changed.wait(&mut jobs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_run_in_order_and_a_panic_stops_none_of_the_others() {
        let queue = Arc::new(Queue::default());
        let (ran, has_run) = channel();
        for number in 0..3 {
            let ran = ran.clone();
            queue.push(Box::new(move || {
                ran.send(number).expect("the test listens");
                assert_ne!(number, 1, "a job that panics, as the test wants");
            }));
        }
        queue.finish();
        let late = ran;
        queue.push(Box::new(move || late.send(99).expect("the test listens")));
        let run = Arc::clone(&queue);
        std::thread::spawn(move || run.run())
            .join()
            .expect("it ends");
        assert_eq!(has_run.iter().collect::<Vec<i32>>(), [0, 1, 2]);
    }
}
