// Runs of the past, newest first.

import { h } from "../lib/dom.js";
import { count, duration } from "../lib/format.js";
import { badge } from "./badge.js";
import { table } from "./table.js";
import { when } from "./time.js";

export function runsTable(runs, { now, nothing = "No runs yet." }) {
  return table({
    caption: "Runs, newest first",
    unseenCaption: true,
    nothing,
    rows: runs,
    key: (run) => run.run_id,
    columns: [
      { title: "Started", heading: true, cell: (run) => [h("a", { href: `/runs/${encodeURIComponent(run.run_id)}`, "data-link": true }, when(run.started_at, now)), run.kind === "replay" ? h("span", { class: "detail" }, "replay of rejects") : null] },
      { title: "Status", cell: (run) => [badge(run.status), run.error ? h("span", { class: "detail" }, h("code", {}, run.error.code)) : null] },
      { title: "Read", numeric: true, cell: (run) => count(run.read) },
      { title: "Delivered", numeric: true, cell: (run) => count(run.delivered) },
      { title: "Rejects", numeric: true, cell: (run) => count(run.rejects) },
      { title: "Took", numeric: true, cell: (run) => (run.duration_ms === null ? "–" : duration(run.duration_ms / 1000)) },
      { title: "Attempts", numeric: true, cell: (run) => count(run.attempt) },
    ],
  });
}
