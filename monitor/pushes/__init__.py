"""News that come to us: subscriptions opened, pushes taken in and read."""
