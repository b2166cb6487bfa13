// One sync: what it does now, where its cursors stand, its runs and its rejects.

import { get, path, withQuery } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { roughly } from "../lib/format.js";
import { badge } from "../parts/badge.js";
import { syncActions, syncButtons } from "../parts/buttons.js";
import { errorBox } from "../parts/error.js";
import { facts } from "../parts/facts.js";
import { progress } from "../parts/progress.js";
import { rejectsPart } from "../parts/rejects.js";
import { runsTable } from "../parts/runs.js";
import { sparkline } from "../parts/sparkline.js";
import { turnsTable } from "../parts/turns.js";
import { table } from "../parts/table.js";
import { due, when } from "../parts/time.js";
import { freshness, nextRun, schedule } from "./syncs.js";

const PAGE = 15;
/** As many as are read at a glance. */
const TURNS = 5;

export function syncView(name) {
  const rejects = rejectsPart({ sync: name });
  let pages = 1;

  async function load() {
    const [sync, runs, { turns }, ledger] = await Promise.all([get(path("syncs", name)), loadRuns(), get(withQuery(path("syncs", name, "turns"), { limit: TURNS })), rejects.load()]);
    return { sync, ...runs, turns, ledger };
  }

  async function loadRuns() {
    const runs = [];
    let next = null;
    for (let page = 0; page < pages; page += 1) {
      const answer = await get(withQuery("/runs", { sync: name, limit: PAGE, before: next }));
      runs.push(...answer.runs);
      next = answer.next;
      if (next === null) break;
    }
    return { runs, next };
  }

  return {
    title: name,
    load,
    render: (data, context) => render(data, { ...context, rejects }),
    changes: rejects.changes,
    actions: {
      ...syncActions,
      ...rejects.actions,
      async olderRuns() {
        pages += 1;
      },
    },
    apply({ sync }, event, data) {
      if (data.sync !== undefined && data.sync !== name) return true;
      if (event === "progress" && sync.activity?.run_id === data.run_id && !sync.activity.waits_for) {
        sync.activity.tables = data.tables;
        return true;
      }
      return false;
    },
  };
}

function render({ sync, runs, next, turns, ledger }, context) {
  const { now, operator, rejects } = context;
  const failed = sync.last_run?.status === "failed" ? sync.last_run.error : null;
  const error = sync.activity?.last_error ?? (sync.activity ? null : failed);
  return [
    h("p", { class: "crumbs" }, h("a", { href: "/", "data-link": true }, "Syncs")),
    h("div", { class: "heading" }, h("h1", {}, sync.name), badge(sync.phase), syncButtons(sync, operator, { kind: "primary" })),
    facts([
      ["From", sync.source],
      ["To", sync.destinations.join(", ")],
      ["Schedule", schedule(sync)],
      ["Next run", nextRun(sync, now)],
      ["Freshness", freshness(sync)],
      ["Rows per run", sparkline(sync.history)],
    ]),
    errorBox(error, sync.activity ? "The last try failed" : "The last run failed"),
    sync.activity ? current(sync, now) : null,
    cursors(sync, now),
    h(
      "section",
      { "aria-labelledby": "runs-title", "data-key": "runs" },
      h("h2", { id: "runs-title" }, "Runs"),
      runsTable(runs, { now }),
      next === null ? null : h("p", {}, h("button", { type: "button", "data-action": "olderRuns", "data-key": "older-runs" }, "Show older runs")),
    ),
    h("section", { "aria-labelledby": "turns-title", "data-key": "turns" }, h("h2", { id: "turns-title" }, "Due times"), turnsTable(turns, { now })),
    rejects.render(ledger, context),
  ];
}

function current({ activity, name }, now) {
  const what = activity.kind === "replay" ? "Replay" : "Current run";
  return h(
    "section",
    { class: "current", "aria-labelledby": "current-title", "data-key": "current" },
    h("h2", { id: "current-title" }, what),
    h(
      "p",
      {},
      activity.waits_for && !activity.run_id ? `Waits for ${activity.waits_for}, since ` : activity.retry_at ? ["Tries again ", due(activity.retry_at, now), ", since "] : "Since ",
      when(activity.since, now),
      activity.waits_for && activity.run_id ? `, waits for ${activity.waits_for}` : null,
      activity.attempt > 1 ? `, attempt ${activity.attempt}` : null,
      activity.run_id ? [" · ", h("a", { href: `/runs/${encodeURIComponent(activity.run_id)}`, "data-link": true }, "details", h("span", { class: "unseen" }, ` of the run of ${name}`))] : null,
    ),
    activity.run_id && !activity.retry_at ? progress(activity) : null,
  );
}

function cursors(sync, now) {
  return h(
    "section",
    { "aria-labelledby": "cursors-title", "data-key": "cursors" },
    h("h2", { id: "cursors-title" }, "Cursors"),
    table({
      caption: "Where each table's cursor stands",
      unseenCaption: true,
      nothing: "No cursors are stored yet.",
      rows: sync.cursors,
      key: (cursor) => cursor.table,
      columns: [
        { title: "Table", heading: true, cell: (cursor) => cursor.table },
        { title: "Cursor", cell: (cursor) => (cursor.cursor ? [h("code", {}, cursor.cursor), h("span", { class: "detail" }, `of ${cursor.cursor_column}`)] : h("span", { class: "faint" }, "none")) },
        { title: "Age", cell: (cursor) => (cursor.age_seconds === null ? h("span", { class: "faint" }, "no time") : `${roughly(cursor.age_seconds)} old`) },
        { title: "Stored", cell: (cursor) => when(cursor.updated_at, now) },
      ],
    }),
  );
}
