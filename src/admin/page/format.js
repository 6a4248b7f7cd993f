// Times, durations and numbers as text.

import { h } from "./dom.js";

/** The server's clock minus this machine's, in milliseconds. */
let clockOffset = 0;

export function setServerTime(text) {
  clockOffset = Date.parse(text) - Date.now();
}

export function serverNow() {
  return Date.now() + clockOffset;
}

/** At most two units, as in the server's log. */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const two = (large, unit, small, smallUnit) => `${large} ${unit}` + (small ? ` ${small} ${smallUnit}` : "");
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return two(minutes, "min", seconds % 60, "s");
  if (days === 0) return two(hours, "h", minutes % 60, "min");
  return two(days, "d", hours % 24, "h");
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

const YEAR = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** The local time, with the day if it is not today. */
export function clock(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return "";
  const today = new Date(serverNow()).toDateString() === date.toDateString();
  const isOtherYear = new Date(serverNow()).getFullYear() !== date.getFullYear();
  return today ? CLOCK.format(date) : `${(isOtherYear ? YEAR : DAY).format(date)}, ${CLOCK.format(date)}`;
}

/** A local time with the full date as its tooltip. */
export function time(text) {
  return h("time", { datetime: text, title: new Date(text).toLocaleString() }, clock(text));
}

/** How long ago, by the server's clock. */
export function since(text) {
  return duration(serverNow() - Date.parse(text));
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${value.toFixed(2)} ms`;
  return value < 100 ? `${value.toFixed(1)} ms` : value < 10000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`;
}

export function percent(share) {
  const value = share * 100;
  if (value === 0 || value === 100) return `${value} %`;
  return value < 1 ? "< 1 %" : value > 99 ? "> 99 %" : `${Number(value.toFixed(value < 10 ? 1 : 0))} %`;
}

/** Sign and word of each status; both are readable without colour. */
const STATUSES = {
  healthy: ["●", "healthy"],
  unhealthy: ["✕", "unhealthy"],
  pending: ["○", "no result yet"],
  unchecked: ["–", "no health check"],
};

export function badge(status, text) {
  const [sign, word] = STATUSES[status];
  return h(`span.badge.${status}`, null, h("span", { "aria-hidden": "true" }, sign), " ", text ?? word);
}

/** A name as zone files write it: the API writes a wildcard as `\052`, as Route 53's API does. */
export function nameText(name) {
  return name.replace(/^\\052\./, "*.");
}
