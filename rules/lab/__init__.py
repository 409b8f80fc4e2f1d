"""The lab's engine: the rules of `rules.judge` over columns, for a million parcels at once (L3).

    m = milestones(orders, events)          # once: the wide frame of milestones, kept
    found = run(m, book, as_of)             # for each policy book

`orders`: one row per order, several may share a parcel. Needed: `parcel` (whole numbers from 0, the parcel's
row). Any of: `order_no, platform, shop, merchant, carrier, waybill_no, status, receiver_province,
receiver_city, warehouse, goods_type, tags` (texts, best as categories; `tags` separated by commas), `amount`
(yuan), `origin` (`省,市` of the warehouse, where the configuration says), and the times `ordered_at, paid_at,
confirmed_at, shipped_at, promised_ship_at, promised_delivery_at, status_at`. A missing column or value is
unknown. `status_at` is when the status was said; without it a status holds from the outset, but `finished`
from `as_of` on.

`events`: one row per scan, in any order. Needed: `parcel`, `occurred_at`, and `milestone` or `text` (best as
categories). A milestone that is given is used as it is, else the text is read; trouble, motion and places are
always those of the text. Any of: `code`, `location` (`省,市,区`), `learned_at`, `withdrawn_at`. Without `learned_at` a scan was
learned when it happened; a parcel with a scan learned at another time is replayed row by row, so give it for
back-dated scans only.

All times are UTC: `datetime64` of any unit with or without the zone UTC, kept to the microsecond. Rows of
events without a time or parcel raise ValueError.

`run` gives one row per stage crossed, sorted by parcel, rule, step and start:
`parcel, rule, stage, step, started_at, crossed_at, ended_at, ended_by, limit_hours, policy, severity, notify,
shadow, risk_low, risk_high`. Times are `datetime64[us]` without a zone, in UTC; `ended_at` is NaT while open
at `as_of`. `rule, stage, policy, ended_by` are categories (`ended_by`: open, cleared, retracted, expired);
`limit_hours` is NaN of trouble the carrier reports; risks are fen as `Int64`, missing where no penalty is known.

The columns model the usual parcel exactly. What they do not model they know: such parcels, and such rules of
single parcels, go through `rules.replay` row by row, so that the result is the row-wise one by construction.
`Milestones.odd` is the share of parcels that must. `run_rowwise` does so for every parcel: the truth of the tests.

A parcel of more than `MOST_ROWS` orders and scans is left out, whatever `as_of`: `Milestones.too_long` names it.

Structural checks are not the lab's (`LEFT_OUT`): they have no limit to try out, and what else a number was used
for is not in the files.
"""

from __future__ import annotations

from rules.lab.applied import LEFT_OUT, run, run_rowwise
from rules.lab.frame import Milestones, milestones
from rules.lab.odd import MOST_ROWS
from rules.lab.sheet import COLUMNS

__all__ = ["COLUMNS", "LEFT_OUT", "MOST_ROWS", "Milestones", "milestones", "run", "run_rowwise"]
