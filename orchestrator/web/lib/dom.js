// Elements, and how a new picture of the page is laid over the old one.
//
// Every text goes in as a text node: names of tables and messages of databases are written by others, and never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** An HTML element. Children that are `null`, `undefined` or `false` are left out; what is no node becomes text. */
export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element, likewise. */
export function s(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** What people change themselves, and a new picture must leave alone. */
const OWN = { DETAILS: ["open"], DIALOG: ["open"] };

function sameKind(old, next) {
  return old.nodeType === next.nodeType && old.nodeName === next.nodeName && keyOf(old) === keyOf(next);
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? (node.getAttribute("data-key") ?? "") : "";
}

function patchAttributes(old, next) {
  const own = OWN[old.nodeName] ?? [];
  for (const { name, value } of [...next.attributes]) {
    if (!own.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!own.includes(name) && !next.hasAttribute(name)) old.removeAttribute(name);
  }
}

function patch(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  patchAttributes(old, next);
  // A box shows what the picture says; the attribute alone is deaf once somebody has clicked.
  if (old.type === "checkbox") old.checked = next.checked;
  // What is typed or chosen stays; its options may change.
  if (old.nodeName === "INPUT" || old.nodeName === "TEXTAREA") return;
  morph(old, [...next.childNodes]);
}

/**
 * Makes the children of `parent` look like `nodes`, and touches only what differs: focus, selection, scroll positions, open details and
 * typed text stay with the reader. Children with `data-key` are told apart by it.
 */
export function morph(parent, nodes) {
  let place = parent.firstChild;
  for (const next of nodes) {
    let old = place;
    if (keyOf(next) !== "") {
      while (old && !sameKind(old, next)) old = old.nextSibling;
    } else if (old && !sameKind(old, next)) {
      old = null;
    }
    if (!old) {
      parent.insertBefore(next, place);
    } else {
      if (old === place) place = place.nextSibling;
      else parent.insertBefore(old, place);
      patch(old, next);
    }
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}
