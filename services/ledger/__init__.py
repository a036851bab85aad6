"""The ledger: points that explain themselves, redemptions at the till, and benefits."""
