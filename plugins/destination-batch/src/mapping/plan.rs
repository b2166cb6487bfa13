//! The plan of one table: which column is the custom id, which are attributes, and as what they go.

use std::collections::HashMap;

use longshore_sdk::{
    arrow::datatypes::{DataType, Field},
    prelude::*,
};

use super::{
    AttributeKind,
    key::{AttributeKey, KeyForm},
    refusal,
};
use crate::{
    encode::column::Column,
    limits::Limits,
    spec::{ColumnMapping, Kind, LateEvents, Nulls, Spec, Target},
    values::{native::Native, write_json_string},
};

/// The name that the conventions give to the cursor; it is never sent.
const CURSOR_BY_CONVENTION: &str = "last_updated_at";

/// What a table's rows become. Made from the table's columns and the specification alone, so that `prepare`, `write` and `preview` agree.
#[derive(Clone, Debug)]
pub(crate) struct TablePlan {
    pub(crate) table: String,
    /// Names of all columns.
    pub(crate) columns: Vec<String>,
    pub(crate) target: Target,
    pub(crate) nulls: Nulls,
    pub(crate) late_events: LateEvents,
    pub(crate) limits: Limits,
    /// Index of the column with the custom id.
    pub(crate) custom_id: usize,
    /// Index of the column with the event's name; present for events.
    pub(crate) event_name: Option<usize>,
    /// Index of the column with the event's time, if there is one.
    pub(crate) event_time: Option<usize>,
    /// In the order of the columns; the position is the attribute's slot.
    pub(crate) attributes: Vec<PlannedAttribute>,
    /// Indexes of the primary key's columns: they name a row whose custom id is of no use.
    pub(crate) primary_key: Vec<usize>,
    /// What the user should know.
    pub(crate) warnings: Vec<String>,
}

/// One column that becomes an attribute.
#[derive(Clone, Debug)]
pub(crate) struct PlannedAttribute {
    /// Index of the column.
    pub(crate) index: usize,
    pub(crate) column: String,
    /// The key as it is sent, such as `date(birthday)`.
    pub(crate) key: String,
    /// The bare name, such as `birthday`.
    pub(crate) name: String,
    /// The key as JSON with its colon, ready to be copied.
    pub(crate) prefix: Vec<u8>,
    pub(crate) kind: AttributeKind,
}

impl TablePlan {
    /// Plans a table.
    ///
    /// # Errors
    /// `column_missing`, `column_type_unsupported`, `attribute_name_invalid`, `attribute_name_collision`, `native_unknown`, `kind_unsupported`; each names
    /// table, column and remedy.
    pub(crate) fn new(table: &Table, spec: &Spec) -> Result<Self> {
        let planner = Planner {
            table,
            spec,
            limits: Limits::with(&spec.limits),
        };
        planner.plan()
    }

    /// The name of a column.
    pub(crate) fn column_name(&self, index: usize) -> String {
        self.columns.get(index).cloned().unwrap_or_default()
    }

    /// The slot of the attribute that the API calls so: as it was sent, or by its bare name.
    pub(crate) fn slot_of(&self, api_name: &str) -> Option<usize> {
        let by_key = self.attributes.iter().position(|attribute| attribute.key == api_name);
        by_key.or_else(|| self.attributes.iter().position(|attribute| attribute.name == api_name))
    }
}

struct Planner<'a> {
    table: &'a Table,
    spec: &'a Spec,
    limits: Limits,
}

impl Planner<'_> {
    fn plan(self) -> Result<TablePlan> {
        let (table, spec) = (self.table, self.spec);
        let events = spec.target == Target::ProfileEvents;
        let custom_id = self.required(&spec.custom_id, "custom_id")?;
        self.check_custom_id(custom_id)?;
        let event_name = if events {
            Some(self.required(&spec.event_name, "event_name")?)
        } else {
            None
        };
        if let Some(index) = event_name {
            self.check_event_name(index)?;
        }
        let event_time = if events {
            table.schema.index_of(&spec.event_time).ok()
        } else {
            None
        };
        if let Some(index) = event_time {
            self.check_event_time(index)?;
        }
        let roles = [Some(custom_id), event_name, event_time];
        let mut attributes = Vec::new();
        let mut warnings = self.unknown_mappings();
        for (index, field) in table.schema.fields().iter().enumerate() {
            if roles.contains(&Some(index)) || self.is_left_out(field.name()) {
                continue;
            }
            attributes.push(self.attribute(index, field)?);
        }
        self.check_collisions(&attributes)?;
        warnings.extend(self.advice(&attributes));
        if events && event_time.is_none() {
            let column = &spec.event_time;
            warnings.push(format!(
                "Table {} has no column {column}: Batch stamps its events with the time of reception.",
                table.name
            ));
        }
        let primary_key = table
            .primary_key
            .iter()
            .filter_map(|column| table.schema.index_of(column).ok())
            .collect();
        Ok(TablePlan {
            table: table.name.clone(),
            columns: table.schema.fields().iter().map(|field| field.name().clone()).collect(),
            target: spec.target,
            nulls: spec.nulls,
            late_events: spec.late_events,
            limits: self.limits,
            custom_id,
            event_name,
            event_time,
            attributes,
            primary_key,
            warnings,
        })
    }

    fn required(&self, column: &str, role: &str) -> Result<usize> {
        self.table
            .schema
            .index_of(column)
            .map_err(|_| refusal::column_missing(self.table, self.spec.target, column, role))
    }

    /// A custom id is text, or something with exactly one text: a whole number or a UUID.
    fn check_custom_id(&self, index: usize) -> Result<()> {
        let field = self.table.schema.field(index);
        let usable = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::FixedSizeBinary(16) => {
                Column::supports(field)
            }
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => *scale == 0,
            data_type => data_type.is_integer(),
        };
        if usable {
            Ok(())
        } else {
            Err(refusal::role_type(
                self.table,
                field,
                "custom id",
                "text, a whole number or a UUID",
            ))
        }
    }

    /// A name is text, or JSON of a string: what else has a text has none that is a name.
    fn check_event_name(&self, index: usize) -> Result<()> {
        let field = self.table.schema.field(index);
        match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(()),
            _ => Err(refusal::role_type(self.table, field, "name of an event", "text")),
        }
    }

    fn check_event_time(&self, index: usize) -> Result<()> {
        let field = self.table.schema.field(index);
        match field.data_type() {
            DataType::Timestamp(..)
            | DataType::Date32
            | DataType::Date64
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Null => Ok(()),
            _ => Err(refusal::role_type(
                self.table,
                field,
                "time of an event",
                "a timestamp, a date, or RFC 3339 text",
            )),
        }
    }

    /// Columns that are not sent: ignored ones, and the cursor unless it is mapped on purpose.
    fn is_left_out(&self, column: &str) -> bool {
        match self.spec.mapping.get(column) {
            Some(mapping) => mapping.ignore,
            None => column == CURSOR_BY_CONVENTION || self.table.cursor.as_deref() == Some(column),
        }
    }

    fn attribute(&self, index: usize, field: &Field) -> Result<PlannedAttribute> {
        let unmapped = ColumnMapping::default();
        let mapping = self.spec.mapping.get(field.name()).unwrap_or(&unmapped);
        let key = self.key(field.name(), mapping)?;
        let kind = self.kind(field.name(), &key, mapping.kind)?;
        if !Column::supports(field) {
            return Err(refusal::column_type(self.table, field));
        }
        if !can_become(field.data_type(), kind, self.spec.target) {
            return Err(refusal::kind(self.table, field, &key, self.spec.target));
        }
        let sent = key.to_string();
        let mut prefix = Vec::with_capacity(sent.len() + 3);
        write_json_string(&mut prefix, &sent);
        prefix.push(b':');
        Ok(PlannedAttribute {
            index,
            column: field.name().clone(),
            key: sent,
            name: key.name,
            prefix,
            kind,
        })
    }

    fn key(&self, column: &str, mapping: &ColumnMapping) -> Result<AttributeKey> {
        let name = mapping.name.as_deref().unwrap_or(column);
        let by_convention = AttributeKey::by_convention(name, &self.limits);
        let key = match mapping.kind {
            None => by_convention,
            Some(kind) => {
                // The kind decides the form; a prefix of the convention is taken off, not doubled.
                let bare = by_convention.map_or_else(|| name.to_owned(), |key| key.name);
                let form = match kind {
                    Kind::Date => KeyForm::Date,
                    Kind::Url => KeyForm::Url,
                    Kind::Native => KeyForm::Native,
                    Kind::String | Kind::Integer | Kind::Float | Kind::Boolean | Kind::StringArray | Kind::Object => {
                        KeyForm::Plain
                    }
                };
                AttributeKey::new(form, &bare, &self.limits)
            }
        };
        key.ok_or_else(|| refusal::name(self.table, column, name, &self.limits))
    }

    fn kind(&self, column: &str, key: &AttributeKey, asked: Option<Kind>) -> Result<AttributeKind> {
        let native = || match (self.spec.target, key.name.as_str()) {
            (Target::ProfileEvents, "label") => Ok(AttributeKind::Label),
            (Target::ProfileEvents, "tags") => Ok(AttributeKind::Tags),
            (Target::ProfileEvents, _) => Err(refusal::native_unknown(self.table, column, &["label", "tags"])),
            (Target::ProfileAttributes, name) => Native::named(name).map(AttributeKind::Native).ok_or_else(|| {
                let known: Vec<&str> = Native::ALL.iter().map(|(name, _)| *name).collect();
                refusal::native_unknown(self.table, column, &known)
            }),
        };
        match asked {
            Some(Kind::String) => Ok(AttributeKind::String),
            Some(Kind::Integer) => Ok(AttributeKind::Integer),
            Some(Kind::Float) => Ok(AttributeKind::Float),
            Some(Kind::Boolean) => Ok(AttributeKind::Boolean),
            Some(Kind::StringArray) => Ok(AttributeKind::StringArray),
            Some(Kind::Object) => Ok(AttributeKind::Object),
            Some(Kind::Date) => Ok(AttributeKind::Date),
            Some(Kind::Url) => Ok(AttributeKind::Url),
            Some(Kind::Native) => native(),
            None => match key.form {
                KeyForm::Plain => Ok(AttributeKind::ByType),
                KeyForm::Date => Ok(AttributeKind::Date),
                KeyForm::Url => Ok(AttributeKind::Url),
                KeyForm::Native => native(),
            },
        }
    }

    /// Two columns for one name: the API tells `x`, `date(x)` and `url(x)` apart by type only, so they are one name too.
    fn check_collisions(&self, attributes: &[PlannedAttribute]) -> Result<()> {
        let mut seen: HashMap<(bool, &str), &str> = HashMap::new();
        for attribute in attributes {
            let native = attribute.key.starts_with('$');
            if let Some(other) = seen.insert((native, &attribute.name), &attribute.column) {
                return Err(refusal::collision(self.table, other, &attribute.column, &attribute.key));
            }
        }
        Ok(())
    }

    /// A mapping for a column that the table lacks may be meant for another table, or be a slip.
    fn unknown_mappings(&self) -> Vec<String> {
        let missing = self
            .spec
            .mapping
            .keys()
            .filter(|column| self.table.schema.index_of(column).is_err());
        missing
            .map(|column| {
                format!(
                    "`mapping` names column {column}, which table {} does not have.",
                    self.table.name
                )
            })
            .collect()
    }

    fn advice(&self, attributes: &[PlannedAttribute]) -> Vec<String> {
        let table = &self.table.name;
        let most = match self.spec.target {
            Target::ProfileAttributes => self.limits.attributes_per_operation,
            Target::ProfileEvents => self.limits.attributes_per_object,
        };
        let mut advice = Vec::new();
        if attributes.len() > most {
            advice.push(format!(
                "Table {table} has {} attribute columns and Batch takes {most} at once: of rows with more values, those beyond are rejected.",
                attributes.len()
            ));
        }
        for attribute in attributes {
            let data_type = self.table.schema.field(attribute.index).data_type();
            let is_time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
            if is_time && attribute.kind == AttributeKind::ByType {
                let column = &attribute.column;
                advice.push(format!(
                    "Column {column} of table {table} is a date but goes as text: name it date__{column}, or set `mapping: {{{column}: {{kind: date}}}}`."
                ));
            }
        }
        advice
    }
}

/// Whether values of a type can be of a kind at all. What depends on the single value is checked with the value.
fn can_become(data_type: &DataType, kind: AttributeKind, target: Target) -> bool {
    let is_text = matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
    );
    let is_object = matches!(data_type, DataType::Struct(_) | DataType::Map(..));
    let list_item = match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => Some(item.data_type()),
        DataType::ListView(item) | DataType::LargeListView(item) => Some(item.data_type()),
        _ => None,
    };
    let list_of_objects = list_item.is_some_and(|item| matches!(item, DataType::Struct(_) | DataType::Map(..)));
    let list_of_lists = list_item.is_some_and(DataType::is_list);
    let list_of_scalars = list_item.is_some() && !list_of_objects && !list_of_lists;
    let is_scalar = !is_object && list_item.is_none();
    let is_time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
    match kind {
        AttributeKind::ByType => {
            is_scalar || list_of_scalars || (target == Target::ProfileEvents && (is_object || list_of_objects))
        }
        AttributeKind::String => true,
        AttributeKind::Integer | AttributeKind::Float | AttributeKind::Boolean => is_scalar && !is_time,
        AttributeKind::Date => is_text || is_time,
        AttributeKind::Url => is_text,
        AttributeKind::Native(Native::TopicPreferences) | AttributeKind::StringArray | AttributeKind::Tags => {
            is_text || list_of_scalars
        }
        AttributeKind::Native(_) | AttributeKind::Label => is_scalar,
        AttributeKind::Object => target == Target::ProfileEvents && (is_text || is_object || list_of_objects),
    }
}

#[cfg(test)]
mod tests;
