"""A stateful stand-in for Stripe, for development and tests. Runs as its own process: app.py."""
