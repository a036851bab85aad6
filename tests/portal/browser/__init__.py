"""Customers in a real browser, before the whole system: real servers, real services, no fakes."""
