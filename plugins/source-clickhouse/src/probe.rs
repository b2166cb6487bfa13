//! Questions about a table and its cursor.

use clickhouse::Row;
use longshore_sdk::{
    arrow::{array::AsArray as _, datatypes::UInt64Type},
    core::cursor::CursorType,
    prelude::*,
};
use serde::Deserialize;

use crate::{
    catalog::{Column, Relation},
    connection::{Connector, Server, Statement},
    position::{Parameters, expression_of, value_at},
    stream::ArrowStream,
};

/// Values that are looked at to divide a table: enough for pieces whose sizes differ by less than a half.
const SAMPLED: u64 = 4_096;

/// What planning looks at.
pub(crate) struct Probe<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) server: &'a Server,
    pub(crate) relation: &'a Relation,
    /// The condition of the options.
    pub(crate) filter: Option<String>,
}

/// How many rows there are, and the greatest cursor among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) rows: u64,
    pub(crate) newest: Option<CursorValue>,
}

/// How far a replica is behind.
#[derive(Clone, Copy, Debug, Row, Deserialize)]
pub(crate) struct Replica {
    pub(crate) delay_seconds: u64,
    pub(crate) queued: u64,
    pub(crate) is_readonly: u8,
}

impl Probe<'_> {
    /// The rows under these conditions. Superseded rows count: the greatest cursor may be one's, which is only an upper bound then.
    pub(crate) async fn extent(
        &self,
        cursor: &Column,
        conditions: Vec<String>,
        parameters: Parameters,
    ) -> Result<Extent> {
        let newest = expression_of(cursor, &format!("max({})", cursor.sql()));
        let sql = format!(
            "SELECT count() AS {}, {newest} AS {} FROM {}{}",
            self.relation.alias(0),
            self.relation.alias(1),
            self.relation.from,
            self.conditions(conditions)
        );
        let batch = self
            .batches(sql, parameters)
            .await?
            .into_iter()
            .find(|batch| batch.num_rows() > 0);
        let batch = batch.ok_or_else(|| self.unexpected())?;
        let rows = batch
            .column(0)
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(|| self.unexpected())?
            .value(0);
        // Of no rows the server's greatest value is the type's zero, which is a value.
        let greatest = batch.columns().get(1).ok_or_else(|| self.unexpected())?;
        let newest = if rows == 0 {
            None
        } else {
            value_at(position_type(cursor), greatest, 0)?
        };
        Ok(Extent { rows, newest })
    }

    /// Values that divide the rows under these conditions into so many pieces of about one size: ascending, each once, at most `pieces - 1`.
    pub(crate) async fn dividers(
        &self,
        column: &Column,
        pieces: u64,
        conditions: Vec<String>,
        parameters: Parameters,
    ) -> Result<Vec<CursorValue>> {
        let value = self.relation.alias(1);
        let sql = format!(
            "SELECT {} AS {} FROM (SELECT arrayJoin(arraySort(groupArraySample({SAMPLED}, 1)({}))) AS {value} FROM {}{})",
            expression_of(column, &value),
            self.relation.alias(0),
            column.sql(),
            self.relation.from,
            self.conditions(conditions)
        );
        let mut sampled = Vec::new();
        for batch in self.batches(sql, parameters).await? {
            for row in 0..batch.num_rows() {
                sampled.extend(value_at(position_type(column), batch.column(0), row)?);
            }
        }
        Ok(spread(&sampled, pieces))
    }

    /// How many rows have no cursor.
    pub(crate) async fn null_cursors(&self, cursor: &Column) -> Result<u64> {
        #[derive(Row, Deserialize)]
        struct Count {
            count: u64,
        }
        let sql = format!(
            "SELECT count() AS count FROM {}{}",
            self.relation.from,
            self.conditions(vec![format!("{} IS NULL", cursor.tested())])
        );
        let mut statement = Statement::new(sql);
        if self.relation.merged {
            statement.settings.push(("final", "1".to_owned()));
        }
        let counts: Vec<Count> = self
            .connector
            .rows(&statement, &self.doing())
            .await
            .map_err(|error| error.with_table(&self.relation.shown))?;
        Ok(counts.first().map_or(0, |count| count.count))
    }

    /// How far this replica is behind; `None` for a table without replicas, or where the user may not see it.
    pub(crate) async fn replica(&self) -> Option<Replica> {
        let (database, table) = self.relation.stored.as_ref()?;
        let statement = Statement::new(
            "SELECT absolute_delay AS delay_seconds, toUInt64(queue_size) AS queued, is_readonly FROM system.replicas \
             WHERE database = {database:String} AND table = {table:String}",
        )
        .with("database", database)
        .with("table", table);
        match self
            .connector
            .rows::<Replica>(&statement, "looking at the replica")
            .await
        {
            Ok(replicas) => replicas.into_iter().next(),
            Err(error) => {
                tracing::debug!(%error, table, "the replica's delay is not known");
                None
            }
        }
    }

    async fn batches(
        &self,
        sql: String,
        parameters: Parameters,
    ) -> Result<Vec<longshore_sdk::arrow::array::RecordBatch>> {
        let of_table = |error: Error| error.with_table(&self.relation.shown);
        let statement = Statement {
            sql,
            parameters: parameters.into_vec(),
            settings: Vec::new(),
        };
        let cursor = self.connector.arrow(self.server, &statement, None, &self.doing());
        let mut stream = ArrowStream::begin(cursor.map_err(of_table)?, self.doing())
            .await
            .map_err(of_table)?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await.map_err(of_table)? {
            batches.push(batch);
        }
        Ok(batches)
    }

    fn conditions(&self, mut conditions: Vec<String>) -> String {
        conditions.extend(self.filter.clone());
        if conditions.is_empty() {
            return String::new();
        }
        format!(" WHERE {}", conditions.join(" AND "))
    }

    fn doing(&self) -> String {
        format!("reading table {}", self.relation.shown)
    }

    fn unexpected(&self) -> Error {
        Error::source(
            "schema_unexpected",
            format!(
                "The server answered another question than the one about table {}",
                self.relation.shown
            ),
        )
        .with_table(&self.relation.shown)
    }
}

fn position_type(column: &Column) -> CursorType {
    column.position_type().unwrap_or(CursorType::Text)
}

/// Of sorted values, those at even distances, each once.
fn spread(sampled: &[CursorValue], pieces: u64) -> Vec<CursorValue> {
    let mut dividers: Vec<CursorValue> = Vec::new();
    for piece in 1..pieces {
        let place = usize::try_from(piece * sampled.len() as u64 / pieces).unwrap_or(usize::MAX);
        let Some(value) = sampled.get(place) else { continue };
        // Before the least value there is nothing.
        if dividers.last() != Some(value) && sampled.first() != Some(value) {
            dividers.push(value.clone());
        }
    }
    dividers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[i64]) -> Vec<CursorValue> {
        values.iter().copied().map(CursorValue::Int).collect()
    }

    #[test]
    fn dividers_are_spread_evenly_and_none_comes_twice() {
        let hundred: Vec<i64> = (0..100).collect();
        assert_eq!(spread(&values(&hundred), 4), values(&[25, 50, 75]));
        assert_eq!(spread(&values(&[1, 7, 7, 7, 7, 7, 7, 9]), 8), values(&[7, 9]));
        assert_eq!(spread(&values(&[5, 5, 5]), 3), values(&[]));
        assert_eq!(spread(&[], 3), values(&[]));
        assert_eq!(spread(&values(&hundred), 1), values(&[]));
    }
}
