// Elements from data, and changes to them that keep what a person does there: focus, what is open, what is typed.
// Texts only ever become text nodes; no string becomes markup.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "circle", "line", "rect", "g", "polyline", "text", "title", "use"]);
const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "ontoggle", "onkeydown"];

/** An element: attributes, handlers by their names, `key` to recognise it by among its siblings, children in any nesting. */
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
    // The policy forbids the attribute in markup, not the object.
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

/** Makes the children of an element look like these, reusing what is there. */
export function fill(element, ...children) {
  const wanted = document.createElement("div");
  append(wanted, children);
  sync(element, wanted);
}

function sync(old, wanted) {
  const byKey = new Map();
  for (const child of old.childNodes) if (child._key !== undefined) byKey.set(child._key, child);
  let place = old.firstChild;
  for (const child of [...wanted.childNodes]) {
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
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function isLike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && one._key === other._key;
}

function patch(old, wanted) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== wanted.data) old.data = wanted.data;
    return;
  }
  if (old.style.cssText !== wanted.style.cssText) old.style.cssText = wanted.style.cssText;
  for (const { name } of [...old.attributes]) {
    if (name === "style") continue;
    // Whether something is open is the person's to say.
    if (!wanted.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (name === "style") continue;
    if (old.getAttribute(name) !== value && !(name === "open" && old.nodeName === "DETAILS")) old.setAttribute(name, value);
  }
  for (const handler of HANDLERS) if (old[handler] !== wanted[handler]) old[handler] = wanted[handler];
  if (old.nodeName === "SELECT") {
    const { value } = wanted;
    sync(old, wanted);
    if (old !== document.activeElement && old.value !== value) old.value = value;
  } else if (old.type === "radio" || old.type === "checkbox") {
    old.checked = wanted.checked;
  } else if (old.nodeName === "INPUT" || old.nodeName === "TEXTAREA") {
    if (old !== document.activeElement && old.value !== wanted.value) old.value = wanted.value;
  } else {
    sync(old, wanted);
  }
}

/** Lets a screen reader say something. */
export function say(text) {
  document.getElementById("said").textContent = text;
}
