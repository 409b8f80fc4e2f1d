"""`parcelwatch check`: what is wrong or odd with the configuration, the machine and the services outside."""
