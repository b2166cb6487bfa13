//! The statements that read the system catalogs.

/// Relations that can be read, without those of the system, of extensions and of other sessions; children of partitioned tables belong to their parent.
pub(super) const ALL_RELATIONS: &str = "\
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't' \
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
  AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT')) \
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')";

/// The relation with a schema and a name.
pub(super) const RELATION_BY_NAME: &str = "\
SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = $1 AND c.relname = $2";

/// Names to suggest for one that does not exist.
pub(super) const ALL_NAMES: &str = "\
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";

/// What relations are. A relation without an access method (a view) has no `heap`.
pub(super) const RELATIONS: &str = "\
SELECT c.oid, n.nspname, c.relname, c.relkind::pg_catalog.text, c.reltuples::pg_catalog.float8, c.relpages::pg_catalog.int8, \
       coalesce(a.amname = 'heap', false), c.relrowsecurity, pg_catalog.current_setting('block_size')::pg_catalog.int8 \
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam \
WHERE c.oid = ANY ($1::pg_catalog.oid[])";

pub(super) const COLUMNS: &str = "\
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attndims::pg_catalog.int2, \
       pg_catalog.format_type(a.atttypid, a.atttypmod), coalesce(l.collisdeterministic, true) \
FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation \
WHERE a.attrelid = ANY ($1::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

pub(super) const PRIMARY_KEYS: &str = "\
SELECT i.indrelid, a.attname FROM pg_catalog.pg_index i \
CROSS JOIN LATERAL unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k (attnum, position) \
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
WHERE i.indrelid = ANY ($1::pg_catalog.oid[]) AND i.indisprimary AND i.indisvalid AND k.position <= i.indnkeyatts \
ORDER BY i.indrelid, k.position";

/// First columns of the whole and valid B-tree indexes.
pub(super) const LEADING_INDEX_COLUMNS: &str = "\
SELECT DISTINCT i.indrelid, a.attname FROM pg_catalog.pg_index i \
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree' \
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
WHERE i.indrelid = ANY ($1::pg_catalog.oid[]) AND i.indisvalid AND i.indpred IS NULL";

/// The tables that hold the rows of partitioned tables.
pub(super) const LEAVES: &str = "\
SELECT p.oid, n.nspname, c.relname, c.reltuples::pg_catalog.float8, c.relpages::pg_catalog.int8, coalesce(a.amname = 'heap', false), \
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') \
FROM unnest($1::pg_catalog.oid[]) AS p (oid) CROSS JOIN LATERAL pg_catalog.pg_partition_tree(p.oid::pg_catalog.regclass) t \
JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam WHERE t.isleaf AND c.relkind <> 'p' ORDER BY 1, 2, 3";
