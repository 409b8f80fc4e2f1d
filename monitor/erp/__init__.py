"""Where shipped orders come from: one file per ERP, pure, found by its registration (`base.kinds`)."""
