// An order's page that moves as the order does.
//
// A websocket brings each move; it is asked for what came after the last `seq` seen, so a lost
// connection loses nothing. Where it cannot be had or kept, the status is polled with its ETag. And
// because a push can get lost without a trace, the status is asked for now and then all the same.

const page = document.querySelector("[data-order]");
const journey = JSON.parse(document.getElementById("journey").textContent);
const live = page.querySelector("[data-live]");
const over = new Set(["CANCELLED", "RETURNED"]);
const PATIENCE = 30_000; // ms, the longest wait between two tries
const OPENS_WITHIN = 2_500; // ms; a server that is stuck accepts and then says nothing
const POLL = 2_500; // ms between two questions without a socket
const LOOK = 40_000; // ms between two looks beside a socket

let seq = Number(page.dataset.seq);
let status = page.dataset.status;
let tries = 0;
let opened = false;
let socket = null;
let poll = 0;
let polling = false;
let etag = null;

function say(state, words) {
  live.hidden = false;
  live.dataset.state = state;
  live.textContent = words;
}

function show(move) {
  if (!Number.isInteger(move.seq) || move.seq <= seq) return;
  seq = move.seq;
  status = move.status;
  const known = journey[move.status];
  if (known) {
    page.querySelector("[data-label]").textContent = known.label;
    [...page.querySelectorAll("[data-stage]")].forEach((stage, place) => {
      stage.className = known.stages[place];
      if (known.stages[place] === "now") stage.setAttribute("aria-current", "step");
      else stage.removeAttribute("aria-current");
    });
  }
  page.querySelector("[data-message]").textContent = move.message;
  const line = document.createElement("li");
  line.dataset.seq = move.seq;
  line.className = "fresh";
  const time = document.createElement("time");
  time.dateTime = move.updated_at;
  time.textContent = stamp(move.updated_at);
  line.append(time, move.message);
  page.querySelector("[data-timeline]").append(line);
  act(move.next_action);
  fetchExtras();
  // The parcel gets its label a moment after the order is confirmed, without a move of its own.
  if (status === "CONFIRMED") setTimeout(fetchExtras, 4000);
  if (over.has(status)) finish();
}

function stamp(at) {
  const moment = new Date(at);
  const day = moment.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  return `${day}, ${moment.toLocaleTimeString("en-GB", { timeZone: "UTC" })}`;
}

function act(action) {
  const box = page.querySelector("[data-action]");
  const ok = action && /^https?:\/\//.test(action.url || "");
  box.hidden = !ok;
  if (ok) page.querySelector("[data-action-link]").href = action.url;
}

// What a move opens or closes (cancel, return, parcel) is the server's to say.
let extrasRound = 0;
async function fetchExtras() {
  const mine = ++extrasRound;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok || mine !== extrasRound) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of page.querySelectorAll("[data-swap]")) {
      if (part.contains(document.activeElement)) continue; // never under somebody's hands
      const other = fresh.querySelector(`[data-swap="${part.dataset.swap}"]`);
      if (other) part.replaceChildren(...document.adoptNode(other).childNodes);
    }
  } catch {
    // The next move tries again.
  }
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
    schedule(LOOK);
    say("live", "Live: this page moves by itself.");
  });
  socket.addEventListener("message", (event) => {
    tries = 0;
    const move = JSON.parse(event.data);
    if (move.seq > seq + 1) catchUp().catch(() => {});
    else show(move);
  });
  socket.addEventListener("close", (event) => {
    socket = null;
    if (event.code === 4404) return say("off", "This order cannot be watched from here.");
    again();
  });
}

function again() {
  if (over.has(status)) return finish();
  tries += 1;
  if (!opened || tries > 1) startPolling();
  // Jitter: after a restart of the server everybody would else come back in the same second.
  const wait = Math.min(PATIENCE, 500 * 2 ** Math.min(tries, 8)) * (0.5 + Math.random());
  setTimeout(() => socket || connect(), wait);
}

function startPolling() {
  if (polling) return;
  polling = true;
  say("polling", "Looking again every few seconds.");
  schedule(300);
}

function schedule(wait) {
  clearTimeout(poll);
  poll = setTimeout(look, wait * (0.8 + 0.4 * Math.random()));
}

async function look() {
  try {
    const headers = page.dataset.token ? { "X-Order-Token": page.dataset.token } : {};
    const asked = etag ? { ...headers, "If-None-Match": etag } : headers;
    const response = await fetch(page.dataset.poll, { headers: asked, cache: "no-store" });
    if (response.status === 200) {
      etag = response.headers.get("ETag");
      if ((await response.json()).seq > seq) await catchUp();
    }
  } catch {
    // Offline; the next round will tell.
  }
  if (!over.has(status)) schedule(polling ? POLL : LOOK);
}

async function catchUp() {
  const headers = page.dataset.token ? { "X-Order-Token": page.dataset.token } : {};
  const since = page.dataset.poll.replace(/status\/$/, `events/?after_seq=${seq}`);
  const moves = await (await fetch(since, { headers, cache: "no-store" })).json();
  for (const move of moves.results ?? []) show(move);
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && !socket) connect();
});
addEventListener("pageshow", (event) => {
  if (event.persisted && !socket) connect();
});

connect();
