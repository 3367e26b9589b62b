// A row that is added to a form opens with its fields. Unfold's rows begin closed, and a new one
// has nothing to show in its title: one had to click on it before one could type.
document.addEventListener("formset:added", ({ target }) => {
  // Read by Alpine after this event: the row has only just been put into the page.
  target.closest("[x-data*=openRow]")?.setAttribute("x-data", "{ openRow: true }");
  const fields = "input:not([type=hidden]):not([type=checkbox]), select, textarea";
  requestAnimationFrame(() => target.querySelector(fields)?.focus());
});
