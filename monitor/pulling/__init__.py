"""Shipped orders pulled from ERP accounts: page by page, and what their documents mean for orders."""
