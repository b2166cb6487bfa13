//! Reads the catalogs into [`Relation`]s.

use std::collections::HashMap;

use longshore_sdk::{incremental::nearest, prelude::*, table::TableName};
use tokio_postgres::{Row, types::ToSql};

use super::{
    Column, Heap, Kind, Relation, parse_name, statements,
    types::{SourceType, TypeCatalog},
};
use crate::{connection::Session, errors::from_postgres, names::qualified, representation::Representation, spec::Spec};

/// Every relation, and every query of the options, that the user may read.
pub(crate) async fn list(session: &Session, spec: &Spec) -> Result<Vec<Relation>> {
    let oids: Vec<u32> = select(session, statements::ALL_RELATIONS, &[])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let mut relations = load(session, spec, &oids).await?;
    for (name, options) in &spec.table_options {
        if let Some(query) = &options.read.query {
            relations.retain(|relation| relation.shown != *name);
            relations.push(describe_query(session, spec, name, query).await?);
        }
    }
    relations.sort_by(|a, b| a.shown.cmp(&b.shown));
    Ok(relations)
}

/// One relation by its name as listed.
///
/// # Errors
/// `table_not_found`, with the nearest name.
pub(crate) async fn relation(session: &Session, spec: &Spec, table: &str) -> Result<Relation> {
    if let Some(query) = &spec.options(table).read.query {
        return describe_query(session, spec, table, query).await;
    }
    let name = parse_name(spec, table)?;
    let found = select(session, statements::RELATION_BY_NAME, &[&name.namespace, &name.name]).await?;
    let Some(row) = found.first() else {
        return Err(not_found(session, spec, table).await?);
    };
    let relations = load(session, spec, &[row.get(0)]).await?;
    // Dropped between the two statements.
    let Some(relation) = relations.into_iter().next() else {
        return Err(not_found(session, spec, table).await?);
    };
    Ok(relation)
}

async fn not_found(session: &Session, spec: &Spec, table: &str) -> Result<Error> {
    let rows = select(session, statements::ALL_NAMES, &[]).await?;
    let names: Vec<String> = rows
        .iter()
        .map(|row| TableName::new(row.get::<_, String>(0), row.get::<_, String>(1)).shown(&spec.schema))
        .collect();
    let remedy = match nearest(table, names.iter().map(String::as_str)) {
        Some(near) => format!("Did you mean `{near}`? `longshore tables` lists what can be read."),
        None => "`longshore tables` lists what can be read.".to_owned(),
    };
    Ok(
        Error::source("table_not_found", format!("The database has no table or view {table}"))
            .with_table(table)
            .with_remedy(remedy),
    )
}

/// The relations with these OIDs, with a fixed number of statements however many there are.
pub(crate) async fn load(session: &Session, spec: &Spec, oids: &[u32]) -> Result<Vec<Relation>> {
    let oids = oids.to_vec();
    let described = select(session, statements::RELATIONS, &[&oids]).await?;
    let partitioned: Vec<u32> = described
        .iter()
        .filter(|row| row.get::<_, String>(3) == "p")
        .map(|row| row.get(0))
        .collect();
    let columns = select(session, statements::COLUMNS, &[&oids]).await?;
    let types = TypeCatalog::load(session, columns.iter().map(|row| row.get(2))).await?;
    let mut columns = grouped(&columns, |row| column_of(row, &types));
    let keys = select(session, statements::PRIMARY_KEYS, &[&oids]).await?;
    let mut keys = grouped(&keys, |row| row.get::<_, String>(1));
    let indexed = select(session, statements::LEADING_INDEX_COLUMNS, &[&oids]).await?;
    let mut indexed = grouped(&indexed, |row| row.get::<_, String>(1));
    let leaves = if partitioned.is_empty() {
        Vec::new()
    } else {
        select(session, statements::LEAVES, &[&partitioned]).await?
    };
    let mut leaves = grouped(&leaves, Leaf::of);

    let mut relations = Vec::with_capacity(described.len());
    for row in &described {
        let oid: u32 = row.get(0);
        let mut relation = described_relation(row, spec);
        relation.columns = columns.remove(&oid).unwrap_or_default();
        relation.key = keys.remove(&oid).unwrap_or_default();
        relation.key_is_unique = !relation.key.is_empty();
        relation.indexed = indexed.remove(&oid).unwrap_or_default();
        if relation.kind == Kind::PartitionedTable {
            add_leaves(&mut relation, &leaves.remove(&oid).unwrap_or_default(), row.get(7));
        }
        apply_options(&mut relation, spec);
        relations.push(relation);
    }
    Ok(relations)
}

fn described_relation(row: &Row, spec: &Spec) -> Relation {
    let name = TableName::new(row.get::<_, String>(1), row.get::<_, String>(2));
    let kind = Kind::from_relkind(&row.get::<_, String>(3));
    let pages = whole(row.get::<_, i64>(5));
    let heap: bool = row.get(6);
    let from = qualified(&name);
    let heaps = match kind {
        Kind::Table | Kind::MaterializedView if heap => vec![Heap {
            name: from.clone(),
            pages,
        }],
        _ => Vec::new(),
    };
    Relation {
        shown: name.shown(&spec.schema),
        kind,
        columns: Vec::new(),
        key: Vec::new(),
        key_is_unique: false,
        indexed: Vec::new(),
        estimated_rows: estimated_rows(row.get(4)).filter(|_| kind != Kind::View),
        pages,
        block_bytes: whole(row.get::<_, i64>(8)),
        // REFRESH writes every row of a materialized view anew: its transactions say nothing about its rows.
        has_xmin: kind == Kind::Table && heap,
        heaps,
        from,
    }
}

/// A table that holds rows of a partitioned table.
struct Leaf {
    heap: Heap,
    estimated_rows: Option<u64>,
    is_heap: bool,
    readable: bool,
}

impl Leaf {
    fn of(row: &Row) -> Self {
        let name = TableName::new(row.get::<_, String>(1), row.get::<_, String>(2));
        Self {
            heap: Heap {
                name: qualified(&name),
                pages: whole(row.get::<_, i64>(4)),
            },
            estimated_rows: estimated_rows(row.get(3)),
            is_heap: row.get(5),
            readable: row.get(6),
        }
    }
}

fn add_leaves(relation: &mut Relation, leaves: &[Leaf], row_security: bool) {
    relation.has_xmin = leaves.iter().all(|leaf| leaf.is_heap);
    relation.pages = leaves.iter().map(|leaf| leaf.heap.pages).sum();
    relation.estimated_rows = leaves.iter().map(|leaf| leaf.estimated_rows).sum();
    // Policies of the parent do not apply to who reads the leaves.
    if !row_security && leaves.iter().all(|leaf| leaf.is_heap && leaf.readable) {
        relation.heaps = leaves.iter().map(|leaf| leaf.heap.clone()).collect();
    }
}

fn apply_options(relation: &mut Relation, spec: &Spec) {
    let options = spec.options(&relation.shown);
    if !options.read.primary_key.is_empty() {
        relation.key_is_unique = relation.key_is_unique && relation.key == options.read.primary_key;
        relation.key = options.read.primary_key;
    }
    for column in &mut relation.columns {
        if options.text_columns.contains(&column.name) {
            *column = column.clone().into_server_text();
        }
    }
}

fn column_of(row: &Row, types: &TypeCatalog) -> Column {
    let declared = SourceType {
        oid: row.get(2),
        modifier: row.get(3),
    };
    let resolved = types.resolve(declared);
    Column {
        name: row.get(1),
        not_null: row.get(4),
        type_name: row.get(6),
        resolved,
        cast_name: types.name_of(resolved).to_owned(),
        representation: Representation::choose(types, declared, row.get(5)),
        deterministic: row.get(7),
    }
}

/// What a query's rows look like: the server says it without running the query.
async fn describe_query(session: &Session, spec: &Spec, name: &str, query: &str) -> Result<Relation> {
    let query = query.trim().trim_end_matches(';');
    let from = format!("({query}\n) AS longshore_query");
    let doing = format!("preparing the query of table {name}");
    let statement = session
        .prepare(&format!("SELECT * FROM {from}"))
        .await
        .map_err(|error| {
            from_postgres(&error, &doing)
                .with_table(name)
                .with_field(format!("/table_options/{name}/query"))
        })?;
    let types = TypeCatalog::load(session, statement.columns().iter().map(|column| column.type_().oid())).await?;
    let columns = statement.columns().iter().map(|column| {
        let declared = SourceType {
            oid: column.type_().oid(),
            modifier: column.type_modifier(),
        };
        let resolved = types.resolve(declared);
        Column {
            name: column.name().to_owned(),
            not_null: false,
            type_name: types.name_of(declared).to_owned(),
            resolved,
            cast_name: types.name_of(resolved).to_owned(),
            representation: Representation::choose(&types, declared, 0),
            deterministic: true,
        }
    });
    let mut relation = Relation {
        shown: name.to_owned(),
        from,
        kind: Kind::Query,
        columns: columns.collect(),
        key: Vec::new(),
        key_is_unique: false,
        indexed: Vec::new(),
        estimated_rows: None,
        pages: 0,
        block_bytes: 0,
        has_xmin: false,
        heaps: Vec::new(),
    };
    apply_options(&mut relation, spec);
    Ok(relation)
}

async fn select(session: &Session, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
    session
        .query(statement, parameters)
        .await
        .map_err(|error| from_postgres(&error, "reading the system catalogs"))
}

fn grouped<T>(rows: &[Row], value: impl Fn(&Row) -> T) -> HashMap<u32, Vec<T>> {
    let mut groups: HashMap<u32, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(row.get(0)).or_default().push(value(row));
    }
    groups
}

/// Before the first ANALYZE the server says -1: unknown.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, checked to be zero or more"
)]
fn estimated_rows(tuples: f64) -> Option<u64> {
    (tuples >= 0.0).then_some(tuples as u64)
}

fn whole(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
