// Keeps the page fresh: asks for its parts once a second and changes only what differs.
// Everything is built with createElement and textContent: no text from outside is ever read as HTML.
"use strict";

const SVG = new Set(["svg", "rect", "line", "circle", "title"]);
const TAGS = new Set(
  ("a article aside b button circle dd details div dl dt em footer form h1 h2 h3 header input label li line " +
    "main nav ol p rect s section small span strong summary svg table tbody td th thead time title tr ul").split(" "),
);
const OURS = /^\/(?!\/)|^[?#]/; // an address on this site

function allowed(name, value) {
  if (name.startsWith("on") || name === "style" || name === "src") return false;
  return (name !== "href" && name !== "action") || OURS.test(value);
}

function make(tree, inSvg) {
  if (typeof tree === "string") return document.createTextNode(tree);
  const [tag, attributes, ...children] = tree;
  const name = TAGS.has(tag) ? tag : "span";
  const drawn = name === "svg" || (inSvg && SVG.has(name));
  const element = drawn
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  dress(element, attributes);
  for (const child of children) element.append(make(child, drawn));
  return element;
}

function dress(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== value && allowed(name, value)) element.setAttribute(name, value);
  }
  for (const { name } of [...element.attributes]) {
    if (!(name in attributes) && name !== "open" && name !== "id") element.removeAttribute(name);
  }
}

const key = (tree) => (typeof tree === "string" ? "" : tree[1]["data-key"] || "");

function fits(node, tree) {
  if (!node) return false;
  if (typeof tree === "string") return node.nodeType === Node.TEXT_NODE;
  return node.nodeType === Node.ELEMENT_NODE && node.localName === tree[0] && (node.dataset.key || "") === key(tree);
}

// Elements that stay keep their identity: a click that has begun, a selection and an open fold survive.
function fill(parent, trees, fresh) {
  const inSvg = parent.namespaceURI === "http://www.w3.org/2000/svg";
  const known = new Map();
  for (const child of parent.children) if (child.dataset.key) known.set(child.dataset.key, child);
  let at = parent.firstChild;
  for (const tree of trees) {
    const name = key(tree);
    let node = name ? known.get(name) : fits(at, tree) ? at : null;
    if (node && !fits(node, tree)) node = null;
    if (!node) {
      node = make(tree, inSvg);
      if (name && fresh) node.classList.add("new");
      parent.insertBefore(node, at);
      continue;
    }
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    if (typeof tree === "string") {
      if (node.data !== tree) node.data = tree;
    } else {
      const isNew = node.classList.contains("new");
      dress(node, tree[1]);
      if (isNew) node.classList.add("new");
      fill(node, tree.slice(2), fresh);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const lost = document.getElementById("lost");

async function refresh() {
  try {
    const reply = await fetch(document.body.dataset.live, { cache: "no-store" });
    if (!reply.ok) throw new Error(String(reply.status));
    const parts = await reply.json();
    for (const [id, trees] of Object.entries(parts)) {
      const place = document.getElementById(id);
      if (place) fill(place, trees, true);
    }
    lost.hidden = true;
  } catch {
    lost.textContent = document.body.dataset.lost;
    lost.hidden = false;
  }
  setTimeout(refresh, document.hidden ? 5000 : 1000);
}

setTimeout(refresh, 1000);
