"""Points: lots that are earned, wait, are spent, given back and expire; every movement a double entry."""
