"""The simulated world and its peers: everything `parcelwatch demo`, the end-to-end tests and the benches talk to.

`world` invents parcels and what carriers say of them; `provider` and `groups` are the tracking provider and
the chat platforms over real HTTP on loopback; `orders` writes the files a merchant would import; `peers`
runs both as a process of its own.
"""
