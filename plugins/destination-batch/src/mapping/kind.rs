//! What a planned attribute becomes.

use crate::values::native::Native;

/// What a column's values become. Decided once per table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttributeKind {
    /// By the value's own type: string, number or boolean; JSON text of an array or an object becomes one.
    ByType,
    /// Text, whatever the type.
    String,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Float,
    /// `true` or `false`.
    Boolean,
    /// An instant.
    Date,
    /// A URL.
    Url,
    /// One of Batch's own.
    Native(Native),
    /// An array of strings.
    StringArray,
    /// An object or an array of objects.
    Object,
    /// An event's `$label`.
    Label,
    /// An event's `$tags`.
    Tags,
}
