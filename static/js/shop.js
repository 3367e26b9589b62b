// Small conveniences on every page. Buying works without this script.

import { localise } from "./times.js";

const root = document.documentElement;
root.classList.add("script");
localise(document);

// The form came back with an error: move the focus there.
const first =
  document.querySelector("[data-focus]") || document.querySelector("main [aria-invalid=true]");
if (first) first.focus({ preventScroll: false });

// A select that sends its form when it changes; quantities in the cart are sent by cart.js.
for (const form of document.querySelectorAll("form[data-autosubmit]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// Open the filters where the window is wide enough.
const facets = document.querySelector("[data-facets]");
if (facets) {
  const wide = matchMedia("(min-width: 64rem)");
  const follow = () => {
    if (wide.matches) facets.open = true;
  };
  wide.addEventListener("change", follow);
  follow();
}

// Disable the button after a submission, against double clicks; the server does not rely on it.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const buttons = form.querySelectorAll("button[type=submit]:not([name])");
    setTimeout(() => buttons.forEach((button) => (button.disabled = true)));
  });
}
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[method=post] button[disabled]")) {
    button.disabled = false;
  }
});

const current = document.querySelector(".categories [aria-current]");
if (current) current.scrollIntoView({ block: "nearest", inline: "center" });
