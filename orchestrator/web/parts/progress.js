// A run that goes on: a bar for each table, as far as the source could tell how much there is.

import { h } from "../lib/dom.js";
import { count, counted } from "../lib/format.js";

function amount(table) {
  const acked = `${count(table.acked)} delivered`;
  const of = table.expected ? `${count(table.forwarded)} of about ${count(table.expected)} read` : `${count(table.forwarded)} read`;
  const rejected = table.rejected > 0 ? `, ${count(table.rejected)} rejected` : "";
  return `${of}, ${acked}${rejected}`;
}

function bar(table, id) {
  const done = table.complete ? 1 : table.expected ? Math.min(1, table.acked / table.expected) : undefined;
  return h("progress", { max: 1, value: done, "aria-labelledby": `${id}-name`, "aria-describedby": `${id}-amount` });
}

/** `run`: the `activity` of a sync. */
export function progress(run) {
  if (!run) return null;
  if (run.tables.length === 0) return h("p", { class: "faint" }, "Looking at what there is to read …");
  return h(
    "ul",
    { class: "progress" },
    run.tables.map((table, index) => {
      const id = `progress-${index}`;
      return h(
        "li",
        { "data-key": table.table },
        h("span", { id: `${id}-name`, class: "name" }, table.table),
        bar(table, id),
        h("span", { id: `${id}-amount`, class: "amount" }, amount(table)),
        table.cursor ? h("span", { class: "cursor" }, "cursor ", h("code", {}, table.cursor), table.upper_bound ? [" → ", h("code", {}, table.upper_bound)] : null) : null,
      );
    }),
  );
}

/** In a few words, for the list. */
export function progressInWords(run) {
  const acked = run.tables.reduce((sum, table) => sum + table.acked, 0);
  return `${counted(acked, "row")} delivered`;
}
