//! The list.

use longshore_tests::pace::Endpoint;

use super::{From, Group, Order, Scenario, Sync, Target, To, Work};
use crate::{
    stage::Transport::{Socket, Tcp},
    table::Table,
};

/// Partitions in flight where that is what is compared.
const CONCURRENCIES: [u8; 3] = [1, 2, 4];

/// As a configuration that says nothing has it.
const USUAL_CONCURRENCY: u8 = 2;

/// Programs of `bench/peers` that send what they read to the null endpoint.
const SENDING_PEERS: [&str; 2] = ["dlt_http", "plain_loop"];

/// Whether a program of `bench/peers` sends what it reads.
pub(super) fn sends(program: &str) -> bool {
    SENDING_PEERS.contains(&program)
}

/// Every scenario, ceilings first within each group. `large`: with those that take tens of millions of rows.
pub(crate) fn all(large: bool) -> Vec<Scenario> {
    let mut scenarios = discard();
    scenarios.extend(batch());
    scenarios.extend(incremental());
    scenarios.extend(peers());
    scenarios.extend(memory(large));
    scenarios.extend(limits());
    scenarios
}

fn discard() -> Vec<Scenario> {
    let group = Group::Discard;
    let mut scenarios = vec![
        copy(group, "copy_socket", Socket, Table::Events, Order::Physical),
        copy(group, "copy_tcp", Tcp, Table::Events, Order::Physical),
        copy(group, "copy_by_cursor", Socket, Table::Events, Order::Cursor),
        copy(group, "copy_by_cursor_tcp", Tcp, Table::Events, Order::Cursor),
        scenario(group, "arrow_stream", Work::Fetch(Table::Events), None),
        scenario(group, "two_hops", Work::Hops, None),
    ];
    let sources = [
        (From::Postgresql(Socket), Order::Physical, "postgresql", "copy_socket"),
        (From::Postgresql(Tcp), Order::Physical, "postgresql_tcp", "copy_tcp"),
        (
            From::Postgresql(Socket),
            Order::Cursor,
            "postgresql_by_cursor",
            "copy_by_cursor",
        ),
        (From::ClickHouse, Order::Physical, "clickhouse", "arrow_stream"),
        (From::ClickHouse, Order::Cursor, "clickhouse_by_cursor", "arrow_stream"),
        (From::Generate, Order::Physical, "generate", "two_hops"),
    ];
    for (from, order, name, ceiling) in sources {
        // Variants of a source are measured as usual, the sources themselves with each concurrency.
        let is_variant = name.contains('_');
        for concurrency in CONCURRENCIES {
            if is_variant && concurrency != USUAL_CONCURRENCY {
                continue;
            }
            let sync = Sync {
                from,
                table: Table::Events,
                order,
                to: To::Discard,
                concurrency,
            };
            let name = format!("{name}_to_discard_{concurrency}");
            scenarios.push(scenario(group, name, Work::Sync(sync), Some(ceiling)));
        }
    }
    scenarios
}

fn batch() -> Vec<Scenario> {
    let group = Group::Batch;
    let mut scenarios = vec![
        copy(group, "copy_events_to_send", Tcp, Table::EventsToSend, Order::Cursor),
        copy(
            group,
            "copy_profiles_to_send",
            Tcp,
            Table::ProfilesToSend,
            Order::Cursor,
        ),
        scenario(
            group,
            "arrow_stream_of_events_to_send",
            Work::Fetch(Table::EventsToSend),
            None,
        ),
        scenario(
            group,
            "arrow_stream_of_profiles_to_send",
            Work::Fetch(Table::ProfilesToSend),
            None,
        ),
    ];
    let databases = [
        (
            From::Postgresql(Tcp),
            "postgresql",
            "copy_profiles_to_send",
            "copy_events_to_send",
        ),
        (
            From::ClickHouse,
            "clickhouse",
            "arrow_stream_of_profiles_to_send",
            "arrow_stream_of_events_to_send",
        ),
    ];
    for (from, database, of_profiles, of_events) in databases {
        let targets = [
            (Target::Attributes, "attributes", Table::ProfilesToSend, of_profiles),
            (Target::Events, "events", Table::EventsToSend, of_events),
        ];
        for (target, what, table, ceiling) in targets {
            for (to, place) in [(To::NullEndpoint(target), "null"), (To::Sandbox(target), "sandbox")] {
                let sync = Sync {
                    from,
                    table,
                    order: Order::Cursor,
                    to,
                    concurrency: USUAL_CONCURRENCY,
                };
                let name = format!("{database}_{what}_to_{place}");
                scenarios.push(scenario(group, name, Work::Sync(sync), Some(ceiling)));
            }
        }
    }
    scenarios
}

fn incremental() -> Vec<Scenario> {
    let group = Group::Incremental;
    let sync = |from, to| Sync {
        from,
        table: Table::Large,
        order: Order::Cursor,
        to,
        concurrency: USUAL_CONCURRENCY,
    };
    let postgresql = From::Postgresql(Tcp);
    let to_batch = To::NullEndpoint(Target::Attributes);
    let nothing_new = [
        ("postgresql_nothing_new", sync(postgresql, To::Discard)),
        ("postgresql_nothing_new_to_batch", sync(postgresql, to_batch)),
        ("clickhouse_nothing_new", sync(From::ClickHouse, To::Discard)),
    ];
    let few_new = [
        ("postgresql_few_new", sync(postgresql, To::Discard)),
        ("clickhouse_few_new", sync(From::ClickHouse, To::Discard)),
    ];
    let nothing_new = nothing_new.map(|(name, sync)| scenario(group, name, Work::NothingNew(sync), None));
    let few_new = few_new.map(|(name, sync)| scenario(group, name, Work::FewNew(sync), None));
    nothing_new.into_iter().chain(few_new).collect()
}

fn peers() -> Vec<Scenario> {
    let group = Group::Peers;
    let sync = |table, order, to| Sync {
        from: From::Postgresql(Tcp),
        table,
        order,
        to,
        concurrency: USUAL_CONCURRENCY,
    };
    let (whole, to_send) = (Some("copy_whole"), Some("copy_to_send"));
    let to_batch = To::NullEndpoint(Target::Events);
    let mut scenarios = vec![
        copy(group, "copy_whole", Tcp, Table::Events, Order::Physical),
        copy(group, "copy_to_send", Tcp, Table::EventsToSend, Order::Physical),
        scenario(
            group,
            "longshore_to_discard",
            Work::Sync(sync(Table::Events, Order::Physical, To::Discard)),
            whole,
        ),
        scenario(
            group,
            "longshore_to_null",
            Work::Sync(sync(Table::EventsToSend, Order::Cursor, to_batch)),
            to_send,
        ),
    ];
    for program in ["connectorx_arrow", "adbc_arrow"] {
        let table = Table::Events;
        scenarios.push(scenario(group, program, Work::Peer { program, table }, whole));
    }
    for program in ["dlt_function", "dlt_http", "plain_loop"] {
        let table = Table::EventsToSend;
        scenarios.push(scenario(group, program, Work::Peer { program, table }, to_send));
    }
    scenarios
}

fn memory(large: bool) -> Vec<Scenario> {
    let group = Group::Memory;
    let millions: &[u64] = if large { &[1, 10, 50] } else { &[1, 10] };
    let tables = millions.iter().map(|millions| Table::Millions(*millions));
    let tables = tables.chain([Table::Wide, Table::Mebibytes]);
    let mut scenarios = Vec::new();
    for table in tables {
        for (from, database) in [(From::Postgresql(Tcp), "postgresql"), (From::ClickHouse, "clickhouse")] {
            let sync = Sync {
                from,
                table,
                order: Order::Physical,
                to: To::Discard,
                concurrency: USUAL_CONCURRENCY,
            };
            scenarios.push(scenario(group, format!("{database}_{table}"), Work::Sync(sync), None));
        }
    }
    scenarios
}

fn limits() -> Vec<Scenario> {
    let group = Group::Limits;
    let endpoints = [
        (Endpoint::Update, "bucket_of_update", "update_within_limits"),
        (
            Endpoint::MassUpdate,
            "bucket_of_mass_update",
            "mass_update_within_limits",
        ),
    ];
    let buckets = endpoints.map(|(endpoint, bucket, _)| scenario(group, bucket, Work::Bucket(endpoint), None));
    let syncs = endpoints.map(|(endpoint, bucket, name)| scenario(group, name, Work::Limited(endpoint), Some(bucket)));
    buckets.into_iter().chain(syncs).collect()
}

fn copy(group: Group, name: &str, transport: crate::stage::Transport, table: Table, order: Order) -> Scenario {
    let work = Work::Copy {
        transport,
        table,
        order,
    };
    scenario(group, name, work, None)
}

fn scenario(group: Group, name: impl Into<String>, work: Work, ceiling: Option<&'static str>) -> Scenario {
    Scenario {
        group,
        name: name.into(),
        work,
        ceiling,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenario::Kind;

    #[test]
    fn every_name_occurs_once() {
        let scenarios = all(true);
        let names: BTreeSet<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names.len(), scenarios.len());
    }

    #[test]
    fn a_ceiling_is_one_and_is_measured_in_the_same_group() {
        let scenarios = all(true);
        let with_ceiling = scenarios
            .iter()
            .filter_map(|scenario| Some((scenario, scenario.ceiling?)));
        for (scenario, ceiling) in with_ceiling {
            let found = scenarios.iter().find(|other| other.name == ceiling);
            let found = found.unwrap_or_else(|| panic!("{} names no scenario: {ceiling}", scenario.name));
            assert_eq!(
                (found.group, found.kind()),
                (scenario.group, Kind::Ceiling),
                "{ceiling}"
            );
        }
    }

    #[test]
    fn all_but_incremental_runs_and_memory_have_a_ceiling() {
        let without: BTreeSet<Group> = all(true)
            .iter()
            .filter(|scenario| scenario.kind() != Kind::Ceiling && scenario.ceiling.is_none())
            .map(|scenario| scenario.group)
            .collect();
        assert_eq!(without, BTreeSet::from([Group::Incremental, Group::Memory]));
    }
}
