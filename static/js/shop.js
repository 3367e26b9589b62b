// Small comforts for every page. Nothing here is needed to buy.

const root = document.documentElement;
root.classList.add("script");

// An error came back: start reading there.
const first =
  document.querySelector("[data-focus]") || document.querySelector("main [aria-invalid=true]");
if (first) first.focus({ preventScroll: false });

// A select or quantity that sends its form when it changes.
for (const form of document.querySelectorAll("form[data-autosubmit]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// The filters stand open where there is room for them.
const facets = document.querySelector("[data-facets]");
if (facets) {
  const wide = matchMedia("(min-width: 64rem)");
  const follow = () => {
    if (wide.matches) facets.open = true;
  };
  wide.addEventListener("change", follow);
  follow();
}

// One press is one request; the server does not depend on it.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button[type=submit]:not([name])");
    if (button) setTimeout(() => (button.disabled = true));
  });
}
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[method=post] button[disabled]")) {
    button.disabled = false;
  }
});

const current = document.querySelector(".shelves [aria-current]");
if (current) current.scrollIntoView({ block: "nearest", inline: "center" });
