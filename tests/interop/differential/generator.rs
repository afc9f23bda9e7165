//! Draws sequences: the same seed gives the same sequence.
//!
//! Invariant: where it matters which session comes first, it is said: a step is over before the next
//! one begins, and requests that are sent together belong to one session.

use fastrand::Rng;

use super::hostile;
use super::requests::{Requests, Taste, plain_create, quota_room, weighted};
use super::servers::MAXBUFFER_BYTES;
use super::steps::{Request, Sequence, Step};
use super::wire::{Item, op};

/// Sessions of a sequence.
const SLOTS: usize = 3;

/// Requests sent together, at most.
const TOGETHER_MAX: usize = 32;

/// What one turn of a sequence may be.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Create,
    Change,
    Read,
    Look,
    Watch,
    SetAcl,
    Multi,
    MultiRead,
    Auth,
    Quota,
    Large,
    Frame,
    Torn,
    Stranger,
    Deep,
    Hello,
    Return,
    Leave,
    Expire,
}

/// A kind of sequence.
struct Profile {
    name: &'static str,
    weight: u32,
    taste: Taste,
    /// Whether requests are sent together.
    pipelined: bool,
    turns: &'static [(u32, Turn)],
}

const fn taste(odd_paths: u32, closed_lists: u32, watches: u32) -> Taste {
    Taste {
        odd_paths,
        closed_lists,
        watches,
    }
}

const PROFILES: [Profile; 9] = [
    Profile {
        name: "plain",
        weight: 5,
        taste: taste(1, 0, 10),
        pipelined: true,
        turns: &[
            (30, Turn::Create),
            (30, Turn::Change),
            (30, Turn::Read),
            (10, Turn::Look),
            (10, Turn::Multi),
            (5, Turn::MultiRead),
        ],
    },
    Profile {
        name: "watches",
        weight: 4,
        taste: taste(1, 0, 60),
        pipelined: true,
        turns: &[
            (30, Turn::Create),
            (30, Turn::Change),
            (25, Turn::Read),
            (15, Turn::Watch),
            (6, Turn::Multi),
            (1, Turn::Return),
            (1, Turn::Leave),
        ],
    },
    Profile {
        name: "multi",
        weight: 3,
        taste: taste(2, 3, 30),
        pipelined: true,
        turns: &[
            (10, Turn::Create),
            (10, Turn::Change),
            (10, Turn::Read),
            (40, Turn::Multi),
            (15, Turn::MultiRead),
        ],
    },
    Profile {
        name: "acl",
        weight: 3,
        taste: taste(1, 60, 15),
        pipelined: true,
        turns: &[
            (30, Turn::Create),
            (25, Turn::Change),
            (25, Turn::Read),
            (15, Turn::Look),
            (15, Turn::SetAcl),
            (10, Turn::Multi),
            (6, Turn::MultiRead),
            (4, Turn::Auth),
        ],
    },
    // The real one checks against what is committed: together they would depend on the moment.
    Profile {
        name: "quota",
        weight: 1,
        taste: taste(0, 0, 5),
        pipelined: false,
        turns: &[
            (30, Turn::Create),
            (30, Turn::Change),
            (10, Turn::Look),
            (40, Turn::Quota),
            (8, Turn::Multi),
        ],
    },
    Profile {
        name: "odd",
        weight: 3,
        taste: taste(40, 20, 30),
        pipelined: true,
        turns: &[
            (30, Turn::Create),
            (30, Turn::Change),
            (20, Turn::Read),
            (20, Turn::Look),
            (10, Turn::Watch),
            (10, Turn::Multi),
            (5, Turn::MultiRead),
            (2, Turn::SetAcl),
            (1, Turn::Deep),
        ],
    },
    Profile {
        name: "sessions",
        weight: 1,
        taste: taste(0, 0, 30),
        pipelined: true,
        turns: &[
            (30, Turn::Create),
            (20, Turn::Change),
            (20, Turn::Read),
            (10, Turn::Look),
            (6, Turn::Watch),
            (8, Turn::Return),
            (5, Turn::Leave),
            (6, Turn::Hello),
            (1, Turn::Expire),
        ],
    },
    Profile {
        name: "hostile",
        weight: 2,
        taste: taste(5, 5, 20),
        pipelined: true,
        turns: &[
            (20, Turn::Create),
            (20, Turn::Change),
            (10, Turn::Read),
            (50, Turn::Frame),
            (5, Turn::Torn),
            (5, Turn::Stranger),
            (8, Turn::Hello),
        ],
    },
    Profile {
        name: "large",
        weight: 1,
        taste: taste(0, 0, 10),
        pipelined: true,
        turns: &[
            (10, Turn::Create),
            (10, Turn::Change),
            (10, Turn::Read),
            (10, Turn::Large),
        ],
    },
];

/// Kinds that sessions on different servers play.
const SPREAD: [&str; 4] = ["plain", "watches", "multi", "acl"];

struct Generator {
    random: Rng,
    profile: &'static Profile,
    steps: Vec<Step>,
    slot: usize,
    /// Of this slot, not sent yet.
    together: Vec<Request>,
    /// Sessions are on different servers.
    spread: bool,
}

/// A sequence of about so many requests.
///
/// `spread`: each session is on a server of its own, so that it has to sync before it sees what
/// another one did; nothing that hangs on a single connection's moment is among its turns.
pub fn sequence(seed: u64, length: usize, spread: bool) -> Sequence {
    let mut random = Rng::with_seed(seed);
    let weights: Vec<(u32, usize)> = (0..PROFILES.len())
        .filter(|number| !spread || SPREAD.contains(&PROFILES[*number].name))
        .map(|number| (PROFILES[number].weight, number))
        .collect();
    let profile = &PROFILES[weighted(&mut random, &weights)];
    let mut generator = Generator {
        random,
        profile,
        steps: Vec::new(),
        slot: 0,
        together: Vec::new(),
        spread,
    };
    generator.begin();
    let mut turns = 0;
    while turns < length {
        turns += generator.turns();
    }
    generator.look_at_all();
    if profile.name == "hostile" {
        let forbidden = hostile::forbidden(0, &mut generator.requests());
        generator.step(forbidden);
    }
    Sequence {
        seed,
        profile: profile.name,
        steps: generator.steps,
    }
}

impl Generator {
    fn requests(&mut self) -> Requests<'_> {
        let mut taste = self.profile.taste;
        if self.spread {
            // The ensemble's configuration is among the odd ones.
            taste.odd_paths = 0;
        }
        Requests {
            random: &mut self.random,
            taste,
        }
    }

    fn begin(&mut self) {
        self.connect(0);
        let mut requests = vec![plain_create("~", 0)];
        if self.profile.name == "quota" {
            requests.extend(quota_room());
            requests.push(plain_create("~/a", 0));
        }
        self.steps.push(Step::Send { slot: 0, requests });
        (1..SLOTS).for_each(|slot| self.connect(slot));
    }

    fn connect(&mut self, slot: usize) {
        let hello = hostile::opening(Item::Int(hostile::PATIENT_MS));
        self.steps.push(Step::Connect { slot, hello });
    }

    /// Some turns of one session.
    fn turns(&mut self) -> usize {
        self.slot = self.random.usize(..SLOTS);
        self.catch_up(self.slot);
        let count = match self.profile.pipelined && self.random.u32(0..4) > 0 {
            true => self.random.usize(2..TOGETHER_MAX),
            false => 1,
        };
        for _ in 0..count {
            let turn = weighted(&mut self.random, self.profile.turns);
            self.turn(turn);
        }
        self.flush();
        count
    }

    /// Whatever the others did is seen from here on.
    fn catch_up(&mut self, slot: usize) {
        if self.spread {
            let sync = Request::new(op::SYNC, vec![Item::Text("~".into())]);
            let requests = vec![sync];
            self.steps.push(Step::Send { slot, requests });
        }
    }

    fn flush(&mut self) {
        if !self.together.is_empty() {
            let requests = std::mem::take(&mut self.together);
            let slot = self.slot;
            self.steps.push(Step::Send { slot, requests });
        }
    }

    /// A request that is sent together with those around it.
    fn add(&mut self, request: Request) {
        self.together.push(request);
    }

    /// A request that is answered before the next one is sent, and behind those ahead of it.
    fn alone(&mut self, request: Request) {
        self.flush();
        self.together.push(request);
        self.flush();
    }

    /// Something that is no request.
    fn step(&mut self, step: Step) {
        self.flush();
        self.steps.push(step);
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Create => {
                let request = self.requests().create();
                self.add(request);
            }
            Turn::Change => {
                let request = match self.random.u32(0..5) {
                    0 | 1 => self.requests().versioned(op::DELETE),
                    _ => self.requests().set_data(),
                };
                self.add(request);
            }
            Turn::Read => {
                let request = self.requests().read();
                self.add(request);
            }
            Turn::Look => {
                let request = self.requests().look();
                self.add(request);
            }
            Turn::Watch => {
                let request = self.requests().watching();
                self.add(request);
            }
            Turn::Multi => {
                let request = self.requests().multi();
                self.add(request);
            }
            Turn::MultiRead => {
                let request = self.requests().multi_read();
                self.add(request);
            }
            Turn::Quota => {
                let request = self.requests().quota();
                self.add(request);
            }
            // A change is prepared with the list that is committed.
            Turn::SetAcl => {
                let request = self.requests().set_acl();
                self.alone(request);
            }
            Turn::Auth => self.auth(),
            Turn::Large => self.large(),
            Turn::Deep => {
                let request = self.requests().deep();
                self.add(request);
            }
            turn => self.intrude(turn),
        }
    }

    /// What is not a request in its place.
    fn intrude(&mut self, turn: Turn) {
        let slot = self.slot;
        match turn {
            Turn::Frame => {
                let frame = hostile::frame(slot, &mut self.requests());
                let last = matches!(frame, Step::LastFrame { .. });
                self.step(frame);
                if last || self.random.bool() {
                    self.come_back();
                }
            }
            Turn::Torn => {
                let torn = hostile::torn(slot, &mut self.random);
                self.step(torn);
                self.come_back();
            }
            Turn::Stranger => {
                let stranger = hostile::stranger(&mut self.random);
                self.step(stranger);
            }
            Turn::Hello => {
                let hello = hostile::hello(slot, &mut self.random);
                self.step(Step::Connect { slot, hello });
                self.come_back();
            }
            Turn::Return | Turn::Leave if self.spread => {}
            Turn::Return => self.come_back(),
            Turn::Leave => self.leave(),
            // It takes its time.
            Turn::Expire if self.random.bool() => self.expire(),
            _ => {}
        }
    }

    /// The answer comes at once, and who asks is another from then on: nothing is on its way.
    fn auth(&mut self) {
        let (request, bad) = self.requests().auth();
        self.alone(request);
        if bad {
            self.come_back();
        }
    }

    fn come_back(&mut self) {
        let slot = self.slot;
        let timeout_ms =
            [hostile::PATIENT_MS, 700_000, 5_000_000, i32::MAX][self.random.usize(..4)];
        let hello = hostile::attach(slot, timeout_ms);
        self.step(Step::Connect { slot, hello });
    }

    /// A session ends or its connection does.
    fn leave(&mut self) {
        let slot = self.slot;
        match self.random.u32(0..4) {
            0 => {
                self.step(Step::Drop { slot });
                self.come_back();
            }
            1 => self.come_back(),
            way => {
                match way {
                    2 => self.alone(Request::new(op::CLOSE_SESSION, Vec::new())),
                    _ => self.close_amid(),
                }
                if self.random.bool() {
                    self.come_back();
                }
                self.connect(slot);
            }
        }
    }

    /// A session ends among requests that are sent together. Behind the end are reads, because whether
    /// Apache gives a write there a zxid depends on the moment.
    fn close_amid(&mut self) {
        for _ in 0..self.random.u32(0..4) {
            let request = self.requests().create();
            self.add(request);
        }
        self.add(Request::new(op::CLOSE_SESSION, Vec::new()));
        for _ in 0..self.random.u32(1..4) {
            let request = self.requests().read();
            self.add(request);
        }
        self.flush();
    }

    /// A session ends because its client is gone; another one hears of it.
    fn expire(&mut self) {
        self.flush();
        let path = "~/expires";
        let slot = (self.slot + 1) % SLOTS;
        let witness = self.slot;
        let requests = vec![plain_create(path, 1)];
        self.steps.push(Step::Send { slot, requests });
        let watch = vec![Item::Text(path.into()), Item::Byte(1)];
        let requests = vec![Request::new(op::EXISTS, watch)];
        self.steps.push(Step::Send {
            slot: witness,
            requests,
        });
        let hello = hostile::attach(slot, 500);
        self.steps.push(Step::Connect { slot, hello });
        self.steps.push(Step::Drop { slot });
        self.steps.push(Step::Await {
            slot: witness,
            path: path.into(),
        });
        let hello = hostile::attach(slot, hostile::PATIENT_MS);
        self.steps.push(Step::Connect { slot, hello });
        self.connect(slot);
    }

    /// Around the limit of a frame: at it, one byte below, one above.
    fn large(&mut self) {
        let path = ["~/a", "~/b"][self.random.usize(..2)];
        // Header, path with its length, length of the data, version.
        let around = 8 + 4 + ROOT_BYTES + path.len() - 1 + 4 + 4;
        let length = match self.random.u32(0..6) {
            0 => MAXBUFFER_BYTES - around - 1,
            1 => MAXBUFFER_BYTES - around,
            2 => MAXBUFFER_BYTES - around + 1,
            _ => self.random.usize(1000..MAXBUFFER_BYTES - around),
        };
        let data = Item::Fill(b'L', length);
        let items = vec![Item::Text(path.into()), data, Item::Int(-1)];
        self.alone(Request::new(op::SET_DATA, items));
        if length + around > MAXBUFFER_BYTES {
            self.come_back();
        }
    }

    /// In the end: everything that lies on the paths that are used.
    fn look_at_all(&mut self) {
        let paths = [
            "~",
            "~/a",
            "~/b",
            "~/a/a",
            "~/a/b",
            "~/b/a",
            "/zookeeper/quota",
        ];
        for slot in 0..SLOTS {
            self.catch_up(slot);
            let mut requests = Vec::new();
            for path in paths {
                for operation in [op::GET_DATA, op::GET_CHILDREN2] {
                    let items = vec![Item::Text(path.into()), Item::Byte(0)];
                    requests.push(Request::new(operation, items));
                }
                let items = vec![Item::Text(path.into())];
                requests.push(Request::new(op::GET_ACL, items));
                if slot > 0 {
                    break;
                }
            }
            self.steps.push(Step::Send { slot, requests });
        }
    }
}

/// How long a root's path is.
pub const ROOT_BYTES: usize = 9;

/// The root of the sequence with this number among those that two servers have seen.
pub fn root(number: usize) -> String {
    format!("/z{number:07}")
}
