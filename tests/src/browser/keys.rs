//! Keys that write no character.

use serde_json::{Value, json};

const SHIFT: char = '\u{e008}';

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// To the next control.
    Tab,
    /// To the one before.
    BackTab,
    /// Does what a control is for.
    Enter,
    /// Ticks and presses.
    Space,
    /// Closes a dialog.
    Escape,
}

impl Key {
    /// As the WebDriver protocol presses it.
    pub(super) fn strokes(self) -> Vec<Value> {
        let key = match self {
            Self::Tab | Self::BackTab => '\u{e004}',
            Self::Enter => '\u{e007}',
            Self::Space => ' ',
            Self::Escape => '\u{e00c}',
        };
        match self {
            Self::BackTab => vec![down(SHIFT), down(key), up(key), up(SHIFT)],
            _ => vec![down(key), up(key)],
        }
    }
}

pub(super) fn down(key: char) -> Value {
    json!({ "type": "keyDown", "value": key })
}

pub(super) fn up(key: char) -> Value {
    json!({ "type": "keyUp", "value": key })
}
