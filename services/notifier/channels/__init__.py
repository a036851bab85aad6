"""The channels: how a rendered message reaches a customer. Each speaks the protocol of its provider."""
