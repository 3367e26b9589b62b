// Updates delivery options and totals when the address changes; Stripe's card form where it is used.
//
// An answer of the server never takes focus, typed text or a press of a button: only the parts that
// hold prices are replaced (data-part), not while a pointer is down, and a field is filled only from
// the address book, and only if nobody has typed into it since it was asked for.

import { setUpCardForm } from "./card_form.js";

const form = document.querySelector("[data-checkout]");
const ADDRESS = ["name", "country", "line1", "line2", "city", "region", "postal_code", "phone"];
const PRICED_BY = ["country", "region", "shipping_method", "email"];
let round = 0;
let edits = 0; // grows with each change by hand
let lastEdit = {}; // field → the edit that changed it last
let typed = null; // the address as typed by hand, before one of the book took its place
let sent = false;

// --- Presses: what is replaced between press and release swallows the click -----------------------

let released = Promise.resolve();
form.addEventListener("pointerdown", () => {
  released = new Promise((done) => {
    const over = () => setTimeout(done); // after the click that follows the release
    addEventListener("pointerup", over, { once: true });
    addEventListener("pointercancel", over, { once: true });
  });
});

// --- Prices ---------------------------------------------------------------------------------------

async function ask(reason) {
  const mine = ++round;
  const asked = edits;
  const body = new FormData(form);
  body.set("refresh", reason);
  form.classList.add("busy");
  try {
    const response = await fetch(form.action, { method: "POST", body, redirect: "follow" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!page.querySelector("[data-checkout]")) return; // an error page: prices come with the order
    await released;
    if (mine !== round) return; // a later change has been asked for since
    for (const part of form.querySelectorAll("[data-part]")) replace(part, page.getElementById(part.id));
    if (reason === "saved") fillIn(page, asked);
    for (const name of ["key", "cart", "csrfmiddlewaretoken"]) {
      const fresh = page.querySelector(`[data-checkout] [name=${name}]`);
      if (fresh) form.elements[name].value = fresh.value;
    }
    const total = form.elements.expected_total.dataset;
    const payment = document.getElementById("payment");
    if (total.nothingToPay !== payment.dataset.nothingToPay) {
      // Whether a card is asked for at all: a form of its own, which the server draws.
      const submitted = document.createElement("input");
      submitted.type = "hidden";
      submitted.name = "refresh";
      submitted.value = reason;
      form.append(submitted);
      sent = true;
      form.submit();
      return;
    }
    stripe?.amount(Number(total.stripeAmount));
  } catch {
    // Offline for a moment: the server computes everything again when the order is placed.
  } finally {
    if (mine === round) form.classList.remove("busy");
  }
}

function replace(part, fresh) {
  if (!fresh || part.innerHTML === fresh.innerHTML) return;
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const chosen = part.querySelector("input[type=radio]:checked")?.value;
  part.replaceChildren(...document.adoptNode(fresh).childNodes);
  const radios = [...part.querySelectorAll("input[type=radio]")];
  const same = radios.find((radio) => radio.value === chosen);
  if (same) same.checked = true;
  if (focused) {
    const again = radios.find((radio) => radio.value === focused.value) || part.querySelector("button, a");
    again?.focus({ preventScroll: true });
  }
}

function fillIn(page, asked) {
  for (const name of ADDRESS) {
    if (lastEdit[name] > asked) continue; // typed while the answer was on its way
    const fresh = page.querySelector(`[data-checkout] [name=${name}]`);
    if (fresh) form.elements[name].value = fresh.value;
  }
}

// --- The address book -----------------------------------------------------------------------------

const book = form.elements.saved;
const keepBox = document.getElementById("save-address");

function follow() {
  if (keepBox) keepBox.hidden = Boolean(book?.value);
}

form.addEventListener("input", (event) => {
  const name = event.target.name;
  lastEdit[name] = ++edits;
  if (ADDRESS.includes(name) && book?.value) {
    book.value = ""; // changed by hand: it is not the one of the book any more
    typed = null;
    follow();
  }
});

form.addEventListener("change", (event) => {
  const name = event.target.name;
  lastEdit[name] = ++edits;
  if (name === "saved") {
    const before = Object.fromEntries(ADDRESS.map((field) => [field, form.elements[field].value]));
    if (book.value) typed ??= before;
    else if (typed) {
      for (const field of ADDRESS) form.elements[field].value = typed[field];
      typed = null;
      follow();
      ask("delivery");
      return;
    }
    follow();
    ask("saved");
  } else if (PRICED_BY.includes(name)) ask("delivery");
});
// The first entry stood there when the page was opened: no address was typed before it.
if (book?.value) typed = Object.fromEntries(ADDRESS.map((name) => [name, name === "country" ? form.elements.country.value : ""]));
follow();

// --- Leaving --------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  if (!event.defaultPrevented) sent = true;
});
addEventListener("pageshow", () => (sent = false));
addEventListener("pagehide", () => {
  if (sent || !edits) return;
  const body = new FormData(form);
  body.set("refresh", "keep"); // a look at the cart or a sign-in loses nothing
  fetch(form.action, { method: "POST", body, keepalive: true }).catch(() => {});
});

// --- Stripe ---------------------------------------------------------------------------------------

const stripe = setUpCardForm(form, () => (sent = false));
