"""How the system is installed and run: the local stack, the command-line tool, manifests."""
