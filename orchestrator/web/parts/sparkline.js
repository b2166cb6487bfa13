// Rows of each run, as small bars: how much moved, and how it ended.

import { h, s } from "../lib/dom.js";
import { count, counted, words } from "../lib/format.js";

const HEIGHT = 28;
const STEP = 6;
const BAR = 4;
/** The bar of a run that moved nothing: still to be seen. */
const LEAST = 2;

/** So many runs are drawn, the newest at the right. */
export const RUNS_DRAWN = 20;

const height = (rows, most) => (rows === 0 ? LEAST : Math.max(LEAST + 2, Math.round((Math.sqrt(rows) / Math.sqrt(most)) * HEIGHT)));

/** `runs`: `{ run_id, status, rows }`, oldest first. Heights go with the square root of the rows, so that small runs are seen beside a first load. */
export function sparkline(runs) {
  const drawn = runs.slice(-RUNS_DRAWN);
  if (drawn.length === 0) return h("span", { class: "faint" }, "no runs yet");
  const most = Math.max(1, ...drawn.map((run) => run.rows));
  const width = RUNS_DRAWN * STEP - (STEP - BAR);
  const start = (RUNS_DRAWN - drawn.length) * STEP;
  const bars = drawn.map((run, index) => {
    const tall = height(run.rows, most);
    const bar = s("rect", { x: start + index * STEP, y: HEIGHT - tall, width: BAR, height: tall, rx: 1, class: `bar ${run.status}` });
    bar.append(s("title", {}, `${counted(run.rows, "row")}, ${words(run.status)}`));
    return bar;
  });
  return s(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": inWords(drawn) },
    s("path", { class: "ground", d: `M0 ${HEIGHT - 0.5}H${width}` }),
    bars,
  );
}

/** What the bars say, for who does not see them. */
export function inWords(runs) {
  const last = runs.at(-1);
  const most = Math.max(...runs.map((run) => run.rows));
  const failed = runs.filter((run) => run.status === "failed").length;
  const ends = failed === 0 ? "none failed" : `${failed} failed`;
  return `Rows of the last ${counted(runs.length, "run")}: latest ${count(last.rows)}, most ${count(most)}, ${ends}`;
}
