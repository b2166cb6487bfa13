//! Types as the server's catalog describes them.

use std::collections::{HashMap, HashSet};

use longshore_sdk::prelude::*;

use crate::{connection::Session, errors::from_postgres};

/// OIDs that are the same on every server (pg_type.dat).
pub(crate) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const INET: u32 = 869;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const INTERVAL: u32 = 1186;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const UUID: u32 = 2950;
    pub(crate) const JSONB: u32 = 3802;
}

/// A type with its modifier (`numeric(10,2)`); -1 when there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceType {
    pub(crate) oid: u32,
    pub(crate) modifier: i32,
}

/// What is known of the types that occur.
#[derive(Default)]
pub(crate) struct TypeCatalog {
    entries: HashMap<u32, Entry>,
}

struct Entry {
    name: String,
    /// The type below, for a domain.
    base: Option<SourceType>,
    /// The type of the elements, for an array.
    element: Option<u32>,
}

// The modifier -1 makes `bpchar` of what would otherwise be `character`, which is one character wide.
const TYPES: &str = "\
SELECT t.oid, pg_catalog.format_type(t.oid, -1), t.typtype = 'd', t.typbasetype, t.typtypmod, \
       t.typelem <> 0 AND t.typcategory = 'A' AND t.typname NOT IN ('int2vector', 'oidvector'), t.typelem \
FROM pg_catalog.pg_type t WHERE t.oid = ANY ($1::pg_catalog.oid[])";

impl TypeCatalog {
    /// Loads these types and all that they are made of.
    pub(crate) async fn load(session: &Session, wanted: impl IntoIterator<Item = u32>) -> Result<Self> {
        let mut catalog = Self::default();
        let mut missing: HashSet<u32> = wanted.into_iter().collect();
        while !missing.is_empty() {
            let asked: Vec<u32> = missing.drain().collect();
            let rows = session
                .query(TYPES, &[&asked])
                .await
                .map_err(|error| from_postgres(&error, "reading the catalog of types"))?;
            for row in rows {
                let base = row.get::<_, bool>(2).then(|| SourceType {
                    oid: row.get(3),
                    modifier: row.get(4),
                });
                let element = row.get::<_, bool>(5).then(|| row.get::<_, u32>(6));
                let below = base.map(|base| base.oid).into_iter().chain(element);
                missing.extend(below.filter(|oid| !catalog.entries.contains_key(oid)));
                catalog.entries.insert(
                    row.get(0),
                    Entry {
                        name: row.get(1),
                        base,
                        element,
                    },
                );
            }
            missing.retain(|oid| !catalog.entries.contains_key(oid));
        }
        Ok(catalog)
    }

    /// The type below all domains. A domain over `numeric(10,2)` brings its modifier along.
    pub(crate) fn resolve(&self, mut source: SourceType) -> SourceType {
        while let Some(base) = self.entries.get(&source.oid).and_then(|entry| entry.base) {
            let modifier = if source.modifier == -1 {
                base.modifier
            } else {
                source.modifier
            };
            source = SourceType {
                oid: base.oid,
                modifier,
            };
        }
        source
    }

    /// The type of an array's elements. The modifier of an array is that of its elements.
    pub(crate) fn element_of(&self, source: SourceType) -> Option<SourceType> {
        let element = self.entries.get(&source.oid)?.element?;
        Some(SourceType {
            oid: element,
            modifier: source.modifier,
        })
    }

    /// The name that a cast takes.
    pub(crate) fn name_of(&self, source: SourceType) -> &str {
        self.entries
            .get(&source.oid)
            .map_or("text", |entry| entry.name.as_str())
    }
}
