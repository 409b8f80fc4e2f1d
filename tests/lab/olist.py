"""Real orders (Olist, Brazil) as the lab's two files, and their findings worked out directly with pandas.

The rows stay where they are (see the README beside them): only the tests read them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

DATA = Path(__file__).parents[3] / "shared" / "data" / "olist_orders_sample.csv.gz"
ZONE = "America/Sao_Paulo"
PAID, PICKED, SIGNED = "order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date"


def rows() -> pd.DataFrame:
    """Orders as they are told, times as text."""
    return pd.read_csv(DATA, dtype=str, keep_default_na=False)


def write_files(folder: Path) -> tuple[Path, Path]:
    """`orders.csv` and `events.csv`: paid; handed to the carrier; signed for."""
    told = rows()
    orders = pd.DataFrame(
        {
            "order_no": told["order_id"],
            "platform": "taobao_tmall",
            "shop": "olist",
            "carrier": "correios",
            "waybill_no": told["order_id"],
            "paid_at": told[PAID],
        }
    )
    scans = [
        told.loc[told[column] != "", ["order_id", column]]
        .set_axis(["waybill_no", "occurred_at"], axis=1)
        .assign(milestone=milestone)
        for column, milestone in ((PICKED, "picked_up"), (SIGNED, "delivered"))
    ]
    events = pd.concat(scans).assign(carrier="correios", description="")
    orders.to_csv(folder / "orders.csv", index=False)
    events.to_csv(folder / "events.csv", index=False)
    return folder / "orders.csv", folder / "events.csv"
