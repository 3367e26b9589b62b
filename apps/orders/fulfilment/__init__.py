"""What follows a confirmed order: shipping, cancellation, returns."""
