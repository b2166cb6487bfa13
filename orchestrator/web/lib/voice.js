// What the page says: to everybody, and to screen readers alone.

const NOTICE_MS = 8_000;
let timer = null;

/** Says in a bar, and to screen readers, what an action has done. `kind`: `done` or `failed`; what failed stays until something else is said. */
export function notice(text, kind = "done") {
  const bar = document.getElementById("notice");
  clearTimeout(timer);
  bar.dataset.kind = kind;
  bar.hidden = false;
  bar.textContent = text;
  if (kind === "done") timer = setTimeout(hush, NOTICE_MS);
}

export function hush() {
  const bar = document.getElementById("notice");
  bar.hidden = true;
  bar.textContent = "";
}

/** Says something to screen readers: what others see change. */
export function announce(text) {
  document.getElementById("announcements").textContent = text;
}

/** Asks before something is stopped. Resolves to whether the answer was yes; Escape means no. */
export function ask({ title, text, yes }) {
  const dialog = document.getElementById("question");
  document.getElementById("question-title").textContent = title;
  document.getElementById("question-text").textContent = text;
  document.getElementById("question-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
