//! Conditions that somebody is told of.

use longshore_state::StoredAlert;
use serde_json::json;

use super::*;

fn alert(sync: &str, condition: &str) -> StoredAlert {
    StoredAlert {
        sync: sync.to_owned(),
        condition: condition.to_owned(),
        firing: true,
        since: NOW,
        told: false,
        message: json!({ "summary": "it fails" }),
    }
}

pub(crate) async fn an_alert_outlives_the_process_and_is_replaced_as_a_whole(backend: Backend) {
    let store = backend.open().await;
    store.set_alert(alert(SYNC, "lag")).await.unwrap();
    store.set_alert(alert("other", "failure")).await.unwrap();
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.list_alerts(Some(SYNC)).await.unwrap(), [alert(SYNC, "lag")]);
    let resolved = StoredAlert {
        firing: false,
        since: later(5),
        told: true,
        ..alert(SYNC, "lag")
    };
    store.set_alert(resolved.clone()).await.unwrap();
    assert_eq!(
        store.list_alerts(None).await.unwrap(),
        [alert("other", "failure"), resolved]
    );
    store.remove_alert(SYNC, "lag").await.unwrap();
    store.remove_alert(SYNC, "lag").await.unwrap();
    assert_eq!(store.list_alerts(Some(SYNC)).await.unwrap(), []);
}
