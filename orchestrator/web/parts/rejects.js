// The ledger of rejects: filtered, looked into, sent again.

import { get, path, post, withQuery } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { count, counted } from "../lib/format.js";
import { ask, notice } from "../lib/voice.js";
import { badge } from "./badge.js";
import { table } from "./table.js";
import { when } from "./time.js";

const PAGE = 25;
const STATUSES = ["pending", "redelivered", "superseded", "filtered", "discarded"];

/** The part of a page that shows rejects. `fixed`: what the page is about, such as `{ sync }` or `{ run }`. */
export function rejectsPart(fixed, { status = "pending" } = {}) {
  const filter = { status, table: "", rule: "", column: "" };
  const chosen = new Set();
  const opened = new Map();
  let pages = 1;

  async function load() {
    const rejects = [];
    let next = null;
    for (let page = 0; page < pages; page += 1) {
      const answer = await get(withQuery("/rejects", { ...fixed, ...filter, limit: PAGE, before: next }));
      rejects.push(...answer.rejects);
      next = answer.next;
      if (next === null) break;
    }
    const counts = await get(withQuery("/rejects/counts", fixed));
    const shown = new Set(rejects.map((reject) => reject.id));
    for (const id of chosen) if (!shown.has(id)) chosen.delete(id);
    return { rejects, next, kinds: counts.counts };
  }

  const changes = {
    filter(field, { reload }) {
      filter[field.name] = field.value;
      pages = 1;
      chosen.clear();
      reload();
    },
    choose(box, { draw }) {
      const id = Number(box.value);
      if (box.checked) chosen.add(id);
      else chosen.delete(id);
      draw();
    },
  };

  const actions = {
    async more() {
      pages += 1;
    },
    async look({ reject }) {
      const id = Number(reject);
      if (opened.has(id)) opened.delete(id);
      else opened.set(id, await get(path("rejects", id)));
    },
    async replay({ all }) {
      const which = all ? { ...fixed, ...withoutEmpty({ ...filter, status: "pending" }) } : { ids: [...chosen] };
      const { replays, failed } = await post("/rejects/replay", which);
      chosen.clear();
      notice(...outcome(replays, failed));
    },
    async discard() {
      const many = counted(chosen.size, "reject");
      const yes = await ask({
        title: `Discard ${many}?`,
        text: "They stay named in the ledger. Their rows are removed, and are never sent.",
        yes: `Discard ${many}`,
      });
      if (!yes) return;
      const { discarded } = await post("/rejects/discard", { ids: [...chosen], confirmed: true });
      chosen.clear();
      notice(`${counted(discarded, "reject")} discarded`);
    },
  };

  return { load, changes, actions, render: (data, context) => render(data, { ...context, fixed, filter, chosen, opened }) };
}

function withoutEmpty(filter) {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
}

function outcome(replays, failed) {
  const retries = replays.flatMap((replay) => replay.retries ?? []);
  const sum = (name) => retries.reduce((total, retry) => total + retry[name], 0);
  const error = [...replays, ...failed].map((replay) => replay.error).find(Boolean);
  const again = sum("rejected") > 0 ? `, ${count(sum("rejected"))} refused again` : "";
  const sent = `Sent again: ${counted(sum("retried"), "row")}, ${count(sum("redelivered"))} delivered${again}`;
  if (!error) return [sent, sum("rejected") > 0 ? "failed" : "done"];
  // What was sent is told also where something else was not.
  return [`${sum("retried") > 0 ? `${sent}. ` : ""}${error.message}. ${error.remedy ?? ""}`, "failed"];
}

function render({ rejects, next, kinds }, context) {
  const { filter, chosen, operator } = context;
  const filtered = Boolean(filter.table || filter.rule || filter.column);
  const pending = rejects.filter((reject) => reject.status === "pending");
  return h(
    "section",
    { id: "rejects", "aria-labelledby": "rejects-title" },
    h("h2", { id: "rejects-title", tabindex: "-1" }, "Rejects"),
    filters(filter, kinds),
    operator && pending.length > 0
      ? h(
          "p",
          { class: "buttons" },
          h("button", { type: "button", class: "primary", "data-action": "replay", "data-key": "chosen", disabled: chosen.size === 0 }, chosen.size === 0 ? "Replay chosen" : `Replay chosen (${count(chosen.size)})`),
          h("button", { type: "button", "data-action": "replay", "data-all": "yes", "data-key": "all" }, filtered ? "Replay all like this" : "Replay all"),
          chosen.size === 0 ? null : h("button", { type: "button", class: "danger", "data-action": "discard", "data-key": "discard" }, "Discard chosen"),
        )
      : null,
    table({
      caption: "Rejects",
      unseenCaption: true,
      nothing: filter.status === "pending" && !filtered ? "No rejects are pending." : "No rejects are like this.",
      rows: rejects.flatMap((reject) => [reject]),
      key: (reject) => reject.id,
      columns: columns(context),
    }),
    next === null ? null : h("p", {}, h("button", { type: "button", "data-action": "more", "data-key": "more" }, "Show older rejects")),
  );
}

function columns({ chosen, opened, operator, now, fixed }) {
  const box = (reject) =>
    reject.status === "pending" && reject.row_kept
      ? h("input", { type: "checkbox", value: reject.id, "data-change": "choose", "data-key": `choose-${reject.id}`, checked: chosen.has(reject.id), "aria-label": `Choose reject ${reject.id}` })
      : null;
  return [
    ...(operator ? [{ title: "Chosen", unseen: true, class: "choose", cell: box }] : []),
    {
      title: "Key",
      heading: true,
      cell: (reject) => [
        h("code", {}, reject.key),
        reject.primary_key ? h("span", { class: "detail" }, reject.primary_key) : null,
        h("span", { class: "detail" }, `reject ${reject.id}, `, when(reject.at, now)),
      ],
    },
    { title: "Table", cell: (reject) => [reject.table, fixed.sync ? null : h("span", { class: "detail" }, reject.sync)] },
    { title: "Column", cell: (reject) => (reject.column === "" ? h("span", { class: "faint" }, "whole row") : [h("code", {}, reject.column), reject.whole_row ? h("span", { class: "detail" }, "whole row refused") : h("span", { class: "detail" }, "rest delivered")]) },
    {
      title: "Why",
      class: "why",
      cell: (reject) => [reject.reason, h("span", { class: "detail" }, h("code", {}, reject.rule), ` at ${reject.destination}`), opened.has(reject.id) ? row(opened.get(reject.id)) : null],
    },
    {
      title: "Status",
      cell: (reject) => [
        badge(reject.status),
        reject.uncertain ? h("span", { class: "detail" }, "may have arrived") : null,
        reject.attempts > 0 ? h("span", { class: "detail" }, `sent again ${counted(reject.attempts, "time")}`) : null,
      ],
    },
    {
      title: "Row",
      unseen: true,
      class: "actions",
      cell: (reject) =>
        h(
          "button",
          { type: "button", class: "quiet", "data-action": "look", "data-reject": reject.id, "data-key": "look", "aria-expanded": opened.has(reject.id) ? "true" : "false" },
          opened.has(reject.id) ? "Hide row" : "Show row",
          h("span", { class: "unseen" }, ` of reject ${reject.id}`),
        ),
    },
  ];
}

/** The values of a reject's row, where they are kept and the reader may see them. */
function row(reject) {
  if (reject.row === undefined) return h("p", { class: "faint" }, "The values of rows are for operators.");
  if (reject.row === null) {
    return h("p", { class: "faint" }, reject.status === "pending" ? "Its row is not kept, so that it can not be sent again." : "Its row is not kept any longer.");
  }
  return h(
    "dl",
    { class: "facts row" },
    Object.entries(reject.row).map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", { class: name === reject.column ? "culprit" : null }, h("code", {}, value === null ? "NULL" : typeof value === "string" ? value : JSON.stringify(value)))),
    ),
  );
}

function filters(filter, kinds) {
  const choice = (name, title, values, all) =>
    h(
      "label",
      {},
      h("span", {}, title),
      h(
        "select",
        { name, "data-change": "filter" },
        [["", all], ...values.map((value) => [value, value])].map(([value, text]) => h("option", { value, selected: filter[name] === value }, text)),
      ),
    );
  const known = (name) => [...new Set([...kinds.map((kind) => kind[name]), filter[name]])].filter((value) => value !== "").sort();
  return h(
    "div",
    { class: "filters", role: "group", "aria-label": "Which rejects" },
    choice("status", "Status", STATUSES, "all"),
    choice("table", "Table", known("table"), "all"),
    choice("rule", "Rule", known("rule"), "all"),
    choice("column", "Column", known("column"), "all"),
  );
}
