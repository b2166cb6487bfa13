//! Heaps in pieces that can be read at once: tables without a cursor, and large ones that no index orders.

use longshore_sdk::prelude::*;

use super::Planning;
use crate::{
    catalog::{Heap, Relation},
    errors::from_postgres,
    snapshot::Snapshot,
    work::{Ordered, Pages, Server, Work},
};

/// Size of a piece in mebibytes: seconds of work each.
const PARTITION_MEGABYTES: u32 = 256;

/// A plan stays small however large its table is.
const MAX_PARTITIONS: u64 = 256;

/// Ranges of places in a heap are looked up, not searched for, from this version on.
const RANGE_SCANS_SINCE: u32 = 14;

pub(super) async fn plan(planning: &Planning<'_>, relation: &Relation, table: Table) -> Result<TablePlan> {
    let partitions = if relation.heaps.is_empty() {
        vec![Work::Whole.into_partition("all", relation.estimated_rows)?]
    } else {
        Heaps::of(planning, relation).await?.partitions(None)?
    };
    Ok(TablePlan::new(table, partitions))
}

/// The heaps of a relation, measured, to be read piece by piece.
pub(super) struct Heaps<'a> {
    planning: &'a Planning<'a>,
    relation: &'a Relation,
    sizes: Vec<HeapSize>,
    total: u64,
    per_partition: u64,
}

impl<'a> Heaps<'a> {
    pub(super) async fn of(planning: &'a Planning<'a>, relation: &'a Relation) -> Result<Self> {
        let sizes = heap_sizes(planning, relation).await?;
        let total = sizes.iter().map(|size| size.pages).sum();
        Ok(Self {
            planning,
            relation,
            sizes,
            total,
            per_partition: pages_per_partition(planning, relation, total),
        })
    }

    /// Whether they are more than one piece of work.
    pub(super) fn are_large(&self) -> bool {
        self.total > self.per_partition
    }

    /// The pieces; with `of_cursor` only the rows that it bounds.
    pub(super) fn partitions(&self, of_cursor: Option<&Ordered>) -> Result<Vec<Partition>> {
        let mut partitions = Vec::new();
        for (index, (heap, size)) in self.relation.heaps.iter().zip(&self.sizes).enumerate() {
            let prefix = if self.relation.heaps.len() > 1 {
                format!("leaf-{index}-")
            } else {
                String::new()
            };
            for pages in divided(heap, size, self.per_partition, self.planning.snapshot) {
                let share = self
                    .relation
                    .estimated_rows
                    .map(|rows| share(rows, &pages, size.pages, self.total));
                let id = format!("{prefix}pages-{}", pages.from);
                // What is counted once is counted with the first piece.
                let of_cursor = of_cursor.map(|ordered| {
                    let skipped_nulls = if partitions.is_empty() {
                        ordered.skipped_nulls
                    } else {
                        0
                    };
                    Box::new(Ordered {
                        skipped_nulls,
                        ..ordered.clone()
                    })
                });
                partitions.push(Work::Pages(Pages { of_cursor, ..pages }).into_partition(id, share)?);
            }
        }
        Ok(partitions)
    }
}

struct HeapSize {
    pages: u64,
    file: Option<u32>,
}

/// The true sizes: those of the statistics are as old as the last VACUUM.
async fn heap_sizes(planning: &Planning<'_>, relation: &Relation) -> Result<Vec<HeapSize>> {
    const SIZES: &str = "\
        SELECT pg_catalog.pg_relation_size(h.name::pg_catalog.regclass) / pg_catalog.current_setting('block_size')::pg_catalog.int8, \
               pg_catalog.pg_relation_filenode(h.name::pg_catalog.regclass) \
        FROM unnest($1::pg_catalog.text[]) WITH ORDINALITY AS h (name, position) ORDER BY h.position";
    let names: Vec<&str> = relation.heaps.iter().map(|heap| heap.name.as_str()).collect();
    let rows = planning.session.query(SIZES, &[&names]).await;
    let rows = rows.map_err(|error| {
        from_postgres(&error, &format!("measuring table {}", relation.shown)).with_table(&relation.shown)
    })?;
    Ok(rows
        .iter()
        .map(|row| HeapSize {
            pages: u64::try_from(row.get::<_, Option<i64>>(0).unwrap_or(0)).unwrap_or(0),
            file: row.get(1),
        })
        .collect())
}

fn pages_per_partition(planning: &Planning<'_>, relation: &Relation, total: u64) -> u64 {
    if planning.snapshot.server_version < RANGE_SCANS_SINCE {
        return u64::MAX;
    }
    let megabytes = u64::from(planning.spec.partition_megabytes.unwrap_or(PARTITION_MEGABYTES));
    let wished = megabytes * 1024 * 1024 / relation.block_bytes.max(1);
    wished.max(total.div_ceil(MAX_PARTITIONS)).max(1)
}

fn divided(heap: &Heap, size: &HeapSize, per_partition: u64, snapshot: &Snapshot) -> Vec<Pages> {
    let count = size.pages.div_ceil(per_partition).max(1);
    let pages = |index: u64| Pages {
        heap: heap.name.clone(),
        from: index * per_partition,
        to: (index + 1 < count).then(|| (index + 1) * per_partition),
        first_xmin: snapshot.xmin,
        file: size.file,
        server: Server::of(snapshot),
        of_cursor: None,
    };
    (0..count)
        .map(|index| {
            if count == 1 {
                Pages { from: 0, ..pages(0) }
            } else {
                pages(index)
            }
        })
        .collect()
}

fn share(rows: u64, pages: &Pages, heap_pages: u64, total: u64) -> u64 {
    let own = pages.to.unwrap_or(heap_pages).saturating_sub(pages.from);
    let share = u128::from(rows) * u128::from(own) / u128::from(total.max(1));
    u64::try_from(share).unwrap_or(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_heap_touch_and_the_last_is_open() {
        let heap = Heap {
            name: "t".to_owned(),
            pages: 0,
        };
        for (pages, per_partition) in [(0, 10), (9, 10), (10, 10), (11, 10), (100, 7), (5, u64::MAX)] {
            let pieces = divided(
                &heap,
                &HeapSize { pages, file: None },
                per_partition,
                &Snapshot::default(),
            );
            assert_eq!(pieces[0].from, 0);
            assert_eq!(pieces.last().unwrap().to, None);
            for pair in pieces.windows(2) {
                assert_eq!(pair[0].to, Some(pair[1].from));
            }
        }
    }
}
