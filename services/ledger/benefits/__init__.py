"""Benefits: what unlocks them, what they give, and when they end."""
