"""The checkout as textbooks have it, for comparison. Never part of the shop."""
