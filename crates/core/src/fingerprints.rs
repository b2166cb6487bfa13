//! The bounded memory of delivered rows that a later run may see again.

mod census;
mod field;
mod multiset;
mod sketch;

pub use census::{Census, Reconciled};
pub use multiset::Multiset;
pub use sketch::Sketch;

/// Fingerprints of delivered rows, 64 bits each, in at most 32 KiB whatever their number.
///
/// Up to [`Fingerprints::MAX`] are kept one by one. Beyond, they are kept as a [`Sketch`], which does not know a row again by itself, but tells the next run what
/// changed when that run has counted what is there ([`Census`]).
///
/// A sketch is of use only for rows up to the cursor that is stored with it, where few new ones appear. Rows *ahead* of it, with a date in the future, are always
/// kept one by one. When there are too many of them, it says so and keeps no more: rows that are not held are delivered again, never left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints {
    behind: Behind,
    ahead: Multiset,
    overflowed: bool,
}

/// Rows up to the stored cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Behind {
    Exact(Multiset),
    Sketched(Box<Sketch>),
}

impl Default for Behind {
    fn default() -> Self {
        Self::Exact(Multiset::default())
    }
}

/// The stored form of [`Fingerprints`], in parts. Without a sketch, a reader that knows none takes what is `exact` for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedFingerprints {
    /// Rows up to the stored cursor, kept one by one: see [`Multiset::to_packed`].
    pub exact: Vec<u8>,
    /// The same of rows ahead of it.
    pub ahead: Vec<u8>,
    /// In place of `exact`: see [`Sketch::to_bytes`]. Empty: there is none.
    pub sketch: Vec<u8>,
    /// Some are not held at all.
    pub overflowed: bool,
}

/// A stored form that can not be read.
#[derive(Debug, thiserror::Error)]
#[error("the fingerprints are not a whole number of 8-byte values, or their sketch is damaged")]
pub struct BrokenFingerprints;

impl Fingerprints {
    /// So many are kept one by one. Keeps a table's state document below 64 KiB: 4,096 × 8 bytes are 43.7 KB of base 64, and a sketch with
    /// [`Self::MAX_AHEAD`] beside it is not larger.
    pub const MAX: usize = 4_096;

    /// So many rows ahead of the stored cursor are kept beside a sketch.
    pub const MAX_AHEAD: usize = 1_000;

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn from_packed(packed: &PackedFingerprints) -> Result<Self, BrokenFingerprints> {
        let read = |bytes| Multiset::from_packed(bytes).ok_or(BrokenFingerprints);
        let mut set = Self {
            overflowed: packed.overflowed,
            ..Self::default()
        };
        if !packed.sketch.is_empty() {
            let sketch = Sketch::from_bytes(&packed.sketch).ok_or(BrokenFingerprints)?;
            set.behind = Behind::Sketched(Box::new(sketch));
        }
        each(&read(&packed.exact)?, |hash| set.insert(hash));
        each(&read(&packed.ahead)?, |hash| set.insert_ahead(hash));
        Ok(set)
    }

    /// The stored form.
    #[must_use]
    pub fn to_packed(&self) -> PackedFingerprints {
        let (exact, sketch) = match &self.behind {
            Behind::Exact(set) => (set.to_packed(), Vec::new()),
            Behind::Sketched(sketch) => (Vec::new(), sketch.to_bytes()),
        };
        PackedFingerprints {
            exact,
            ahead: self.ahead.to_packed(),
            sketch,
            overflowed: self.overflowed,
        }
    }

    /// Adds a row up to the cursor that will be stored.
    pub fn insert(&mut self, hash: u64) {
        if self.has_room() {
            match &mut self.behind {
                Behind::Exact(set) => set.insert(hash),
                Behind::Sketched(sketch) => sketch.add(hash, 1),
            }
        }
    }

    /// Adds a row ahead of the cursor that will be stored.
    pub fn insert_ahead(&mut self, hash: u64) {
        if self.has_room() && self.has_room_ahead() {
            self.ahead.insert(hash);
        }
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        self.overflowed |= other.overflowed;
        match &other.behind {
            Behind::Exact(set) => each(set, |hash| self.insert(hash)),
            Behind::Sketched(added) => self.sketched().extend(added),
        }
        each(&other.ahead, |hash| self.insert_ahead(hash));
    }

    /// Takes rows up to the stored cursor out: those that a plan counted on and that no partition brought. Where rows are kept one by one, one that is not
    /// there is none less; a sketch remembers that it was taken out.
    pub fn withdraw(&mut self, awaited: &Multiset) {
        for (hash, count) in awaited.iter() {
            match &mut self.behind {
                Behind::Sketched(sketch) => sketch.add(hash, -i64::from(count)),
                Behind::Exact(set) => (0..count).take_while(|_| set.take(hash)).for_each(drop),
            }
        }
    }

    /// Forgets which rows lie ahead where every row is kept by itself: what is ahead of one stored cursor is behind the next one.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        if let Behind::Exact(set) = &mut self.behind {
            each(&std::mem::take(&mut self.ahead), |hash| set.insert(hash));
        }
        self
    }

    /// Takes one out: `true` when it is kept by itself, which says that such a row was delivered and not yet taken back. A `true` is as sure as 64 bits are.
    pub fn take(&mut self, hash: u64) -> bool {
        let exactly = match &mut self.behind {
            Behind::Exact(set) => set.take(hash),
            Behind::Sketched(_) => false,
        };
        exactly || self.ahead.take(hash)
    }

    /// The rows up to the stored cursor, when they are too many to be kept one by one.
    #[must_use]
    pub fn sketch(&self) -> Option<&Sketch> {
        match &self.behind {
            Behind::Exact(_) => None,
            Behind::Sketched(sketch) => Some(sketch),
        }
    }

    /// Whether some are not held, so that their rows are delivered again.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// How many are held, equal ones counted each.
    #[must_use]
    pub fn len(&self) -> usize {
        let behind = match &self.behind {
            Behind::Exact(set) => set.len(),
            Behind::Sketched(sketch) => usize::try_from(sketch.total()).unwrap_or(0),
        };
        behind + self.ahead.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sketch().is_none() && self.len() == 0
    }

    /// Whether [`Self::take`] knows no row.
    #[must_use]
    pub fn knows_no_row(&self) -> bool {
        self.ahead.is_empty() && (self.sketch().is_some() || self.is_empty())
    }

    /// Whether one more can be held. A set that is full becomes a sketch for it, unless that would forget rows that are held.
    fn has_room(&mut self) -> bool {
        if self.sketch().is_none() && self.len() >= Self::MAX {
            if self.ahead.len() > Self::MAX_AHEAD {
                self.overflowed = true;
                return false;
            }
            self.sketched();
        }
        true
    }

    fn has_room_ahead(&mut self) -> bool {
        let has_room = self.sketch().is_none() || self.ahead.len() < Self::MAX_AHEAD;
        self.overflowed |= !has_room;
        has_room
    }

    /// Turns the rows up to the cursor into a sketch, if they are not one yet.
    fn sketched(&mut self) -> &mut Sketch {
        if let Behind::Exact(set) = &self.behind {
            let mut sketch = Box::<Sketch>::default();
            set.iter().for_each(|(hash, count)| sketch.add(hash, i64::from(count)));
            self.behind = Behind::Sketched(sketch);
            each(&std::mem::take(&mut self.ahead), |hash| self.insert_ahead(hash));
        }
        match &mut self.behind {
            Behind::Sketched(sketch) => sketch,
            Behind::Exact(_) => unreachable!("it was made a sketch just now"),
        }
    }
}

/// Each of a multiset, equal ones each.
fn each(set: &Multiset, mut action: impl FnMut(u64)) {
    for (hash, count) in set.iter() {
        (0..count).for_each(|_| action(hash));
    }
}

#[cfg(test)]
mod tests;
