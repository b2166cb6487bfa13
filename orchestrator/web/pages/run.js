// One run: its tables, attempts, errors, rejects and log lines.

import { get, path } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count, counted, duration, secondsBetween, words } from "../lib/format.js";
import { badge } from "../parts/badge.js";
import { syncActions } from "../parts/buttons.js";
import { errorBox } from "../parts/error.js";
import { facts } from "../parts/facts.js";
import { logLines } from "../parts/logs.js";
import { progress } from "../parts/progress.js";
import { rejectsPart } from "../parts/rejects.js";
import { table } from "../parts/table.js";
import { exactly } from "../parts/time.js";

export function runView(id) {
  const rejects = rejectsPart({ run: id }, { status: "" });
  return {
    title: "Run",
    actions: { ...syncActions, ...rejects.actions },
    changes: rejects.changes,
    async load() {
      const [run, log, ledger] = await Promise.all([get(path("runs", id)), get(path("runs", id, "log")), rejects.load()]);
      return { run, log, ledger };
    },
    apply({ run }, event, data) {
      if (data.sync !== undefined && data.sync !== run.sync) return true;
      if (event === "progress" && run.progress && data.run_id === run.run_id) {
        run.progress.tables = data.tables;
        return true;
      }
      return false;
    },
    render: (data, context) => render(data, { ...context, rejects }),
  };
}

function render({ run, log, ledger }, context) {
  const { now, operator, rejects } = context;
  const what = run.kind === "replay" ? "Replay" : "Run";
  const runsHere = run.status === "running" && run.progress;
  const goesOn = runsHere || run.elsewhere;
  return [
    h(
      "p",
      { class: "crumbs" },
      h("a", { href: "/", "data-link": true }, "Syncs"),
      " / ",
      h("a", { href: `/syncs/${encodeURIComponent(run.sync)}`, "data-link": true }, run.sync),
    ),
    h(
      "div",
      { class: "heading" },
      h("h1", {}, `${what} of ${run.sync}`),
      badge(run.status === "running" && !goesOn ? "interrupted" : run.status),
      operator && runsHere
        ? h("div", { class: "buttons" }, h("button", { type: "button", class: "danger", "data-action": "cancelRun", "data-sync": run.sync, "data-run": run.run_id }, "Cancel", h("span", { class: "unseen" }, " this run")))
        : null,
    ),
    facts([
      ["Started", exactly(run.started_at)],
      ["Ended", goesOn ? null : exactly(run.ended_at, "no recorded end")],
      ["Took", goesOn ? `${duration(secondsBetween(run.started_at, now))} so far` : run.duration_ms === null ? null : duration(run.duration_ms / 1000)],
      ["Attempts", count(run.attempt)],
      ["Reads again", run.again ? `from ${run.again.from ?? "the beginning"} to before ${run.again.to ?? "the end"}` : null],
      ["Uncertain", run.uncertain > 0 ? `${counted(run.uncertain, "row")} at most may be there twice` : null],
      ["Run by", `process ${run.holder.pid} on ${run.holder.host}${run.elsewhere ? ", beside this daemon" : ""}`],
      ["Id", h("code", {}, run.run_id)],
    ]),
    errorBox(run.error, run.status === "cancelled" ? "It was stopped" : "It stopped at an error"),
    run.warnings.length > 0 ? h("ul", { class: "warnings", "aria-label": "Warnings" }, run.warnings.map((warning) => h("li", {}, warning))) : null,
    runsHere ? h("section", { class: "current", "aria-labelledby": "now-title", "data-key": "now" }, h("h2", { id: "now-title" }, "Progress"), progress(run.progress)) : null,
    run.kind === "replay" ? null : tables(run),
    retries(run),
    attempts(run),
    rejects.render(ledger, context),
    h("section", { "aria-labelledby": "log-title", "data-key": "log" }, h("h2", { id: "log-title" }, "Log"), logLines(log)),
  ];
}

const arrow = (before, after) => [h("code", {}, before ?? "–"), " → ", h("code", {}, after ?? "–")];

function tables(run) {
  const number = (title, name) => ({ title, numeric: true, cell: (row) => count(row[name]) });
  return h(
    "section",
    { "aria-labelledby": "tables-title", "data-key": "tables" },
    h("h2", { id: "tables-title" }, "Tables"),
    table({
      caption: "What became of the rows of each table. Read is delivered, rejected, filtered and deduplicated together.",
      nothing: "No table was opened.",
      rows: run.tables,
      key: (row) => row.table,
      columns: [
        { title: "Table", heading: true, cell: (row) => [row.table, row.complete ? null : h("span", { class: "detail" }, "incomplete")] },
        number("Read", "read"),
        number("Delivered", "delivered"),
        number("Rejected", "rejected"),
        number("Filtered", "filtered"),
        number("Deduplicated", "deduplicated"),
        { title: "Cursor", class: "span", cell: (row) => (row.cursor_before || row.cursor_after ? arrow(row.cursor_before, row.cursor_after) : h("span", { class: "faint" }, "none")) },
      ],
    }),
  );
}

function retries(run) {
  if (run.retries.length === 0) return null;
  const number = (title, name) => ({ title, numeric: true, cell: (row) => count(row[name]) });
  return h(
    "section",
    { "aria-labelledby": "retries-title", "data-key": "retries" },
    h("h2", { id: "retries-title" }, "Rejects sent again"),
    table({
      caption: "Rejects of earlier runs that this one has sent again",
      unseenCaption: true,
      nothing: "",
      rows: run.retries,
      key: (row) => `${row.table}→${row.destination}`,
      columns: [
        { title: "Table", heading: true, cell: (row) => row.table },
        { title: "Destination", cell: (row) => row.destination },
        number("Sent again", "retried"),
        number("Delivered", "redelivered"),
        number("Refused again", "rejected"),
        number("Filtered", "filtered"),
      ],
    }),
  );
}

function attempts(run) {
  return h(
    "section",
    { "aria-labelledby": "attempts-title", "data-key": "attempts" },
    h("h2", { id: "attempts-title" }, "Attempts"),
    table({
      caption: "Attempts, oldest first",
      unseenCaption: true,
      nothing: "It was not attempted.",
      rows: run.attempts,
      key: (attempt) => attempt.number,
      columns: [
        { title: "Attempt", heading: true, cell: (attempt) => count(attempt.number) },
        { title: "Started", cell: (attempt) => exactly(attempt.started_at) },
        { title: "Took", numeric: true, cell: (attempt) => (attempt.ended_at ? duration(secondsBetween(attempt.started_at, attempt.ended_at)) : "–") },
        { title: "Begun by", cell: (attempt) => begunBy(attempt.trigger) },
        { title: "Ended with", class: "why", cell: (attempt) => attemptEnd(attempt, run) },
        { title: "Versions", cell: versions },
      ],
    }),
  );
}

function begunBy(trigger) {
  if (!trigger) return h("span", { class: "faint" }, "unknown");
  if (trigger.kind === "schedule") return ["its schedule", h("span", { class: "detail" }, "due ", exactly(trigger.due))];
  return { command: "a command", request: "a request", recovery: "the daemon, to go on" }[trigger.kind] ?? trigger.kind;
}

function attemptEnd(attempt, run) {
  if (attempt.error) return [attempt.error.message, h("span", { class: "detail" }, h("code", {}, attempt.error.code))];
  if (attempt.outcome === "running" && !run.progress && !run.elsewhere) return h("span", { class: "faint" }, "no recorded end");
  return attempt.outcome === "died" ? "its process died" : words(attempt.outcome);
}

function versions(attempt) {
  if (!attempt.longshore) return h("span", { class: "faint" }, "unknown");
  return [`longshore ${attempt.longshore}`, attempt.plugins.map((plugin) => h("span", { class: "detail" }, `${plugin.name}: ${plugin.plugin} ${plugin.version}`))];
}
