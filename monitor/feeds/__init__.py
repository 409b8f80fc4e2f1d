"""How the carriers' news come in: the health of accounts and of each carrier behind them."""
