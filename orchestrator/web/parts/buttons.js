// What can be done with a sync. A button says what it is for also to who hears it out of its row.

import { h } from "../lib/dom.js";
import { ask, notice } from "../lib/voice.js";
import { path, post } from "../lib/api.js";

function button(action, sync, text, { kind = "", run } = {}) {
  return h(
    "button",
    { type: "button", class: kind, "data-action": action, "data-sync": sync, "data-run": run, "data-key": action },
    text,
    h("span", { class: "unseen" }, ` ${sync}`),
  );
}

/** The buttons that a sync in this state has use for; none for who may only read. `kind`: how the first of them is dressed. */
export function syncButtons(sync, operator, { kind = "" } = {}) {
  if (!operator) return null;
  const activity = sync.activity;
  return h(
    "div",
    { class: "buttons" },
    activity && !activity.retry_at ? null : button("run", sync.name, "Run now", { kind }),
    activity ? button("cancel", sync.name, "Cancel", { kind: "danger", run: activity.run_id }) : null,
    sync.paused ? button("resume", sync.name, "Resume") : button("pause", sync.name, "Pause"),
  );
}

const endTheRun = (sync) => ({
  title: `Cancel the run of ${sync}?`,
  text: "What is delivered stays delivered. The next run goes on where this one stops.",
  yes: "Cancel the run",
});

const takeItBack = (sync) => ({
  title: `Take back the run of ${sync} that waits?`,
  text: "It is not tried again before the sync is due the next time. The next run goes on where the last one stopped.",
  yes: "Take it back",
});

/** What the buttons do. */
export const syncActions = {
  async run({ sync }) {
    const started = await post(path("syncs", sync, "run"));
    notice(started.at_once ? `Sync ${sync} starts` : `Sync ${sync} will start; it waits for ${started.waits_for}`);
  },
  async pause({ sync }) {
    await post(path("syncs", sync, "pause"));
    notice(`Sync ${sync} is paused: nothing starts by itself until it is resumed`);
  },
  async resume({ sync }) {
    await post(path("syncs", sync, "resume"));
    notice(`Sync ${sync} runs by its schedule again`);
  },
  /** Of the sync, whatever it is at by the time that somebody has said yes: its run may have failed meanwhile, and wait to be tried again. */
  async cancel({ sync, run }) {
    if (!(await ask(run ? endTheRun(sync) : takeItBack(sync)))) return;
    const { run_id: ends } = await post(path("syncs", sync, "cancel"));
    notice(ends ? `Sync ${sync}: the run is being cancelled` : `Sync ${sync}: what waited is taken back`);
  },
  /** Of this run and no other. */
  async cancelRun({ sync, run }) {
    if (!(await ask(endTheRun(sync)))) return;
    await post(path("runs", run, "cancel"));
    notice(`Sync ${sync}: the run is being cancelled`);
  },
};
