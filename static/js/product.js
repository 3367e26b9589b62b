// Shows price, availability and picture of the chosen options.

const data = document.getElementById("variants");
const form = document.querySelector("[data-buy]");
const rail = document.querySelector(".gallery-main");
const thumbs = [...document.querySelectorAll(".thumbs a")];

function showPicture(index) {
  if (!rail || index == null || !rail.children[index]) return;
  rail.scrollTo({ left: rail.children[index].offsetLeft - rail.offsetLeft, behavior: "auto" });
  mark(index);
}

function mark(index) {
  thumbs.forEach((thumb, place) => {
    if (place === index) thumb.setAttribute("aria-current", "true");
    else thumb.removeAttribute("aria-current");
  });
}

thumbs.forEach((thumb, index) =>
  thumb.addEventListener("click", (event) => {
    event.preventDefault();
    showPicture(index);
  }),
);
if (rail) {
  let waiting = 0;
  rail.addEventListener("scroll", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => mark(Math.round(rail.scrollLeft / rail.clientWidth)), 80);
  });
  rail.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    showPicture(Math.round(rail.scrollLeft / rail.clientWidth) + step);
  });
  mark(0);
}

if (data && form) {
  const variants = JSON.parse(data.textContent);
  const groups = [...form.querySelectorAll(".option")];
  const price = document.querySelector("[data-price]");
  const stock = form.querySelector("[data-stock]");
  const add = form.querySelector("[data-add]");

  const chosen = () =>
    [...form.querySelectorAll("[name^=option-]")]
      .filter((input) => input.type === "hidden" || input.checked)
      .sort((a, b) => Number(a.name.slice(7)) - Number(b.name.slice(7)))
      .map((input) => input.value);
  const find = (values) =>
    variants.find((variant) => variant.values.every((value, place) => value === values[place]));

  function text(tag, content, className) {
    const node = document.createElement(tag);
    node.textContent = content;
    if (className) node.className = className;
    return node;
  }

  function refresh(changed) {
    const values = chosen();
    const variant = find(values);
    groups.forEach((group) => {
      const place = Number(group.dataset.position);
      for (const input of group.querySelectorAll("input")) {
        const other = find(values.map((value, at) => (at === place ? input.value : value)));
        input.closest(".chip").classList.toggle("gone", !other || other.available < 1);
        const note = input.closest(".chip").querySelector("[data-note]");
        note.textContent = other ? other.note : "not made";
      }
    });
    if (!variant) {
      stock.textContent = "This combination does not exist.";
      stock.className = "stock-line out";
      if (add) add.disabled = true;
      return;
    }
    price.replaceChildren(text("span", variant.price, variant.was ? "now" : ""));
    if (variant.was) price.append(text("s", variant.was, "was"));
    stock.textContent = variant.words;
    stock.className = `stock-line ${variant.state}`;
    if (add) {
      add.disabled = variant.available < 1;
      add.textContent = variant.available < 1 ? "Sold out" : "Add to cart";
    }
    if (changed) showPicture(variant.picture);
  }

  form.addEventListener("change", (event) => {
    if (event.target.type === "radio") refresh(true);
  });
  refresh(false);
  const start = find(chosen());
  if (start && start.picture) showPicture(start.picture);
}
