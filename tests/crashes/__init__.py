"""A package, so that its running shop is stopped with its last test and not with the session."""
