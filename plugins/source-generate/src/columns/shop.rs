//! A small shop: what its customers are and what they do, in the columns that Batch's conventions know.

use std::{ops::Range, sync::Arc};

use longshore_sdk::arrow::{
    array::{ArrayRef, BooleanArray, Date32Array, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Float64Type, Int32Type},
};

use super::{Cells, Make, instant, last_updated_at, numbers, text, text_or_null};

/// Customers that events belong to; a table of profiles with at least as many rows holds them all.
const CUSTOMERS: u64 = 20_000;

const ITEMS: &[&str] = &[
    "Anchor", "Compass", "Hammock", "Lantern", "Oilskin", "Rope", "Sextant", "Teapot",
];
const EVENTS: &[&str] = &["page_view", "add_to_cart", "purchase", "wishlist"];
const PLANS: &[&str] = &["free", "plus", "family"];
const COUNTRIES: &[&str] = &["BR", "DE", "FR", "IN", "JP", "KE", "US", "VN"];
const INTERESTS: &[&str] = &[
    "[]",
    r#"["sailing"]"#,
    r#"["sailing","maps"]"#,
    r#"["tea","knots","birds"]"#,
];

/// Birthdays lie within so many days from 1970 on.
const BIRTHDAY_DAYS: u64 = 13_000;

const SECOND: i64 = 1_000_000;

pub(super) fn events() -> Vec<(Field, Make)> {
    vec![
        (Field::new("custom_id", DataType::Utf8, false), |cells, ids| {
            text(ids, 14, |to, id| {
                write!(to, "customer-{}", cells.hash(id) % CUSTOMERS + 1)
            })
        }),
        (Field::new("event_name", DataType::Utf8, false), |cells, ids| {
            text(ids, 12, |to, id| to.write_str(cells.pick(id, EVENTS)))
        }),
        (Field::new("event_time", instant(), false), last_updated_at),
        (Field::new("item", DataType::Utf8, true), |cells, ids| {
            text_or_null(ids, 8, |to, id| {
                (!cells.is_null(id, 10)).then(|| to.write_str(cells.pick(id, ITEMS)))
            })
        }),
        (Field::new("quantity", DataType::Int32, true), |cells, ids| {
            numbers::<Int32Type>(ids, |id| {
                (!cells.is_null(id, 10)).then(|| (cells.hash(id) % 9) as i32 + 1)
            })
        }),
        (Field::new("price", DataType::Float64, true), prices),
        (Field::new("url__item_url", DataType::Utf8, true), |cells, ids| {
            text_or_null(ids, 40, |to, id| {
                (!cells.is_null(id, 20)).then(|| write!(to, "https://shop.example/items/{}", cells.hash(id) % 5_000))
            })
        }),
        (Field::new("date__purchased_at", instant(), true), |cells, ids| {
            let cell =
                |id| (!cells.is_null(id, 4)).then(|| cells.updated_at(id) - (cells.hash(id) % 60) as i64 * SECOND);
            Arc::new(
                ids.map(cell)
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            )
        }),
        (Field::new("product_details", DataType::Utf8, true), |cells, ids| {
            text_or_null(ids, 40, |to, id| {
                let hash = cells.hash(id);
                (!cells.is_null(id, 10)).then(|| {
                    let (weight, gift) = (hash % 900 + 1, hash & 1024 == 0);
                    write!(to, r#"{{"weight_g":{weight},"gift":{gift}}}"#)
                })
            })
        }),
    ]
}

pub(super) fn profiles() -> Vec<(Field, Make)> {
    vec![
        (Field::new("custom_id", DataType::Utf8, false), |_, ids| {
            text(ids, 14, |to, id| write!(to, "customer-{id}"))
        }),
        (
            Field::new("batch__email_address", DataType::Utf8, true),
            |cells, ids| {
                text_or_null(ids, 30, |to, id| {
                    (!cells.is_null(id, 20)).then(|| write!(to, "customer-{id}@mail.example"))
                })
            },
        ),
        (Field::new("plan", DataType::Utf8, false), |cells, ids| {
            text(ids, 6, |to, id| to.write_str(cells.pick(id, PLANS)))
        }),
        (Field::new("country", DataType::Utf8, true), |cells, ids| {
            text_or_null(ids, 2, |to, id| {
                (!cells.is_null(id, 30)).then(|| to.write_str(cells.pick(id, COUNTRIES)))
            })
        }),
        (Field::new("lifetime_value", DataType::Float64, true), prices),
        (Field::new("is_vip", DataType::Boolean, false), |cells, ids| {
            let cell = |id| Some(cells.hash(id).is_multiple_of(50));
            Arc::new(ids.map(cell).collect::<BooleanArray>())
        }),
        (Field::new("interests", DataType::Utf8, true), |cells, ids| {
            text_or_null(ids, 20, |to, id| {
                (!cells.is_null(id, 10)).then(|| to.write_str(cells.pick(id, INTERESTS)))
            })
        }),
        (Field::new("url__avatar", DataType::Utf8, true), |cells, ids| {
            text_or_null(ids, 40, |to, id| {
                (!cells.is_null(id, 3)).then(|| write!(to, "https://img.example/{:016x}.png", cells.hash(id)))
            })
        }),
        (Field::new("date__birthday", DataType::Date32, true), |cells, ids| {
            let cell = |id| (!cells.is_null(id, 5)).then(|| (cells.hash(id) % BIRTHDAY_DAYS) as i32);
            Arc::new(ids.map(cell).collect::<Date32Array>())
        }),
    ]
}

/// Amounts with two decimals.
fn prices(cells: &Cells, ids: Range<u64>) -> ArrayRef {
    numbers::<Float64Type>(ids, |id| {
        (!cells.is_null(id, 20)).then(|| (cells.hash(id) % 100_000) as f64 / 100.0)
    })
}
