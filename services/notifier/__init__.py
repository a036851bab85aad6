"""The notifier service: the right message, once, in time, or not at all."""
