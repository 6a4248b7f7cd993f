// The event stream: one connection that reconnects by itself and reports its state.

import { setServerTime } from "./format.js";

/**
 * The server sends a beat every 10 s; after this long without one the connection counts as lost.
 */
const SILENCE_MS = 25000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10000;
const EVENTS = ["transition", "override", "reload", "drain", "connectivity", "change"];

let source = null;
let lastId = null;
let pause = FIRST_PAUSE_MS;
let watchdog = 0;
let reconnect = 0;

/**
 * Watches the events. `onEvent(name, data)` gets every event, `onConnection("live" | "lost" |
 * "stopping")` the state of the connection. `onGap()` is called when events may be missing, so that
 * everything must be read again.
 */
export function watch({ onEvent, onConnection, onGap }) {
  let version = null;

  function open() {
    clearTimeout(reconnect);
    source?.close();
    source = new EventSource(lastId ? `v1/events?last_event_id=${encodeURIComponent(lastId)}` : "v1/events");
    const on = (name, handle) => source.addEventListener(name, (event) => {
      if (event.lastEventId) lastId = event.lastEventId;
      restartWatchdog();
      handle(JSON.parse(event.data));
    });
    on("hello", (hello) => {
      setServerTime(hello.now);
      // Another version of the server has another page.
      if (version && version !== hello.version) location.reload();
      version = hello.version;
      pause = FIRST_PAUSE_MS;
      onConnection("live");
      onGap();
    });
    on("beat", (beat) => setServerTime(beat.now));
    on("lost", () => onGap());
    on("stopping", () => close("stopping"));
    for (const name of EVENTS) on(name, (data) => onEvent(name, data));
    source.onerror = () => close("lost");
    restartWatchdog();
  }

  function restartWatchdog() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => close("lost"), SILENCE_MS);
  }

  function close(state) {
    clearTimeout(watchdog);
    source?.close();
    source = null;
    onConnection(state);
    reconnect = setTimeout(open, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }

  // The server limits connections, so a hidden window closes its own.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(watchdog);
      clearTimeout(reconnect);
      source?.close();
      source = null;
    } else if (!source) {
      pause = FIRST_PAUSE_MS;
      open();
    }
  });
  open();
}
