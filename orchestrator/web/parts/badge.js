// Where a sync or a run stands: a shape, a colour and a word, so that none of them is needed.

import { h, s } from "../lib/dom.js";
import { words } from "../lib/format.js";

/** For each state: how it is coloured, and the shape before the word. */
const STATES = {
  idle: ["calm", "M8 4a4 4 0 1 0 .01 0"],
  queued: ["calm", "M8 3v5l3 2"],
  running: ["busy", "M5 3l8 5-8 5z"],
  retrying: ["warn", "M13 8a5 5 0 1 1-2-4M11 1v3h-3"],
  paused: ["calm", "M6 3v10M10 3v10"],
  completed: ["good", "M3 8l3.5 3.5L13 5"],
  completed_with_rejects: ["warn", "M8 3v6M8 12v.5"],
  failed: ["bad", "M4 4l8 8M12 4l-8 8"],
  cancelled: ["calm", "M4 4h8v8H4z"],
  interrupted: ["warn", "M3 8h3M10 8h3"],
  open: ["busy", "M8 3v5l3 2"],
  missed: ["warn", "M8 3v6M8 12v.5"],
  pending: ["warn", "M8 3v6M8 12v.5"],
  redelivered: ["good", "M3 8l3.5 3.5L13 5"],
  superseded: ["calm", "M3 11l5-5 5 5"],
  discarded: ["calm", "M4 4l8 8M12 4l-8 8"],
  filtered: ["calm", "M3 4h10l-4 5v4h-2v-4z"],
};

export function badge(state, word = words(state)) {
  const [tone, shape] = STATES[state] ?? ["calm", ""];
  return h(
    "span",
    { class: `badge ${tone}`, "data-state": state },
    s("svg", { viewBox: "0 0 16 16", width: 12, height: 12, "aria-hidden": "true", focusable: "false" }, s("path", { d: shape })),
    word,
  );
}
