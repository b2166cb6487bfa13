//! Where the pages of an interrupted run's plan are when another attempt goes on in a newer snapshot: rows move, tables are rewritten, renamed and dropped.

use std::collections::{BTreeMap, HashMap};

use longshore_sdk::prelude::*;

use crate::{
    catalog::Relation, connection::Session, errors::from_postgres, plan::Planning, predicate::WrittenSince,
    snapshot::Snapshot, work::Pages,
};

/// What may have gone from places that were not read yet to places that were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// Rows written since the first attempt's snapshot, and all rows of the heaps that are [`Places::unplanned`].
    Rows,
    /// Everything, as far as is known: another server answers than the first attempt's, and that one may be back in a later attempt.
    Server,
}

/// The heaps of a plan's pages in a later attempt's view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) moved: Moved,
    /// The names that heaps of the plan have now. One that is not here is gone, and its rows with it; or it was rewritten, and is in that file for good.
    names: HashMap<String, String>,
    /// Heaps of the table that the plan does not know, those that were rewritten among them: no piece has their rows.
    pub(crate) unplanned: Vec<String>,
    /// Rows that an earlier attempt has delivered may be read again.
    repeats: bool,
}

/// Heaps that are there, each with the file that it is in; another file means that its rows have other places.
type Files = HashMap<String, Option<u32>>;

impl Places {
    /// Where the pages are that another attempt goes on with; `None` for a plan that reads none. The table must be locked, so that its rows stay where
    /// they are.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn of(planning: &Planning<'_>, relation: &Relation, pages: &[Pages]) -> Result<Option<Self>> {
        if pages.is_empty() {
            return Ok(None);
        }
        let present: Vec<&str> = relation.heaps.iter().map(|heap| heap.name.as_str()).collect();
        let planned = pages.iter().map(|piece| piece.heap.as_str());
        let names: Vec<&str> = planned.chain(present.iter().copied()).collect();
        let files = files(planning.session, &names)
            .await
            .map_err(|error| error.with_table(&relation.shown))?;
        Ok(Self::decided(pages, &present, &files, planning.snapshot))
    }

    fn decided(pages: &[Pages], present: &[&str], files: &Files, snapshot: &Snapshot) -> Option<Self> {
        let first = pages.first()?;
        let planned: BTreeMap<&str, Option<u32>> =
            pages.iter().map(|piece| (piece.heap.as_str(), piece.file)).collect();
        let is_in = |name: &str, file: Option<u32>| files.get(name) == Some(&file);
        let is_kept = |name: &str| planned.get(name).is_some_and(|file| is_in(name, *file));
        let is_unplanned = |name: &&str| files.contains_key(*name) && !is_kept(name);
        let mut unplanned: Vec<&str> = present.iter().copied().filter(is_unplanned).collect();
        let mut names = HashMap::new();
        let mut rewritten = Vec::new();
        for (heap, file) in &planned {
            let found = unplanned.iter().position(|name| file.is_some() && is_in(name, *file));
            let renamed = found.filter(|_| !is_kept(heap)).map(|place| unplanned.remove(place));
            if let Some(name) = renamed.or(is_kept(heap).then_some(*heap)) {
                names.insert((*heap).to_owned(), name.to_owned());
            } else if files.contains_key(*heap) {
                rewritten.push(*heap);
            }
        }
        // Numbers that went back are of a server that was restored.
        let went_back = first.server.is_behind(first.first_xmin, snapshot) || first.first_xmin > snapshot.xmax;
        let may_be_same = first.server.may_be(snapshot) && !went_back;
        // A file of another number is a rewritten one only where it is of the same server.
        let is_same = may_be_same && (rewritten.is_empty() || first.server.is(snapshot));
        // Where the table's heaps can not be told, as with a foreign partition among them, what is gone may be one of them, and rows may have moved to others.
        let is_known = !present.is_empty();
        let moved = if is_same && is_known {
            Moved::Rows
        } else {
            names.extend(rewritten.iter().map(|heap| ((*heap).to_owned(), (*heap).to_owned())));
            Moved::Server
        };
        let is_quiet = WrittenSince::new(first.first_xmin, snapshot.xmax) == WrittenSince::Nothing;
        Some(Self {
            moved,
            names,
            // Pages are delivered as wholes: of a single piece, nothing was.
            repeats: pages.len() > 1 && !(moved == Moved::Rows && is_quiet && unplanned.is_empty()),
            unplanned: unplanned.into_iter().map(str::to_owned).collect(),
        })
    }

    /// The name that a heap of the plan has now; `None` when it is gone.
    pub(crate) fn name(&self, planned: &str) -> Option<&str> {
        self.names.get(planned).map(String::as_str)
    }

    /// What to tell the user of rows that may be delivered twice.
    pub(crate) fn warning(&self, table: &str) -> Option<String> {
        let what = match self.moved {
            Moved::Rows if self.unplanned.is_empty() => {
                "Rows that were written while it began, or since, are looked for everywhere: those among them that were delivered already are delivered again."
            }
            Moved::Rows => {
                "The table or a partition of it was rewritten or added meanwhile, and is read whole; rows that were written since are looked for everywhere: \
                 what was delivered already is delivered again."
            }
            Moved::Server => {
                "Another server answers, or the table was rewritten meanwhile, so all of it is read again: what was delivered already is delivered again."
            }
        };
        self.repeats
            .then(|| format!("An interrupted read of table {table} goes on in a newer snapshot. {what}"))
    }
}

async fn files(session: &Session, names: &[&str]) -> Result<Files> {
    const FILES: &str = "\
        SELECT h.name, pg_catalog.pg_relation_filenode(pg_catalog.to_regclass(h.name)) \
        FROM (SELECT DISTINCT unnest($1::pg_catalog.text[]) AS name) h WHERE pg_catalog.to_regclass(h.name) IS NOT NULL";
    let rows = session.query(FILES, &[&names]).await;
    let rows = rows.map_err(|error| from_postgres(&error, "looking for the table's files"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::Server;

    fn snapshot(xmax: u64) -> Snapshot {
        Snapshot {
            xmin: xmax.min(700),
            xmax,
            system_identifier: Some("7".to_owned()),
            timeline: Some(1),
            ..Snapshot::default()
        }
    }

    /// Two pieces of each of these heaps, each in the file of its number.
    fn planned(heaps: &[(&str, u32)], server: Server) -> Vec<Pages> {
        let piece = |(heap, file): &(&str, u32), from| Pages {
            heap: (*heap).to_owned(),
            from,
            to: None,
            first_xmin: 700,
            file: Some(*file),
            server: server.clone(),
            of_cursor: None,
        };
        heaps.iter().flat_map(|heap| [piece(heap, 0), piece(heap, 9)]).collect()
    }

    fn decided(plan: &[(&str, u32)], now: &[(&str, u32)], xmax: u64) -> Places {
        let pages = planned(plan, Server::of(&snapshot(0)));
        let present: Vec<&str> = now.iter().map(|(name, _)| *name).collect();
        let files = now
            .iter()
            .map(|(name, file)| ((*name).to_owned(), Some(*file)))
            .collect();
        Places::decided(&pages, &present, &files, &snapshot(xmax)).unwrap()
    }

    #[test]
    fn heaps_are_found_under_their_name_or_their_file() {
        let kept = decided(&[("a", 1), ("b", 2)], &[("a", 1), ("b", 2)], 700);
        assert_eq!((kept.moved, kept.name("b")), (Moved::Rows, Some("b")));
        assert_eq!(kept.warning("t"), None, "nothing was written since");

        let renamed = decided(&[("a", 1), ("b", 2)], &[("a", 2), ("c", 1), ("d", 3)], 700);
        assert_eq!(
            (renamed.moved, renamed.name("a"), renamed.name("b")),
            (Moved::Rows, Some("c"), Some("a"))
        );
        assert_eq!(renamed.unplanned, ["d"]);
        assert!(renamed.warning("t").is_some());
    }

    #[test]
    fn a_heap_that_is_gone_takes_its_rows_with_it_and_one_in_another_file_has_them_elsewhere() {
        let dropped = decided(&[("a", 1), ("b", 2)], &[("a", 1)], 700);
        assert_eq!((dropped.moved, dropped.name("b")), (Moved::Rows, None));
        let rewritten = decided(&[("a", 1), ("b", 2)], &[("a", 1), ("b", 5)], 700);
        assert_eq!(
            (rewritten.moved, rewritten.name("a"), rewritten.name("b")),
            (Moved::Rows, Some("a"), None)
        );
        assert_eq!(rewritten.unplanned, ["b"]);
        assert!(rewritten.warning("t").unwrap().contains("rewritten"));
        // Nobody can say whether a heap is gone where the table's heaps are not known.
        assert_eq!(decided(&[("a", 1)], &[], 700).moved, Moved::Server);
    }

    #[test]
    fn a_heap_that_was_rewritten_and_is_gone_later_changes_nothing_for_the_others() {
        let plan = [("a", 1), ("b", 2)];
        // What a piece of the other heap reads does not depend on it: it may be committed in either attempt.
        for now in [&[("a", 5), ("b", 2)][..], &[("b", 2)]] {
            let places = decided(&plan, now, 700);
            assert_eq!(
                (places.moved, places.name("a"), places.name("b")),
                (Moved::Rows, None, Some("b")),
                "{now:?}"
            );
        }
    }

    #[test]
    fn places_of_another_server_mean_nothing() {
        let others = Server {
            timeline: Some(2),
            ..Server::of(&snapshot(0))
        };
        let files = HashMap::from([("a".to_owned(), Some(1))]);
        let moved = |server, xmax| {
            let pages = planned(&[("a", 1)], server);
            Places::decided(&pages, &["a"], &files, &snapshot(xmax)).unwrap().moved
        };
        assert_eq!(moved(others.clone(), 800), Moved::Server);
        let pages = planned(&[("a", 9)], others);
        let places = Places::decided(&pages, &["a"], &files, &snapshot(800)).unwrap();
        assert_eq!(
            places.name("a"),
            Some("a"),
            "pieces of that server's heap are read as well"
        );
        assert_eq!(moved(Server::of(&snapshot(0)), 800), Moved::Rows);
        assert_eq!(
            moved(Server::of(&snapshot(0)), 600),
            Moved::Server,
            "its numbers went back"
        );
        assert_eq!(
            moved(Server::default(), 800),
            Moved::Rows,
            "nobody may see which one it was"
        );
    }

    #[test]
    fn rows_that_may_come_twice_are_announced_where_something_can_have_been_delivered() {
        let warned = |plan: &[(&str, u32)], xmax| decided(plan, plan, xmax).warning("t").is_some();
        assert!(warned(&[("a", 1)], 701) && !warned(&[("a", 1)], 700));
        let single = planned(&[("a", 1)], Server::of(&snapshot(0))).split_off(1);
        let files = HashMap::from([("a".to_owned(), Some(2))]);
        let places = Places::decided(&single, &["a"], &files, &snapshot(800)).unwrap();
        assert_eq!((places.unplanned.len(), places.warning("t")), (1, None));
    }
}
