"""The `perkstream` command, and the demonstration that is built from its parts."""
