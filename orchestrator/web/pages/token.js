// The door: asked for a token when the API wants one.

import { h } from "../lib/dom.js";

/** `error`: why the token that was given is not taken; `null` before one was given. */
export function tokenView(error, enter) {
  return {
    title: "Token needed",
    plain: true,
    render: () => [
      h("h1", {}, "Token needed"),
      h(
        "form",
        { class: "token" },
        h("p", {}, "This Longshore is only for those who hold a token. It is kept until this tab is closed, and sent to this server alone."),
        error ? h("p", { class: "refused", role: "alert", id: "refused" }, error.message, ". ", error.remedy) : null,
        h("label", { for: "token" }, "Token"),
        h("input", {
          id: "token",
          name: "token",
          type: "password",
          autocomplete: "current-password",
          spellcheck: "false",
          required: true,
          "aria-invalid": error ? "true" : null,
          "aria-describedby": error ? "refused" : null,
        }),
        h("p", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Open")),
      ),
    ],
    submit: (form) => enter(form.elements.token.value.trim()),
  };
}
