"""Master keys: what the keys of customers are wrapped under, and the systems that guard them."""
