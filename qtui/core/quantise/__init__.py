"""Making quants here: what can be made, what it will be, what stands against it, and the matrix that helps it."""
