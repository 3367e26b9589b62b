"""The account's pages: signing in, registering, password, profile, addresses, orders."""
