// The live status of an order's page.
//
// A websocket delivers each transition. It is opened with the last `seq` shown, so a broken
// connection loses nothing. Where no websocket works, the status is polled with its ETag. Because
// a push can get lost without an error, the status is also polled, rarely, beside a websocket.

import { setUpCardForm } from "./card_form.js";
import { localise, timeElement, withLocalClock } from "./times.js";

const page = document.querySelector("[data-order]");
const statusDisplay = JSON.parse(document.getElementById("status-display").textContent);
const live = page.querySelector("[data-live]");
const over = new Set(["CANCELLED", "RETURNED"]);
const LONGEST_WAIT = 30_000; // ms between two attempts to connect
const OPENS_WITHIN = 2_500; // ms; a stuck server accepts the connection and sends nothing
const POLL_WITHOUT_SOCKET = 2_500; // ms
const POLL_WITH_SOCKET = 40_000; // ms
const LOST = "No connection at the moment. Trying again; what is shown may be old.";
const KEEPALIVE = 60_000; // ms between two messages: the server closes an idle socket

let seq = Number(page.dataset.seq);
let status = page.dataset.status;
let tries = 0;
let opened = false;
let socket = null;
let poll = 0;
let polling = false;
let etag = null;
let keepalive = 0;

function say(state, words) {
  live.hidden = false;
  live.dataset.state = state;
  live.textContent = words;
}

function show(transition) {
  if (!Number.isInteger(transition.seq) || transition.seq <= seq) return;
  seq = transition.seq;
  status = transition.status;
  // A cancelled order is not in it: what it is called depends on why, and the server knows.
  const known = statusDisplay[transition.status];
  if (known) showState(known.label, known.stages);
  const words = withLocalClock(transition.message, transition.next_action?.until);
  page.querySelector("[data-message]").textContent = words;
  const line = document.createElement("li");
  line.dataset.seq = transition.seq;
  line.className = "fresh";
  line.append(timeElement(transition.updated_at, "stamp"), words);
  page.querySelector("[data-timeline]").append(line);
  act(transition.next_action);
  fetchExtras();
  // The parcel gets its label shortly after CONFIRMED, without a transition of its own.
  if (status === "CONFIRMED") setTimeout(fetchExtras, 4000);
  if (over.has(status)) finish();
}

function showState(label, stages) {
  const shown = page.querySelector("[data-label]");
  if (shown.textContent !== label) shown.textContent = label;
  [...page.querySelectorAll("[data-stage]")].forEach((stage, place) => {
    stage.className = stages[place];
    stage.textContent = stages[place] === "done" ? stage.dataset.done : stage.dataset.before;
    if (stages[place] === "now") stage.setAttribute("aria-current", "step");
    else stage.removeAttribute("aria-current");
  });
}

function act(action) {
  // The link goes through the shop, which extends the hold on the units. Paying with another card
  // has a form of its own, which comes with the page.
  const toBank = action?.type === "redirect" && /^https?:\/\//.test(action.url || "");
  page.querySelector("[data-action]").hidden = !toBank;
  if (action?.until) page.querySelector("[data-deadline]").replaceChildren(timeElement(action.until, "clock"));
}

// The server decides what a transition shows or hides (cancel, return, parcel).
let extrasRound = 0;
async function fetchExtras() {
  const mine = ++extrasRound;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok || mine !== extrasRound) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    localise(fresh);
    if (Number(fresh.querySelector("[data-order]")?.dataset.seq) >= seq && !statusDisplay[status]) {
      const stages = [...fresh.querySelectorAll("[data-stage]")].map((stage) => stage.className);
      showState(fresh.querySelector("[data-label]").textContent, stages);
    }
    for (const part of page.querySelectorAll("[data-swap]")) {
      if (part.contains(document.activeElement)) continue; // the shopper is using this part
      // Open, half filled in: what was chosen or typed stays.
      if (part.querySelector("details[open]") && !over.has(status)) continue;
      if ([...part.querySelectorAll("input:not([type=hidden]), textarea")].some(changed)) continue;
      const other = fresh.querySelector(`[data-swap="${part.dataset.swap}"]`);
      if (other) part.replaceChildren(...document.adoptNode(other).childNodes);
    }
    beginPayAgain({ late: true });
  } catch {
    // The next transition tries again.
  }
}

function changed(field) {
  return field.value !== field.defaultValue;
}

function finish() {
  clearTimeout(poll);
  socket?.close(1000);
  socket = null;
  live.hidden = true;
}

function connect() {
  if (over.has(status) || document.visibilityState === "hidden") return;
  const url = new URL(page.dataset.websocket);
  if (page.dataset.token) url.searchParams.set("token", page.dataset.token);
  url.searchParams.set("after_seq", seq);
  opened = false;
  try {
    socket = new WebSocket(url);
  } catch {
    return again();
  }
  setTimeout(() => socket && !opened && startPolling(), OPENS_WITHIN);
  socket.addEventListener("open", () => {
    opened = true;
    polling = false;
    schedule(POLL_WITH_SOCKET);
    clearInterval(keepalive);
    keepalive = setInterval(() => socket?.readyState === WebSocket.OPEN && socket.send("here"), KEEPALIVE);
    say("live", "Live: this page moves by itself.");
  });
  socket.addEventListener("message", (event) => {
    tries = 0;
    const transition = JSON.parse(event.data);
    if (transition.seq > seq + 1) catchUp().catch(() => {});
    else show(transition);
  });
  socket.addEventListener("close", (event) => {
    if (socket !== event.target) return; // given up already
    socket = null;
    clearInterval(keepalive);
    if (event.code === 4404) return say("off", "This order cannot be watched from here.");
    if (!over.has(status)) say("off", LOST);
    again();
  });
}

// The network is cut: an open socket does not notice for minutes, and "live" would be a lie.
function lose() {
  say("off", LOST);
  clearInterval(keepalive);
  const old = socket;
  socket = null;
  old?.close();
}

addEventListener("offline", () => {
  if (over.has(status)) return;
  lose();
  again();
});
addEventListener("online", () => {
  if (over.has(status)) return;
  tries = 0;
  if (!socket) connect();
  checkStatus();
});

function again() {
  if (over.has(status)) return finish();
  tries += 1;
  if (!opened || tries > 1) startPolling();
  // Jitter: without it all clients reconnect in the same second after a restart of the server.
  const wait = Math.min(LONGEST_WAIT, 500 * 2 ** Math.min(tries, 8)) * (0.5 + Math.random());
  setTimeout(() => socket || connect(), wait);
}

function startPolling() {
  if (polling) return;
  polling = true;
  schedule(300);
}

function schedule(wait) {
  clearTimeout(poll);
  poll = setTimeout(checkStatus, wait * (0.8 + 0.4 * Math.random()));
}

async function checkStatus() {
  try {
    const headers = page.dataset.token ? { "X-Order-Token": page.dataset.token } : {};
    const asked = etag ? { ...headers, "If-None-Match": etag } : headers;
    const response = await fetch(page.dataset.poll, { headers: asked, cache: "no-store" });
    if (polling && response.status < 500) say("polling", "Looking again every few seconds.");
    if (response.status === 200) {
      etag = response.headers.get("ETag");
      if ((await response.json()).seq > seq) await catchUp();
    }
  } catch {
    // Offline: the next poll tries again, and a socket that seemed open is as dead.
    if (polling) say("off", LOST);
    else if (!over.has(status)) {
      lose();
      again();
    }
  }
  if (!over.has(status)) schedule(polling ? POLL_WITHOUT_SOCKET : POLL_WITH_SOCKET);
}

async function catchUp() {
  const headers = page.dataset.token ? { "X-Order-Token": page.dataset.token } : {};
  const since = page.dataset.poll.replace(/status\/$/, `events/?after_seq=${seq}`);
  const transitions = await (await fetch(since, { headers, cache: "no-store" })).json();
  for (const transition of transitions.results ?? []) show(transition);
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && !socket) connect();
});
addEventListener("pageshow", (event) => {
  if (event.persisted && !socket) connect();
});

// --- Paying with another card -----------------------------------------------------------------

// How long the units are held: counted from what the server said, whatever this clock shows.
let ticking = 0;
function beginPayAgain({ late = false } = {}) {
  const form = page.querySelector("[data-card-form]");
  if (form?.dataset.ready) return;
  clearInterval(ticking);
  if (!form) return;
  form.dataset.ready = "1";
  // The page was opened before the card was declined: Stripe's library is not on it.
  if (late && form.querySelector("[data-stripe]") && !window.Stripe) return location.reload();
  setUpCardForm(form);
  const shown = form.querySelector("[data-countdown]");
  const until = performance.now() + Number(shown.dataset.countdown) * 1000;
  const tick = () => {
    const left = Math.max(0, Math.round((until - performance.now()) / 1000));
    const seconds = String(left % 60).padStart(2, "0");
    shown.textContent = ` (${Math.floor(left / 60)}:${seconds} left)`;
    if (!left) clearInterval(ticking);
  };
  tick();
  ticking = setInterval(tick, 1000);
}

beginPayAgain();
connect();
