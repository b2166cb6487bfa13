//! A look now and then at everything that runs below the measured process, and at PostgreSQL's processes.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{ProcessUse, proc};

/// What was seen of the processes below some roots.
pub(super) struct Watch {
    /// The measured process; 0 until it is started.
    root: i32,
    /// The parent of PostgreSQL's processes.
    server: Option<i32>,
    seen: HashMap<i32, Seen>,
    /// Processes that belong to nobody here.
    foreign: HashSet<i32>,
    /// The most private memory that a process of the PostgreSQL server had.
    server_peak: u64,
    server_children: HashSet<i32>,
}

/// One process as last seen.
struct Seen {
    program: String,
    cpu_seconds: f64,
    peak_memory: u64,
}

impl Watch {
    /// Made before the measured process is started: whatever runs now is none of it. Processes that a PostgreSQL server has now, such as its writers, serve no
    /// connection; those that it starts from now on do.
    pub(super) fn new(server: Option<i32>) -> Self {
        Self {
            root: 0,
            server,
            seen: HashMap::new(),
            foreign: proc::others(&HashSet::new()).into_iter().collect(),
            server_peak: 0,
            server_children: HashSet::new(),
        }
    }

    /// The measured process was started. Its number may have been another process's before.
    pub(super) fn begin(&mut self, root: i32) {
        self.root = root;
        self.foreign.remove(&root);
    }

    /// Finds new processes and reads what those that run have used.
    pub(super) fn look(&mut self) {
        self.find_new();
        let known: Vec<i32> = self.seen.keys().copied().collect();
        for pid in known {
            let (Some((_, cpu)), Some(memory), Some(program)) =
                (proc::look(pid), proc::memory(pid), proc::program(pid))
            else {
                continue;
            };
            let seen = Seen {
                program,
                cpu_seconds: cpu.own,
                peak_memory: memory.peak,
            };
            self.seen.insert(pid, seen);
        }
        for pid in &self.server_children {
            let private = proc::memory(*pid).map(|memory| memory.private);
            self.server_peak = self.server_peak.max(private.unwrap_or_default());
        }
    }

    fn find_new(&mut self) {
        let known: HashSet<i32> = self.foreign.iter().chain(self.seen.keys()).copied().collect();
        let mut new = proc::others(&known);
        // A parent has the smaller number, unless numbers began anew.
        new.sort_unstable();
        for pid in new {
            if self.server_children.contains(&pid) {
                continue;
            }
            let Some((parent, _)) = proc::look(pid) else { continue };
            if pid == self.root || self.seen.contains_key(&parent) {
                let nothing_yet = Seen {
                    program: String::new(),
                    cpu_seconds: 0.0,
                    peak_memory: 0,
                };
                self.seen.insert(pid, nothing_yet);
            } else if Some(parent) == self.server {
                self.server_children.insert(pid);
            } else {
                self.foreign.insert(pid);
            }
        }
    }

    /// Whether all processes that served a connection have ended and were counted by the server.
    pub(super) fn server_is_idle(&self) -> bool {
        self.server_children.iter().all(|pid| proc::look(*pid).is_none())
    }

    /// The most private memory of a process that served a connection; nothing when none was seen.
    pub(super) fn server_peak(&self) -> Option<u64> {
        (self.server_peak > 0).then_some(self.server_peak)
    }

    /// The measured process first, then the others by name; processes of one program are added up, of their memory the largest counts.
    ///
    /// `root_cpu` is exact, and so is the sum of the others: what they used between the last look and their end is shared out among them.
    pub(super) fn processes(&self, root_cpu: proc::CpuTime) -> Vec<ProcessUse> {
        let root = self.seen.get(&self.root);
        let own_program = root.map(|seen| seen.program.clone()).unwrap_or_default();
        let mut others: BTreeMap<String, (f64, u64)> = BTreeMap::new();
        // One that was gone before its name could be read has nothing to tell.
        let is_other = |(pid, seen): &(&i32, &Seen)| **pid != self.root && !seen.program.is_empty();
        for (_, seen) in self.seen.iter().filter(is_other) {
            let mut program = seen.program.clone();
            if program == own_program {
                program.push_str(" (its children)");
            }
            let (cpu_seconds, peak) = others.entry(program).or_default();
            *cpu_seconds += seen.cpu_seconds;
            *peak = seen.peak_memory.max(*peak);
        }
        let seen_seconds: f64 = others.values().map(|(seconds, _)| seconds).sum();
        let unseen = (root_cpu.waited_for - seen_seconds).max(0.0);
        let share = unseen / others.len().max(1) as f64;
        let mut uses = vec![ProcessUse {
            program: own_program,
            is_server: false,
            cpu_seconds: root_cpu.own,
            peak_memory_bytes: root.map(|seen| seen.peak_memory).filter(|peak| *peak > 0),
        }];
        uses.extend(others.into_iter().map(|(program, (seconds, peak))| ProcessUse {
            program,
            is_server: false,
            cpu_seconds: seconds + share,
            peak_memory_bytes: Some(peak).filter(|peak| *peak > 0),
        }));
        uses
    }
}
