// What the fields of the Explain view suggest: names of the zones' records, and locations of
// clients.

import { get } from "./api.js";
import { nameText } from "./format.js";

const MOST = 8;
/** Zones that are searched for one text. */
const MOST_ZONES = 4;
/**
 * The server reads the file of a zone to search it, so the names of larger zones are not suggested.
 */
const MOST_RECORD_SETS = 10_000;
/** A response has at most this many groups; smaller zones are read once and searched here. */
const MOST_GROUPS = 200;
const TYPING_MS = 150;

let zones = null;
let cache = new Map();
let latest = 0;

/** Forgets what was read, since files may have changed. */
export function reset() {
  zones = null;
  cache = new Map();
}

/**
 * Names that contain the text: `{ value, note, type }`. Without text, names with a routing policy
 * come first.
 */
export async function names(text, most = MOST) {
  const part = text.trim().toLowerCase().replace(/\.$/, "");
  const mine = (latest += 1);
  zones ??= get("v1/zones", { limit: MOST_GROUPS }).then((answer) => answer.zones);
  const all = await zones;
  const searched = all.filter((zone) => !zone.unavailable && zone.record_sets <= MOST_RECORD_SETS)
    .sort((one, other) => fit(other, part) - fit(one, part)).slice(0, MOST_ZONES);
  if (part && searched.some((zone) => zone.record_sets > MOST_GROUPS)) {
    await new Promise((resolve) => setTimeout(resolve, TYPING_MS));
    if (mine !== latest) return [];
  }
  const groups = (await Promise.all(searched.map((zone) => search(zone, part)))).flat();
  const options = [...groups, ...all.map((zone) => ({ name: zone.name, type: "A", policy: "zone" }))]
    .map(({ name, type, policy }) => ({ value: nameText(name).replace(/(.)\.$/, "$1"), type, policy, note: policy === "zone" ? "zone" : policy === "simple" ? type : `${type}, ${policy}` }))
    .filter(({ value }) => value.toLowerCase().includes(part));
  return unique(options).sort((one, other) => rank(one, part) - rank(other, part)).slice(0, most);
}

/** How well a zone fits the text: the longest zone that the text ends in comes first. */
function fit({ name }, part) {
  const zone = name.replace(/\.$/, "").toLowerCase();
  return part.endsWith(zone) ? zone.length : 0;
}

function search(zone, part) {
  const isSmall = zone.record_sets <= MOST_GROUPS;
  const q = isSmall ? "" : part;
  const key = `${zone.id} ${q}`;
  if (!cache.has(key)) {
    const read = get(`v1/zones/${encodeURIComponent(zone.id)}/records`, { q, limit: isSmall ? MOST_GROUPS : 3 * MOST })
      .then((answer) => answer.groups.map(({ name, type, policy }) => ({ name, type, policy })));
    cache.set(key, read.catch(() => []));
  }
  return cache.get(key);
}

/** The zone itself is left out if one of its records is listed. */
function unique(options) {
  const seen = new Set(options.filter(({ policy }) => policy !== "zone").map(({ value }) => value));
  return options.filter(({ policy, value }) => policy !== "zone" || !seen.has(value));
}

function rank({ value, policy, type }, part) {
  const isStart = part && value.toLowerCase().startsWith(part) ? 0 : 4;
  const isRouted = policy !== "simple" && policy !== "zone" ? 0 : 2;
  return isStart + isRouted + (["SOA", "NS"].includes(type) ? 1 : 0);
}

/** Locations of the settings that contain the text: `{ value, note, client }`. */
export async function locations(clients, text) {
  const part = text.trim().toLowerCase();
  return clients.map((client) => ({ value: client.from, note: [client.place, client.vpc, client.network].filter(Boolean).join(" · "), client }))
    .filter(({ value, note }) => `${value} ${note}`.toLowerCase().includes(part)).slice(0, MOST);
}
