"""Profile: what customers have told of themselves, what that unlocks, and how all of it is forgotten."""
