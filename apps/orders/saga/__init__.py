"""From an accepted order to a confirmed one, or back: the steps and the engine that runs them."""
