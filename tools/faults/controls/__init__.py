"""Ways to break the running shop, one module for each part of it that is broken."""
