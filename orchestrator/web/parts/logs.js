// The log lines of a run.

import { h } from "../lib/dom.js";
import { counted } from "../lib/format.js";
import { exactly } from "./time.js";

export function logLines({ lines, left_out, lost }) {
  if (lines.length === 0) return h("p", { class: "nothing" }, "Nothing was logged.");
  return [
    h("ol", { class: "log", tabindex: "0", "aria-label": "Log lines of the run" }, lines.map((entry, index) => line(entry, index))),
    left_out + lost > 0 ? h("p", { class: "faint" }, `${counted(left_out + lost, "line")} are not kept.`) : null,
  ];
}

function line(entry, index) {
  return h(
    "li",
    { class: entry.level, "data-key": index },
    entry.left_out_before ? h("span", { class: "gap" }, `… ${counted(entry.left_out_before, "line")} left out …`) : null,
    h("span", { class: "at" }, exactly(entry.at)),
    " ",
    h("span", { class: "level" }, entry.level),
    " ",
    entry.plugin ? [h("span", { class: "origin" }, entry.plugin), " "] : null,
    entry.message,
  );
}
