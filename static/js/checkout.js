// Delivery options and totals that follow the address, and Stripe's card form where it is used.

const form = document.querySelector("[data-checkout]");
let round = 0;

async function refresh(reason) {
  const mine = ++round;
  const body = new FormData(form);
  body.set("refresh", reason);
  form.classList.add("busy");
  const focused = document.activeElement?.id || document.activeElement?.value;
  try {
    const response = await fetch(form.action, { method: "POST", body, redirect: "follow" });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (mine !== round) return; // a later change has overtaken this answer
    const parts = ["delivery", "summary"];
    if (reason === "saved") parts.push("address-fields");
    for (const id of parts) {
      const fresh = page.getElementById(id);
      if (fresh) document.getElementById(id).replaceWith(document.adoptNode(fresh));
    }
    stripe?.amount(Number(form.querySelector("[name=expected_total]").value));
    if (focused) {
      const again =
        document.getElementById(focused) ||
        [...form.querySelectorAll("input[type=radio]")].find((input) => input.value === focused);
      again?.focus({ preventScroll: true });
    }
  } catch {
    // Offline for a moment: the server computes everything again when the order is placed.
  } finally {
    if (mine === round) form.classList.remove("busy");
  }
}

form.addEventListener("change", (event) => {
  const field = event.target;
  if (field.name === "saved") refresh("saved");
  else if (["country", "region", "shipping_method", "email"].includes(field.name)) refresh("delivery");
});

const stripe = setUpStripe();

function setUpStripe() {
  const place = form.querySelector("[data-stripe]");
  if (!place || !window.Stripe) return null;
  const client = window.Stripe(place.dataset.key);
  const elements = client.elements({
    mode: "payment",
    // Stripe takes no zero here; a cart that costs nothing is not asked to pay.
    amount: Math.max(Number(place.dataset.amount), 50),
    currency: place.dataset.currency,
    // The shop's intents are for cards only.
    paymentMethodTypes: ["card"],
    captureMethod: "manual",
    paymentMethodCreation: "manual",
  });
  elements.create("payment").mount(place);
  const problem = document.getElementById("payment-error");
  const fail = (error) => {
    problem.textContent = error.message;
    problem.hidden = false;
    form.querySelector("[data-place-order]").disabled = false;
  };
  form.addEventListener("submit", async (event) => {
    const token = form.querySelector("[name=payment_method]");
    if (token.value) return;
    event.preventDefault();
    problem.hidden = true;
    const { error: incomplete } = await elements.submit();
    if (incomplete) return fail(incomplete);
    const { error, paymentMethod } = await client.createPaymentMethod({ elements });
    if (error) return fail(error);
    token.value = paymentMethod.id;
    form.requestSubmit();
  });
  return { amount: (amount) => amount > 0 && elements.update({ amount }) };
}
