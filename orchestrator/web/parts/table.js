// Tables that stay tables: on a narrow screen each row becomes a card, and roles keep for screen readers what the layout takes away.

import { h } from "../lib/dom.js";

/**
 * `columns`: `{ title, cell(row), numeric, heading }`; the column that is `heading` names the row. `key(row)`: what tells rows apart.
 */
export function table({ caption, columns, rows, key, nothing, unseenCaption = false }) {
  if (rows.length === 0) return h("p", { class: "nothing" }, nothing);
  const head = columns.map((column) =>
    h("th", { scope: "col", role: "columnheader", class: column.numeric ? "number" : null }, column.unseen ? h("span", { class: "unseen" }, column.title) : column.title),
  );
  const cell = (column, row) => {
    const attributes = { "data-title": column.unseen ? "" : column.title, class: column.numeric ? "number" : (column.class ?? null) };
    return column.heading
      ? h("th", { scope: "row", role: "rowheader", ...attributes }, column.cell(row))
      : h("td", { role: "cell", ...attributes }, h("span", { class: "value" }, column.cell(row)));
  };
  return h(
    "table",
    { role: "table" },
    h("caption", { class: unseenCaption ? "unseen" : null }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    h(
      "tbody",
      { role: "rowgroup" },
      rows.map((row) => h("tr", { role: "row", "data-key": key(row) }, columns.map((column) => cell(column, row)))),
    ),
  );
}
