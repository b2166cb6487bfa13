//! Stored cursors: as they are, set, forgotten; with the checks of `longshore state`.

use axum::http::StatusCode;
use longshore_core::{Error, Result};
use longshore_state::UnixMicros;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Service,
    answer::Refusal,
    call::{Call, Nothing},
};
use crate::{
    cursors::{ShownReplacement, ShownReset, ShownState, ShownSync, Wish, cursor_type, set as set_cursor},
    history::require_sync,
};

/// Which states are meant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StateQuery {
    /// Of this sync only.
    sync: Option<String>,
}

/// The cursor of every table.
#[derive(Serialize, JsonSchema)]
pub(super) struct StateList {
    states: Vec<ShownState>,
}

/// A cursor to put in the place of the stored one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCursor {
    /// The new value, as it is shown.
    value: String,
    /// The name of the cursor column; needed where nothing is stored yet.
    column: Option<String>,
    /// The type of the cursor column: int, uint, decimal, date, timestamp, timestamptz, text, uuid or binary. Needed where nothing is stored yet.
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// What is to be forgotten.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetWish {
    /// Only the cursor of this table; absent or null: all of the sync.
    #[serde(default)]
    table: Option<String>,
    /// That it is known what follows: the next run reads and delivers everything again.
    #[serde(default)]
    confirmed: bool,
}

pub(super) async fn list(call: Call<(), StateQuery>) -> Result<StateList, Refusal> {
    let store = &call.service.store;
    if let Some(sync) = &call.query.sync {
        known(&call.service, sync).await?;
    }
    let states = store.list_states(call.query.sync.as_deref()).await?;
    let states = states.iter().map(ShownState::of).collect::<Result<_>>()?;
    Ok(StateList { states })
}

pub(super) async fn show(call: Call<String>) -> Result<ShownSync, Refusal> {
    let sync = &call.path;
    let shown = ShownSync::of(call.service.store.as_ref(), sync).await?;
    match shown {
        Some(shown) => Ok(shown),
        None => {
            known(&call.service, sync).await?;
            Ok(ShownSync::nothing(sync))
        }
    }
}

pub(super) async fn set(call: Call<(String, String), Nothing, NewCursor>) -> Result<ShownReplacement, Refusal> {
    let (sync, table) = call.path;
    known(&call.service, &sync).await?;
    let kind = call.body.kind.as_deref().map(cursor_type).transpose();
    let kind = kind.map_err(|message| Refusal::bad_request(Error::config("cursor_type_invalid", message)))?;
    let wish = Wish {
        sync,
        table,
        value: call.body.value,
        column: call.body.column,
        cursor_type: kind,
    };
    Ok(set_cursor(call.service.store.as_ref(), wish, UnixMicros::now()).await?)
}

pub(super) async fn reset(call: Call<String, Nothing, ResetWish>) -> Result<ShownReset, Refusal> {
    let sync = call.path;
    let store = call.service.store.as_ref();
    known(&call.service, &sync).await?;
    if !call.body.confirmed {
        let message =
            format!("Forgetting the cursors of sync {sync} makes the next run read and deliver everything again");
        let error = Error::config("not_confirmed", message).with_remedy("Send `\"confirmed\": true` to do it.");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error));
    }
    let reset = store
        .reset_state(&sync, call.body.table.as_deref(), UnixMicros::now())
        .await?;
    Ok(ShownReset::of(sync, call.body.table, reset))
}

/// Refuses the name of a sync that is neither configured nor was ever run.
pub(super) async fn known(service: &Service, sync: &str) -> Result<()> {
    match service.daemon.view(sync) {
        Ok(_) => Ok(()),
        Err(_) => require_sync(service.store.as_ref(), sync).await,
    }
}
