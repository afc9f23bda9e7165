//! Which server to try next, and how long to wait before. Silent: randomness is an argument.

use std::time::Duration;

/// The first wait after all servers were tried in vain; it doubles from there.
const BACK_OFF_MIN: Duration = Duration::from_millis(20);

/// The longest wait.
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// The servers in the order they are tried, round and round.
#[derive(Debug)]
pub(crate) struct Hosts {
    servers: Vec<String>,
    next: usize,
    /// Attempts since a connection last served.
    failures: usize,
}

impl Hosts {
    /// In the order given; `random` shuffles.
    pub(crate) fn new(mut servers: Vec<String>, random: Option<&mut dyn FnMut() -> u64>) -> Hosts {
        if let Some(random) = random {
            shuffle(&mut servers, random);
        }
        Hosts {
            servers,
            next: 0,
            failures: 0,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.servers.len()
    }

    pub(crate) fn all(&self) -> &[String] {
        &self.servers
    }

    fn contains(&self, server: &str) -> bool {
        self.servers.iter().any(|known| known == server)
    }

    /// The server to try now.
    pub(crate) fn take(&mut self) -> String {
        let server = self.servers[self.next % self.servers.len()].clone();
        self.next = (self.next + 1) % self.servers.len();
        server
    }

    /// Makes `server` the one that is tried next.
    pub(crate) fn prefer(&mut self, server: &str) {
        if let Some(at) = self.servers.iter().position(|known| known == server) {
            self.next = at;
        }
    }

    /// An attempt failed. Nothing to wait for while there are servers not tried yet; after each
    /// round twice as long as before, up to a second, and a random part of it, so that the
    /// clients of a server that died do not all come at once.
    pub(crate) fn failed(&mut self, random: u64) -> Duration {
        self.failures += 1;
        if !self.failures.is_multiple_of(self.servers.len()) {
            return Duration::ZERO;
        }
        let rounds = u32::try_from(self.failures / self.servers.len()).unwrap_or(u32::MAX);
        let wait = BACK_OFF_MIN
            .saturating_mul(1_u32.checked_shl(rounds.min(16) - 1).unwrap_or(1))
            .min(BACK_OFF_MAX);
        wait / 2 + wait.mul_f64((random % 1000) as f64 / 2000.0)
    }

    /// A connection serves.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Takes another list. Returns whether a client on `current` should move, by ZooKeeper's rule:
    /// servers that joined get their share of the clients, and the clients of servers that left
    /// spread over those that have room. `random` is uniform.
    pub(crate) fn replace(
        &mut self,
        servers: Vec<String>,
        current: Option<&str>,
        shuffle: bool,
        random: &mut dyn FnMut() -> u64,
    ) -> bool {
        let kept = servers
            .iter()
            .filter(|server| self.contains(server))
            .count();
        let (old, new) = (self.servers.len(), servers.len());
        let stays = current.is_some_and(|current| servers.iter().any(|s| s == current));
        let added = servers
            .iter()
            .filter(|server| !self.contains(server))
            .cloned()
            .collect::<Vec<_>>();
        let share = (random() % (1 << 32)) as f64 / f64::from(u32::MAX);
        let moves = if stays {
            new > old && share < 1.0 - old as f64 / new as f64
        } else {
            true
        };
        // The displaced go to a kept server only as far as those have room.
        let to_kept = !stays
            && new <= old
            && kept > 0
            && old > kept
            && share < (kept * (old - new)) as f64 / (new * (old - kept)) as f64;
        let first = usize::try_from(random()).unwrap_or_default() % added.len().max(1);
        *self = Hosts::new(servers, shuffle.then_some(random));
        if moves
            && !to_kept
            && let Some(first) = added.get(first)
        {
            self.prefer(first);
        }
        moves
    }
}

fn shuffle(servers: &mut [String], random: &mut dyn FnMut() -> u64) {
    for last in (1..servers.len()).rev() {
        let other = (random() % (last as u64 + 1)) as usize;
        servers.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BACK_OFF_MAX, Hosts};

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("s{n}:1")).collect()
    }

    #[test]
    fn servers_are_tried_in_turn_and_waits_come_after_whole_rounds() {
        let mut hosts = Hosts::new(names(3), None);
        let mut waits = Vec::new();
        for round in 0..12 {
            for server in 0..3 {
                assert_eq!(hosts.take(), format!("s{server}:1"));
                let wait = hosts.failed(0);
                assert_eq!(wait.is_zero(), server < 2, "round {round}");
                if server == 2 {
                    waits.push(wait);
                }
            }
        }
        assert!(waits.is_sorted());
        assert_eq!(waits[0], Duration::from_millis(10));
        assert_eq!(waits[11], BACK_OFF_MAX / 2);
        assert!(hosts.failed(999) <= BACK_OFF_MAX);
        hosts.succeeded();
        let mut alone = Hosts::new(names(1), None);
        assert_eq!(alone.failed(0), Duration::from_millis(10));
        for _ in 0..100_000 {
            assert!(alone.failed(u64::MAX) <= BACK_OFF_MAX);
        }
    }

    #[test]
    fn shuffling_reaches_every_order() {
        let mut random = fastrand::Rng::with_seed(7);
        let orders: std::collections::BTreeSet<_> = (0..200)
            .map(|_| Hosts::new(names(3), Some(&mut || random.u64(..))).servers)
            .collect();
        assert_eq!(orders.len(), 6);
    }

    #[test]
    fn clients_move_to_servers_that_joined_in_proportion() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut moved = 0;
        for _ in 0..10_000 {
            let mut hosts = Hosts::new(names(3), None);
            moved +=
                usize::from(hosts.replace(names(4), Some("s0:1"), true, &mut || random.u64(..)));
        }
        // One of four is new: a quarter of the clients go there.
        assert!((2_300..2_700).contains(&moved), "{moved}");
    }

    #[test]
    fn client_of_a_server_that_left_moves_and_others_stay() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut hosts = Hosts::new(names(3), None);
        assert!(!hosts.replace(names(2), Some("s1:1"), true, &mut || random.u64(..)));
        assert!(hosts.replace(names(1), Some("s1:1"), true, &mut || random.u64(..)));
        assert_eq!(hosts.take(), "s0:1");
    }
}
