// All syncs: where each stands.

import { get } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count, counted, roughly, words } from "../lib/format.js";
import { badge } from "../parts/badge.js";
import { syncActions, syncButtons } from "../parts/buttons.js";
import { progressInWords } from "../parts/progress.js";
import { sparkline } from "../parts/sparkline.js";
import { table } from "../parts/table.js";
import { due, when } from "../parts/time.js";

export function syncsView() {
  return {
    title: "Syncs",
    actions: syncActions,
    load: () => get("/syncs"),
    apply: applyToList,
    render,
  };
}

/** Takes an event in; `false`: what is shown has to be asked for anew. */
export function applyToList(data, name, event) {
  const known = data.syncs.find((sync) => sync.name === event.sync);
  if (name === "progress" && known?.activity?.run_id === event.run_id && !known.activity.waits_for) {
    known.activity.tables = event.tables;
    return true;
  }
  return false;
}

function render({ syncs }, { now, operator }) {
  return [
    h("h1", {}, "Syncs"),
    summary(syncs),
    table({
      caption: "Where each sync stands",
      unseenCaption: true,
      nothing: "The configuration has no syncs.",
      rows: syncs,
      key: (sync) => sync.name,
      columns: [
        { title: "Sync", heading: true, cell: (sync) => [link(sync), h("span", { class: "detail" }, schedule(sync))] },
        { title: "State", class: "state", cell: state },
        { title: "Last run", cell: (sync) => lastRun(sync, now) },
        { title: "Freshness", cell: freshness },
        { title: "Rows per run", cell: (sync) => sparkline(sync.history) },
        { title: "Rejects", numeric: true, cell: rejects },
        { title: "Next run", cell: (sync) => nextRun(sync, now) },
        ...(operator ? [{ title: "Actions", unseen: true, class: "actions", cell: (sync) => syncButtons(sync, operator) }] : []),
      ],
    }),
  ];
}

function summary(syncs) {
  const failing = syncs.filter((sync) => sync.last_run?.status === "failed").length;
  const running = syncs.filter((sync) => sync.phase === "running").length;
  const pending = syncs.reduce((sum, sync) => sum + sync.pending_rejects, 0);
  const part = (number, tone, text) => h("li", { class: number > 0 ? tone : "faint" }, h("strong", {}, count(number)), ` ${text}`);
  return h(
    "ul",
    { class: "summary", "aria-label": "In short" },
    part(syncs.length, "", syncs.length === 1 ? "sync" : "syncs"),
    part(running, "busy", "running"),
    part(failing, "bad", "failing"),
    part(pending, "warn", pending === 1 ? "pending reject" : "pending rejects"),
  );
}

const link = (sync) => h("a", { href: `/syncs/${encodeURIComponent(sync.name)}`, "data-link": true }, sync.name);

export function schedule(sync) {
  if (!sync.schedule) return "by hand";
  return sync.schedule.time_zone ? `${sync.schedule.text} (${sync.schedule.time_zone})` : sync.schedule.text;
}

function state(sync) {
  const { activity } = sync;
  return [
    badge(sync.phase),
    activity?.waits_for ? h("span", { class: "detail" }, `waits for ${activity.waits_for}`) : null,
    sync.phase === "running" ? h("span", { class: "detail" }, progressInWords(activity)) : null,
    sync.paused && sync.phase !== "paused" ? h("span", { class: "detail" }, "pauses afterwards") : null,
  ];
}

function lastRun(sync, now) {
  const run = sync.last_run;
  if (!run) return h("span", { class: "faint" }, "never");
  return [
    badge(run.status),
    h("span", { class: "detail" }, when(run.ended_at ?? run.started_at, now)),
    run.error ? h("span", { class: "detail" }, h("code", {}, run.error.code)) : null,
  ];
}

/** How far behind the source's newest row the sync may be: the age of its oldest cursor that is a time. */
export function freshness(sync) {
  const { freshness: fresh } = sync;
  if (!fresh) return h("span", { class: "faint" }, "unknown");
  return h("span", { title: `${fresh.table}: ${fresh.cursor}` }, `${roughly(fresh.age_seconds)} old`);
}

function rejects(sync) {
  if (sync.pending_rejects === 0) return h("span", { class: "faint" }, "0");
  return h(
    "a",
    { href: `/syncs/${encodeURIComponent(sync.name)}#rejects`, class: "warn", "data-link": true, "aria-label": `${counted(sync.pending_rejects, "pending reject")} of ${sync.name}` },
    count(sync.pending_rejects),
  );
}

export function nextRun(sync, now) {
  if (sync.paused) return h("span", { class: "faint" }, words("paused"));
  if (sync.activity?.retry_at) return ["tries again ", due(sync.activity.retry_at, now)];
  return due(sync.next_run_at, now, sync.schedule ? "–" : "by hand");
}
