// What went wrong, and what to do about it.

import { h } from "../lib/dom.js";

/** `error`: as the API and `--json` write errors. `title`: what it happened to. */
export function errorBox(error, title = "This did not work") {
  if (!error) return null;
  return h(
    "section",
    { class: "error", "aria-label": title },
    h("p", { class: "what" }, h("strong", {}, title), " ", h("code", {}, error.code)),
    h("p", {}, error.message, error.table ? ` (table ${error.table})` : null),
    (error.causes ?? []).length > 0 ? h("ul", { class: "causes" }, error.causes.map((cause) => h("li", {}, cause))) : null,
    error.remedy ? h("p", { class: "remedy" }, h("strong", {}, "What to do: "), error.remedy) : null,
  );
}
