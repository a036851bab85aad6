"""The services: independent processes that share contracts and a runtime, never code of each other."""
