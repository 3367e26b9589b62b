"""The shop's third-party packages: pinned, locked with hashes, listed with licences."""
