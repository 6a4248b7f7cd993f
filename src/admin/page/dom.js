// Builds elements from data and updates existing ones in place, so that focus, open details and
// typed text stay. Text only becomes text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "circle", "line", "rect", "g", "polyline", "text", "title", "use"]);
const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "ontoggle", "onkeydown", "onblur", "onmousedown"];

/** Creates an element. `key` identifies it among its siblings; children can be nested arrays. */
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = SVG_TAGS.has(name) && attributes?.html !== true
    ? document.createElementNS(SVG, name) : document.createElement(name);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [attribute, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false || attribute === "html") continue;
    if (attribute === "key") element._key = value;
    else if (HANDLERS.includes(attribute)) element[attribute] = value;
    else if (attribute === "class") element.setAttribute("class", [...classes, value].join(" ").trim());
    else if (attribute === "value") element.value = value;
    // The Content-Security-Policy forbids the attribute in markup, but not this object.
    else if (attribute === "style") Object.assign(element.style, value);
    else element.setAttribute(attribute, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Changes the children of an element to these; existing elements are reused. */
export function fill(element, ...children) {
  const next = document.createElement("div");
  append(next, children);
  sync(element, next);
}

function sync(old, next) {
  const byKey = new Map();
  for (const child of old.childNodes) if (child._key !== undefined) byKey.set(child._key, child);
  let place = old.firstChild;
  for (const child of [...next.childNodes]) {
    let match = child._key === undefined ? place : byKey.get(child._key);
    if (match && child._key === undefined && match._key !== undefined) match = null;
    if (match && isLike(match, child)) {
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
      patch(match, child);
    } else {
      old.insertBefore(child, place);
    }
  }
  while (place) {
    const following = place.nextSibling;
    place.remove();
    place = following;
  }
}

function isLike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && one._key === other._key;
}

function patch(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if (old.style.cssText !== next.style.cssText) old.style.cssText = next.style.cssText;
  for (const { name } of [...old.attributes]) {
    if (name === "style") continue;
    // The user opens and closes details.
    if (!next.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (name === "style") continue;
    if (old.getAttribute(name) !== value && !(name === "open" && old.nodeName === "DETAILS")) old.setAttribute(name, value);
  }
  for (const handler of HANDLERS) if (old[handler] !== next[handler]) old[handler] = next[handler];
  if (old.nodeName === "SELECT") {
    const { value } = next;
    sync(old, next);
    if (old !== document.activeElement && old.value !== value) old.value = value;
  } else if (old.type === "radio" || old.type === "checkbox") {
    old.checked = next.checked;
  } else if (old.nodeName === "INPUT" || old.nodeName === "TEXTAREA") {
    if (old !== document.activeElement && old.value !== next.value) old.value = next.value;
  } else {
    sync(old, next);
  }
}

/** Has screen readers announce a text. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
