// The cart's page without reloads: a quantity, a removal or a code keeps place and focus.
//
// Forms are sent one after the other. What comes back replaces the list; a quantity that was changed
// meanwhile keeps what was typed and is sent next.

const cart = document.querySelector("[data-cart]");
const PAUSE = 350; // ms after the last change of a quantity: a held arrow key is one change
let sending = Promise.resolve();
let pause = 0;

if (cart) {
  cart.addEventListener("change", (event) => {
    if (event.target.closest("form[data-quantity]")) sendSoon(event.target.form);
  });
  // Before the listener of shop.js, which disables the buttons of a form that leaves the page: a
  // button that is disabled loses the focus.
  cart.addEventListener("submit", sendNow, { capture: true });
  // A quantity typed a moment ago counts, also where the next click leads away.
  cart.addEventListener("click", finishFirst);
  addEventListener("pagehide", () => {
    for (const { form } of changed()) {
      fetch(form.action, { method: "POST", body: new FormData(form), keepalive: true }).catch(() => {});
    }
  });
}

function sendSoon(form) {
  clearTimeout(pause);
  pause = setTimeout(() => form.isConnected && send(form), PAUSE);
}

function sendNow(event) {
  event.preventDefault();
  clearTimeout(pause);
  send(event.target, event.submitter);
}

async function finishFirst(event) {
  const link = event.target.closest("a[href]");
  const waiting = changed();
  if (!link || !waiting.length || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  clearTimeout(pause);
  const address = link.href;
  for (const field of waiting) send(field.form);
  await sending;
  if (!cart.querySelector(".line .note.bad")) location.assign(address);
}

function send(form, submitter = null) {
  const body = new FormData(form, submitter);
  const field = form.querySelector("[name=quantity][data-key]");
  if (field) field.dataset.sent = field.value;
  const action = form.action;
  sending = sending.then(async () => {
    cart.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(action, { method: "POST", body });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (page.querySelector("[data-cart]")) show(page);
      else form.submit(); // the session has changed, or too many requests: the page says so
    } catch {
      say("No connection at the moment. Nothing was changed; please try again.");
      for (const button of form.querySelectorAll("button")) button.disabled = false;
    } finally {
      cart.removeAttribute("aria-busy");
    }
  });
}

function show(page) {
  const focused = cart.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  const place = key ? [...cart.querySelectorAll(".line")].indexOf(focused.closest(".line")) : -1;
  const typed = changed().map((field) => [field.dataset.key, field.value]);
  cart.replaceChildren(...document.adoptNode(page.querySelector("[data-cart]")).childNodes);
  for (const [name, value] of typed) {
    const field = find(name);
    if (!field) continue;
    field.value = value;
    if (value !== "") sendSoon(field.form); // an empty one is being typed into
  }
  const tools = document.querySelector(".site-head .tools");
  const fresh = page.querySelector(".site-head .tools");
  if (fresh && !tools.contains(document.activeElement)) tools.replaceWith(document.adoptNode(fresh));
  if (key) {
    // What is gone leaves the focus to its neighbour.
    const lines = cart.querySelectorAll(".line");
    const neighbour = lines[Math.min(place, lines.length - 1)]?.querySelector("[data-key]");
    const next = find(key) || neighbour || cart.querySelector("h1");
    if (next.matches("h1")) next.tabIndex = -1;
    next.focus({ preventScroll: true });
  }
  say(cart.querySelector(".note.bad, .error")?.textContent || cart.querySelector("[data-sum]")?.textContent || "Your cart is empty.");
}

// The fields whose quantity was changed and not sent yet.
function changed() {
  return [...cart.querySelectorAll("form[data-quantity] input[data-key]")].filter(
    (field) => field.value !== (field.dataset.sent ?? field.defaultValue),
  );
}

function find(key) {
  return [...cart.querySelectorAll("[data-key]")].find((part) => part.dataset.key === key);
}

function say(words) {
  document.querySelector("[data-said]").textContent = words.replace(/\s+/g, " ").trim();
}
