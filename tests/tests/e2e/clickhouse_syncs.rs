//! Syncs of ClickHouse tables, one run after another and through faults: what is at Batch equals what is in the table.

mod faults;
mod increments;
mod shapes;

use longshore_tests::{Result, shop::Target};
use serde_json::Value;

use crate::clickhouse_scene::ClickHouseScene;

/// The sandbox holds these rows and no others, every attribute equal. The query names `custom_id` and the attributes, none wider than 32 bits.
async fn assert_content(scene: &ClickHouseScene, target: Target, query: &str) -> Result<()> {
    let mut received = scene.received(target).await?;
    let rows = scene.database.rows(query).await?;
    assert_eq!(received.len(), rows.len(), "{query}");
    for mut row in rows {
        let Some(Value::String(custom_id)) = row.remove("custom_id") else {
            panic!("the query names custom ids: {query}");
        };
        assert_eq!(received.remove(&custom_id).as_ref(), Some(&row), "{custom_id}");
    }
    scene.assert_no_violations().await
}
