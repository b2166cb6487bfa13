// Points in time: at a glance, and exactly.

import { h } from "../lib/dom.js";
import { absolute, relative } from "../lib/format.js";

export function when(at, now, nothing = "–") {
  if (!at) return h("span", { class: "faint" }, nothing);
  return h("time", { datetime: at, title: absolute(at) }, relative(at, now));
}

export function exactly(at, nothing = "–") {
  if (!at) return h("span", { class: "faint" }, nothing);
  return h("time", { datetime: at }, absolute(at));
}

/** A time that is to come; `now` once it has: whatever it stands for is about to happen. */
export function due(at, now, nothing = "–") {
  return new Date(at) < now && at ? h("time", { datetime: at, title: absolute(at) }, "now") : when(at, now, nothing);
}
