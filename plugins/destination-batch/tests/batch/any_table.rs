//! Whatever a table holds, the sandbox takes every request in full: nothing is sent that the API is known to refuse. What an `$add` makes of the array
//! that a profile has already is known to Batch alone; where that becomes too long, the row's reject says so.
//!
//! Tables are made of columns of every Arrow type in every role that `prepare` allows, filled at random with texts, numbers and documents of every kind
//! and size. What was sent and which rules refused something is noted: a form, a type, a role or a rule that was not reached fails the test.

#[path = "any_table/columns.rs"]
mod columns;
#[path = "any_table/reached.rs"]
mod reached;
#[path = "any_table/roles.rs"]
mod roles;
#[path = "any_table/texts.rs"]
mod texts;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::{Arc, Mutex},
};

use longshore_batch_sandbox::{Running, Violation, limits::ARRAY_ITEMS};
use longshore_sdk::{
    arrow::{
        array::{ArrayRef, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray},
        datatypes::{DataType, Field, Schema, UnionFields, UnionMode},
    },
    harness::{DestinationHarness, Written},
    prelude::*,
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    strategy::{BoxedStrategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Value as Json, json};
use tokio::runtime::Runtime;

use self::{
    columns::{ColumnType, every_type, extended},
    reached::{FORMS, Reached, rules},
    roles::Role,
};
use crate::rows::{destination, project, sandbox, spec};

const ROWS: usize = 40;
const RANDOM_TABLES: u32 = 60;
/// Tables for each group of columns when all are gone through.
const TABLES_OF_A_GROUP: u32 = 3;
const COLUMNS_OF_A_GROUP: usize = 8;

/// A column that `prepare` lets through: an index among the types, and a role.
type Choice = (usize, Role);

/// A table of one target, ready to be written.
#[derive(Clone, Debug)]
struct Case {
    changes: Json,
    /// The columns that say whose row it is, what happened and when.
    own: Vec<(&'static str, ArrayRef)>,
    columns: Vec<(Choice, ArrayRef)>,
}

/// One target, and what its tables can be made of.
struct Target {
    name: &'static str,
    mode: WriteMode,
    variants: Vec<Json>,
    types: Vec<ColumnType>,
    allowed: Vec<Choice>,
    runtime: Runtime,
    reached: Mutex<Reached>,
}

fn sample(columns: &BoxedStrategy<ArrayRef>) -> ArrayRef {
    columns.new_tree(&mut TestRunner::default()).unwrap().current()
}

fn cells(values: BoxedStrategy<String>) -> BoxedStrategy<ArrayRef> {
    vec(option::weighted(0.9, values), ROWS)
        .prop_map(|values| Arc::new(StringArray::from(values)) as ArrayRef)
        .boxed()
}

fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_micros()).unwrap()
}

/// From two days ago to two minutes ahead, and times that are none.
fn times() -> BoxedStrategy<ArrayRef> {
    let offsets = vec(option::weighted(0.85, -172_800_000_000_i64..120_000_000), ROWS);
    let instants = offsets.prop_map(|offsets| {
        let times = offsets.into_iter().map(|offset| offset.map(|offset| now_us() + offset));
        Arc::new(times.collect::<TimestampMicrosecondArray>()) as ArrayRef
    });
    let today = vec(option::of(-2_i32..1), ROWS).prop_map(|days| {
        let today = i32::try_from(now_us() / 86_400_000_000).unwrap();
        let days = days.into_iter().map(|day| day.map(|day| today + day));
        Arc::new(days.collect::<Date32Array>()) as ArrayRef
    });
    let far = vec(any::<i64>(), ROWS).prop_map(|times| Arc::new(TimestampMicrosecondArray::from(times)) as ArrayRef);
    prop_oneof![4 => instants, 1 => today, 1 => far, 1 => cells(texts::any_text())].boxed()
}

/// Each profile a few times, or all rows of one.
fn ids() -> BoxedStrategy<ArrayRef> {
    let one = Just(Arc::new(StringArray::from(vec!["u1"; ROWS])) as ArrayRef);
    prop_oneof![4 => cells(texts::custom_ids()), 1 => one].boxed()
}

fn own_columns(target: &str) -> BoxedStrategy<Vec<(&'static str, ArrayRef)>> {
    if target == "profile_attributes" {
        return ids().prop_map(|ids| vec![("custom_id", ids)]).boxed();
    }
    let names = select(vec!["bought", "seen", "a23456789012345678901234567890"]).prop_map(str::to_owned);
    let bad = select(vec!["Bad Name", "", "a234567890123456789012345678901"]).prop_map(str::to_owned);
    let names = cells(prop_oneof![8 => names, 1 => bad].boxed());
    (ids(), names, option::weighted(0.9, times()))
        .prop_map(|(ids, names, times)| {
            let own = vec![("custom_id", ids), ("event_name", names)];
            own.into_iter()
                .chain(times.map(|times| ("event_time", times)))
                .collect()
        })
        .boxed()
}

impl Target {
    fn new(name: &'static str, mode: WriteMode, variants: Vec<Json>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let types = every_type(ROWS);
        let allowed = runtime.block_on(allowed(name, &types));
        Self {
            name,
            mode,
            variants,
            types,
            allowed,
            runtime,
            reached: Mutex::default(),
        }
    }

    /// Tables with these columns.
    fn tables_of(&self, choices: &[Choice]) -> BoxedStrategy<Case> {
        let columns: Vec<_> = choices
            .iter()
            .map(|(index, _)| self.types[*index].columns.clone())
            .collect();
        let choices = choices.to_vec();
        (select(self.variants.clone()), own_columns(self.name), columns)
            .prop_map(move |(changes, own, arrays)| Case {
                changes,
                own,
                columns: choices.iter().copied().zip(arrays).collect(),
            })
            .boxed()
    }

    /// Each column that is allowed, in some group of columns that can stand beside each other.
    fn groups(&self) -> Vec<Vec<Choice>> {
        let mut groups: Vec<Vec<Choice>> = Vec::new();
        for choice in &self.allowed {
            let has_room = |group: &&mut Vec<Choice>| {
                group.len() < COLUMNS_OF_A_GROUP && group.iter().all(|(_, role)| role.goes_with(choice.1))
            };
            match groups.iter_mut().find(has_room) {
                Some(group) => group.push(*choice),
                None => groups.push(vec![*choice]),
            }
        }
        groups
    }

    /// More columns than an operation can carry: more arrays first, then whole numbers.
    fn wide_table(&self) -> Vec<Choice> {
        let of_type = |name: &str| self.types.iter().position(|known| known.name == name).unwrap();
        let kinds = [(of_type("list of numbers"), 40), (of_type("int64"), 45)];
        kinds
            .into_iter()
            .flat_map(|(index, count)| std::iter::repeat_n((index, Role::ByType), count))
            .collect()
    }

    /// Writes tables that are the same in each run, so that what they reach is too, or others each time.
    fn run(&self, tables: &BoxedStrategy<Case>, cases: u32, seed: Option<u8>) {
        let config = Config {
            cases,
            failure_persistence: None,
            max_shrink_iters: 200,
            ..Config::default()
        };
        let mut runner = match seed {
            Some(seed) => TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])),
            None => TestRunner::new(config),
        };
        let result = runner.run(tables, |case| self.runtime.block_on(self.check(&case)));
        result.unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Writes a table, and judges what arrived.
    async fn check(&self, case: &Case) -> Result<(), TestCaseError> {
        let running = sandbox(|options| options.kept_bodies = 1_000).await;
        let harness = destination(spec(running.address(), self.name, &case.spec_changes())).await;
        let (table, batch) = case.table(&self.types);
        let written = harness
            .write(table, self.mode, &[batch])
            .await
            .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        let violations = running.sandbox().violations();
        prop_assert_eq!(violations.count, violations.first.len() as u64);
        let (outgrown, foreseeable): (Vec<_>, Vec<_>) = violations
            .first
            .iter()
            .partition(|violation| is_of_an_array_that_outgrew_its_profile(violation, &running));
        prop_assert!(foreseeable.is_empty(), "{:?}", foreseeable.first());
        let told = written.rejects.iter().filter(|reject| {
            reject.rule == "refused_by_batch_attribute" && !reject.whole_row && !reject.column.is_empty()
        });
        prop_assert_eq!(told.count(), outgrown.len());
        let counts = project(&running).counts();
        prop_assert_eq!(counts.overlapping_operations, 0);
        prop_assert_eq!(written.counts.total(), ROWS as u64);
        let refused = written.rejects.iter().filter(|reject| reject.whole_row).count();
        prop_assert_eq!(written.counts.rejected, refused as u64);
        let is_nameless = |reject: &&longshore_sdk::protocol::v1::Reject| {
            reject.rule.is_empty() || (!reject.whole_row && reject.column.is_empty())
        };
        let nameless = written.rejects.iter().find(is_nameless);
        prop_assert!(nameless.is_none(), "{:?}", nameless);
        if self.name == "profile_events" {
            prop_assert_eq!(counts.events as u64, written.counts.delivered);
        }
        let reached = self.reached_by(case, &running, &written);
        self.reached.lock().unwrap().add(reached);
        running.stop().await;
        Ok(())
    }

    fn reached_by(&self, case: &Case, running: &Running, written: &Written) -> Reached {
        let columns: BTreeMap<_, _> = case
            .columns
            .iter()
            .enumerate()
            .map(|(place, ((index, role), _))| {
                (role.name(place), (self.types[*index].name.clone(), format!("{role:?}")))
            })
            .collect();
        let mut reached = Reached::default();
        for request in running.sandbox().requests(0, usize::MAX) {
            let body = running
                .sandbox()
                .request_body(request.sequence)
                .expect("every body is kept");
            reached.look_at(&serde_json::from_slice(&body).unwrap(), &columns);
        }
        let operations = project(running).counts().operations;
        reached.note_if(operations < written.counts.delivered, "several rows in one operation");
        reached
            .rules
            .extend(written.rejects.iter().map(|reject| reject.rule.clone()));
        reached
    }

    /// All of it.
    fn try_everything(self) -> Tried {
        for (group, seed) in self.groups().iter().zip(0..) {
            self.run(&self.tables_of(group), TABLES_OF_A_GROUP, Some(seed));
        }
        let wide_tables = self.tables_of(&self.wide_table()).prop_map(Case::with_a_row_a_profile);
        self.run(&wide_tables.boxed(), 4 * TABLES_OF_A_GROUP, Some(0));
        let target = Rc::new(self);
        let any_columns = vec(select(target.allowed.clone()), 1..12).prop_map(|choices| {
            let mut kept: Vec<Choice> = Vec::new();
            for choice in choices {
                if kept.iter().all(|(_, role)| role.goes_with(choice.1)) {
                    kept.push(choice);
                }
            }
            kept
        });
        let of_target = Rc::clone(&target);
        let tables = any_columns.prop_flat_map(move |choices| of_target.tables_of(&choices));
        target.run(&tables.boxed(), RANDOM_TABLES, None);
        let reached = std::mem::take(&mut *target.reached.lock().unwrap());
        Tried {
            reached,
            roles: target.allowed.iter().map(|(_, role)| format!("{role:?}")).collect(),
            types: target.types.iter().map(|known| known.name.clone()).collect(),
        }
    }
}

/// Whether Batch refused what an `$add` would have made of an array that the profile had before.
fn is_of_an_array_that_outgrew_its_profile(violation: &Violation, running: &Running) -> bool {
    let Some(error) = &violation.error else {
        return false;
    };
    let body = running
        .sandbox()
        .request_body(violation.request)
        .expect("every body is kept");
    let request: Json = serde_json::from_slice(&body).unwrap();
    let attribute = error.attribute.as_deref().unwrap_or_default();
    let sent = &request[error.bulk_index]["attributes"][attribute];
    sent.get("$add").is_some() && error.reason == format!("the array would have more than {ARRAY_ITEMS} items")
}

/// What one target was tried with, and what that reached.
struct Tried {
    reached: Reached,
    roles: BTreeSet<String>,
    types: BTreeSet<String>,
}

impl Case {
    /// How many arrays a profile has had before is known to Batch alone.
    fn with_a_row_a_profile(mut self) -> Self {
        let ids: StringArray = (0..ROWS).map(|row| Some(format!("w{row}"))).collect();
        self.own[0] = ("custom_id", Arc::new(ids));
        self
    }

    /// The changes to the specification, with what `mapping` says of the columns; one more column is there and ignored.
    fn spec_changes(&self) -> Json {
        let mapped = self.columns.iter().enumerate().filter_map(|(place, ((_, role), _))| {
            let mapping = role.mapping()?;
            Some((role.column(place), mapping))
        });
        let mut mapping: Map<String, Json> = mapped.collect();
        mapping.insert("left out".to_owned(), json!({ "ignore": true }));
        let mut changes = self.changes.clone();
        changes["mapping"] = mapping.into();
        changes
    }

    fn table(&self, types: &[ColumnType]) -> (Table, RecordBatch) {
        let own = self
            .own
            .iter()
            .map(|(name, array)| (Field::new(*name, array.data_type().clone(), true), array.clone()));
        let columns = self.columns.iter().enumerate().map(|(place, ((index, role), array))| {
            let field = Field::new(role.column(place), array.data_type().clone(), true);
            (extended(field, types[*index].extension), array.clone())
        });
        let ignored = Arc::new(StringArray::from(vec!["x".repeat(400); ROWS])) as ArrayRef;
        let ignored = (Field::new("left out", DataType::Utf8, true), ignored);
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = own.chain(columns).chain([ignored]).unzip();
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
        (Table::new("shop", schema), batch)
    }
}

/// Prepares a table with one column of this type in this role.
async fn prepare(target: &str, field: Field, mapping: Option<Json>) -> Result<(), Error> {
    let mapping = mapping.map(|mapping| (field.name().clone(), mapping));
    let changes = json!({ "mapping": mapping.into_iter().collect::<Map<String, Json>>() });
    let harness: DestinationHarness = destination(spec("127.0.0.1:9", target, &changes)).await;
    let own = ["custom_id", "event_name"].map(|name| Field::new(name, DataType::Utf8, true));
    let fields: Vec<Field> = own.into_iter().chain([field]).collect();
    let table = Table::new("shop", Arc::new(Schema::new(fields)));
    harness.prepare(table, None).await.map(drop)
}

/// What `prepare` lets through: every type in every role is asked for.
async fn allowed(target: &str, types: &[ColumnType]) -> Vec<Choice> {
    let mut allowed = Vec::new();
    for role in Role::every(target) {
        for (index, column_type) in types.iter().enumerate() {
            let data_type = sample(&column_type.columns).data_type().clone();
            let field = extended(Field::new(role.column(0), data_type, true), column_type.extension);
            match prepare(target, field, role.mapping()).await {
                Ok(()) => allowed.push((index, role)),
                Err(error) => assert_eq!(
                    error.code, "kind_unsupported",
                    "{} as {role:?}: {error:?}",
                    column_type.name
                ),
            }
        }
    }
    allowed
}

/// The name of a type, without its parameters: the compiler sees to it that none is forgotten.
fn variant(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "Null",
        DataType::Boolean => "Boolean",
        DataType::Int8 => "Int8",
        DataType::Int16 => "Int16",
        DataType::Int32 => "Int32",
        DataType::Int64 => "Int64",
        DataType::UInt8 => "UInt8",
        DataType::UInt16 => "UInt16",
        DataType::UInt32 => "UInt32",
        DataType::UInt64 => "UInt64",
        DataType::Float16 => "Float16",
        DataType::Float32 => "Float32",
        DataType::Float64 => "Float64",
        DataType::Timestamp(..) => "Timestamp",
        DataType::Date32 => "Date32",
        DataType::Date64 => "Date64",
        DataType::Time32(_) => "Time32",
        DataType::Time64(_) => "Time64",
        DataType::Duration(_) => "Duration",
        DataType::Interval(_) => "Interval",
        DataType::Binary => "Binary",
        DataType::FixedSizeBinary(_) => "FixedSizeBinary",
        DataType::LargeBinary => "LargeBinary",
        DataType::BinaryView => "BinaryView",
        DataType::Utf8 => "Utf8",
        DataType::LargeUtf8 => "LargeUtf8",
        DataType::Utf8View => "Utf8View",
        DataType::List(_) => "List",
        DataType::ListView(_) => "ListView",
        DataType::FixedSizeList(..) => "FixedSizeList",
        DataType::LargeList(_) => "LargeList",
        DataType::LargeListView(_) => "LargeListView",
        DataType::Struct(_) => "Struct",
        DataType::Union(..) => "Union",
        DataType::Dictionary(..) => "Dictionary",
        DataType::Decimal32(..) => "Decimal32",
        DataType::Decimal64(..) => "Decimal64",
        DataType::Decimal128(..) => "Decimal128",
        DataType::Decimal256(..) => "Decimal256",
        DataType::Map(..) => "Map",
        DataType::RunEndEncoded(..) => "RunEndEncoded",
    }
}

/// Types that have no form in Batch.
fn formless() -> Vec<DataType> {
    let field = |name: &str, data_type: DataType| Arc::new(Field::new(name, data_type, true));
    let fields = UnionFields::from_fields(vec![field("a", DataType::Utf8)]);
    vec![
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        DataType::FixedSizeBinary(5),
        DataType::Union(fields, UnionMode::Sparse),
        DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            field("values", DataType::Utf8),
        ),
        DataType::List(field("item", DataType::Binary)),
    ]
}

#[test]
fn any_table_is_taken_in_full_and_everything_that_a_table_can_hold_was_tried() {
    let profiles = || {
        let variants = vec![json!({}), json!({ "nulls": "unset" })];
        Target::new("profile_attributes", WriteMode::Overwrite, variants).try_everything()
    };
    let events = || {
        let variants = ["reject", "send_without_time", "skip"].map(|policy| json!({ "late_events": policy }));
        Target::new("profile_events", WriteMode::Append, variants.to_vec()).try_everything()
    };
    let [of_profiles, of_events] = std::thread::scope(|scope| {
        let threads = [scope.spawn(profiles), scope.spawn(events)];
        threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let mut reached = Reached::default();
    let mut missing = BTreeSet::new();
    for tried in [of_profiles, of_events] {
        let roles = tried.roles.difference(&tried.reached.roles);
        missing.extend(roles.map(|role| format!("role {role}")));
        // NULL has no value to send; the others go in one of the two targets at least.
        let types = tried.types.iter().filter(|name| *name != "null");
        missing.extend(types.map(|name| format!("type {name}")));
        reached.add(tried.reached);
    }
    missing.extend(FORMS.map(|form| format!("form {form}")));
    missing.extend(rules().into_iter().map(|rule| format!("rule {rule}")));
    for (what, names) in [("type", &reached.types), ("rule", &reached.rules)] {
        for name in names {
            missing.remove(&format!("{what} {name}"));
        }
    }
    for form in &reached.forms {
        missing.remove(&format!("form {form}"));
    }
    assert_eq!(missing, BTreeSet::new(), "never reached");
}

#[test]
fn every_arrow_type_is_either_tried_or_refused_before_a_row_is_read() {
    const VARIANTS: usize = 41;
    let runtime = Runtime::new().unwrap();
    let tried = every_type(1);
    let tried = tried.iter().map(|known| variant(sample(&known.columns).data_type()));
    let mut found: BTreeSet<&str> = tried.collect();
    // Batches travel without dictionaries: such a schema is refused before it gets here.
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    found.insert(variant(&dictionary));
    let error = runtime.block_on(prepare("profile_events", Field::new("x", dictionary, true), None));
    assert_eq!(error.unwrap_err().code, "schema_unwritable");
    for data_type in formless() {
        found.insert(variant(&data_type));
        for target in ["profile_attributes", "profile_events"] {
            let field = Field::new("x", data_type.clone(), true);
            let error = runtime.block_on(prepare(target, field.clone(), None)).unwrap_err();
            assert_eq!(error.code, "column_type_unsupported", "{data_type}");
            assert!(error.remedy.contains("ignore: true"), "{}", error.remedy);
            let ignored = runtime.block_on(prepare(target, field, Some(json!({ "ignore": true }))));
            assert!(ignored.is_ok(), "{data_type}: {ignored:?}");
        }
    }
    assert_eq!(found.len(), VARIANTS, "{found:?}");
}
