// The page: which view an address means, what it is drawn from, and what buttons do.

import { ApiError, get, token } from "./lib/api.js";
import { h, morph } from "./lib/dom.js";
import { follow } from "./lib/live.js";
import { announce, hush, notice } from "./lib/voice.js";
import { words } from "./lib/format.js";
import { errorBox } from "./parts/error.js";
import { runView } from "./pages/run.js";
import { syncView } from "./pages/sync.js";
import { syncsView } from "./pages/syncs.js";
import { tokenView } from "./pages/token.js";

const ROUTES = [
  [/^\/$/, () => syncsView()],
  [/^\/syncs\/([^/]+)$/, (name) => syncView(name)],
  [/^\/runs\/([^/]+)$/, (id) => runView(id)],
];

/** Texts such as `5 min ago` are drawn anew this often. */
const TICK_MS = 1_000;
/** What is shown is asked for anew this often, whatever events say. */
const LOOK_MS = 30_000;
/** Reloads that events ask for are put together for so long. */
const GATHER_MS = 250;

const main = document.getElementById("main");
let view = null;
let session = null;
let unfollow = null;
let gather = null;

function viewOf(address) {
  for (const [pattern, make] of ROUTES) {
    const match = pattern.exec(address);
    if (match) return make(...match.slice(1).map(decodeURIComponent));
  }
  return {
    title: "Not found",
    load: async () => ({}),
    render: () => [h("h1", {}, "There is nothing here"), h("p", {}, h("a", { href: "/", "data-link": true }, "All syncs"))],
  };
}

function picture() {
  if (view.error && !view.data) return [h("h1", {}, view.title), errorBox(view.error)];
  if (view.data || view.plain) return [view.render(view.data, { now: new Date(), operator: session?.role === "operator" })].flat().filter(Boolean);
  return [h("h1", {}, view.title), h("p", { class: "faint" }, "Loading …")];
}

function draw() {
  if (!view) return;
  document.title = view.title === "Longshore" ? view.title : `${view.title} · Longshore`;
  const restore = keepFocus();
  morph(main, picture());
  restore();
  if (view.data && !view.shown) {
    view.shown = true;
    goToPart();
  }
}

/** A button that is gone with what it did must not take the keyboard's place with it: its neighbour gets it, or the heading of its section. */
function keepFocus() {
  const focused = document.activeElement;
  if (!main.contains(focused) || focused === main) return () => {};
  const group = focused.closest(".buttons");
  const section = focused.closest("section");
  return () => {
    if (focused.isConnected && !focused.disabled) return;
    const neighbour = group?.isConnected ? group.querySelector("button:not(:disabled)") : null;
    const heading = section?.isConnected ? section.querySelector("h2[tabindex]") : null;
    (neighbour ?? heading ?? main).focus({ preventScroll: true });
  };
}

/** The part of the page that the address names behind `#`. */
function goToPart() {
  const part = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  if (!part || !main.contains(part)) return;
  part.scrollIntoView();
  part.querySelector("[tabindex]")?.focus({ preventScroll: true });
}

/** Asks for the view's data anew. One question at a time; what is asked meanwhile is asked once afterwards. */
async function reload() {
  const asked = view;
  if (!asked || asked.plain) return;
  if (asked.loading) {
    asked.stale = true;
    return asked.loading;
  }
  asked.loading = load(asked);
  try {
    await asked.loading;
  } finally {
    asked.loading = null;
    if (asked.stale) {
      asked.stale = false;
      reload().catch(report);
    }
  }
}

async function load(asked) {
  try {
    if (session === null) await beKnown();
    const data = await asked.load();
    asked.data = data;
    asked.error = null;
  } catch (error) {
    if (asked !== view) return;
    asked.error = error;
    // What is shown stays, where there is something: the state of the connection is said at the top.
    if (error.status === 401 || error.status === 0) throw error;
    if (asked.data) notice(inWords(error), "failed");
  } finally {
    if (asked === view) draw();
  }
}

function reloadSoon() {
  if (gather !== null) return;
  gather = setTimeout(() => {
    gather = null;
    reload().catch(report);
  }, GATHER_MS);
}

function onEvent({ name, data }) {
  // A replay is no run of the sync: where rows are refused again, it is not the sync that has failed.
  const what = data.kind === "replay" ? `Replay of ${data.sync}` : `Sync ${data.sync}`;
  if (name === "run_started") announce(`${what} is running`);
  if (name === "run_ended") announce(`${what}: ${words(data.outcome)}`);
  if (!view?.data) return;
  if (view.apply?.(view.data, name, data)) draw();
  else reloadSoon();
}

function setLive(state) {
  const texts = { live: "Live", polling: "Every few seconds", offline: "No connection", connecting: "Connecting" };
  const label = document.getElementById("live");
  if (label.dataset.state === state) return;
  label.dataset.state = state;
  label.textContent = texts[state];
}

function report(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401) showToken(token.get() ? error : null);
  else if (!(error instanceof ApiError)) console.error(error);
}

function inWords(error) {
  const sentences = [error.message, error.remedy].filter(Boolean);
  return sentences.map((sentence) => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`)).join(" ");
}

function showToken(error) {
  unfollow?.();
  unfollow = null;
  setLive("offline");
  view = tokenView(error, enter);
  draw();
  main.querySelector("input")?.focus();
}

async function enter(value) {
  token.set(value);
  await begin();
}

/** Asks what the reader may do. */
async function beKnown() {
  session = await get("/session");
  document.documentElement.dataset.role = session.role;
}

async function begin() {
  session = null;
  document.documentElement.dataset.role = "";
  try {
    await beKnown();
  } catch (error) {
    if (error.status === 401) return showToken(token.get() ? error : null);
    // It is asked again with the first data.
  }
  document.getElementById("leave").hidden = token.get() === null;
  unfollow?.();
  setLive("connecting");
  show();
  unfollow = follow({ onEvent, onState: setLive, poll: reload, onError: report });
}

/** Shows what the address means, from its top. */
function show({ focus = false } = {}) {
  hush();
  view?.leave?.();
  view = viewOf(location.pathname);
  draw();
  if (focus) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
    announce(view.title);
  }
  reload().catch(report);
}

function go(to) {
  history.pushState(null, "", to);
  show({ focus: true });
}

document.addEventListener("click", async (event) => {
  const skip = event.target.closest("a.skip");
  if (skip) {
    event.preventDefault();
    main.focus();
    return;
  }
  const link = event.target.closest("a[data-link]");
  if (link && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    go(link.getAttribute("href"));
    return;
  }
  const button = event.target.closest("button[data-action]");
  if (!button || button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await view.actions[button.dataset.action](button.dataset, { main, draw, reload });
  } catch (error) {
    if (error.status === 401) return showToken(error);
    if (!(error instanceof ApiError)) console.error(error);
    notice(inWords(error), "failed");
  } finally {
    button.removeAttribute("aria-disabled");
    reload().catch(report);
  }
});

main.addEventListener("change", (event) => {
  const name = event.target.dataset.change;
  if (name && view.changes?.[name]) view.changes[name](event.target, { main, draw, reload: () => reload().catch(report) });
});

main.addEventListener("submit", (event) => {
  event.preventDefault();
  view.submit?.(event.target);
});

document.getElementById("leave").addEventListener("click", () => {
  token.forget();
  session = null;
  document.getElementById("leave").hidden = true;
  showToken(null);
});

addEventListener("popstate", () => show({ focus: true }));
setInterval(draw, TICK_MS);
// What another process does beside the daemon is in no event.
setInterval(() => reload().catch(report), LOOK_MS);
begin();
