"""The HTTP edge of every service: tokens, problems, limits, paging, commands and probes around its routes."""
