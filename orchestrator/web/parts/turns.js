// Due times, and what came of each.

import { h } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { badge } from "./badge.js";
import { table } from "./table.js";
import { exactly, when } from "./time.js";

function due(turn, now) {
  if (!turn.first_due_at) return ["by request", h("span", { class: "detail" }, when(turn.decided_at, now))];
  if (turn.first_due_at === turn.last_due_at) return exactly(turn.first_due_at);
  return [exactly(turn.first_due_at), h("span", { class: "detail" }, "to ", exactly(turn.last_due_at))];
}

export function turnsTable(turns, { now }) {
  return table({
    caption: "When it was to run, newest first",
    unseenCaption: true,
    nothing: "Nothing was due yet.",
    rows: turns,
    key: (turn) => turn.id,
    columns: [
      { title: "Due", heading: true, cell: (turn) => due(turn, now) },
      { title: "Came to", cell: (turn) => [badge(turn.status), turn.error ? h("span", { class: "detail" }, h("code", {}, turn.error.code)) : null] },
      { title: "Tries", numeric: true, cell: (turn) => count(turn.tries) },
      { title: "Run", cell: (turn) => (turn.run_id ? h("a", { href: `/runs/${encodeURIComponent(turn.run_id)}`, "data-link": true }, "details", h("span", { class: "unseen" }, ` of the run of turn ${turn.id}`)) : h("span", { class: "faint" }, "none")) },
    ],
  });
}
