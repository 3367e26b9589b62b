// Stripe's card form, for the checkout and for paying an order again.
//
// The card goes from Stripe's frame to Stripe. This form only gets the token that stands for it.

/**
 * Mount the card form into `form`, where it has a place for one; null where it has none.
 *
 * A submit asks Stripe for a token first. `failed` is called when there is none.
 */
export function setUpCardForm(form, failed = () => {}) {
  const place = form.querySelector("[data-stripe]");
  if (!place || !window.Stripe) return null;
  const client = window.Stripe(place.dataset.key);
  const elements = client.elements({
    mode: "payment",
    // Stripe refuses the amount zero; a cart that costs nothing needs no payment.
    amount: Math.max(Number(place.dataset.amount), 50),
    currency: place.dataset.currency,
    // The shop creates payment intents for cards only.
    paymentMethodTypes: ["card"],
    captureMethod: "manual",
    paymentMethodCreation: "manual",
  });
  elements.create("payment").mount(place);
  const problem = document.getElementById("payment-error");
  const fail = (error) => {
    problem.textContent = error.message;
    problem.hidden = false;
    failed();
    for (const button of form.querySelectorAll("button[disabled]")) button.disabled = false;
  };
  form.addEventListener("submit", async (event) => {
    const token = form.querySelector("[name=payment_method]");
    if (token.value || event.submitter?.name) return; // a button with a name orders nothing
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
