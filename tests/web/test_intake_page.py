"""Files of orders on the console: uploaded, previewed, put right, confirmed; nothing of a buyer is shown or kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.config.settings import Settings
from monitor.intake.staging import MOST, Staging, State, staging_folder
from monitor.intake.take import NONE_FITS, NONE_LEFT
from monitor.store.database import Database
from monitor.web import intake_desk
from monitor.web.i18n import catalogues
from monitor.web.pages import intake
from tests.intake.conftest import NOW
from tests.intake.workbook import locked_workbook
from tests.web.conftest import HERE, Site

HEAD = "order_no,carrier,waybill_no,platform,paid_at\n"
GOOD = HEAD + "".join(f"A-{n},圆通,YT26{n:011d},taobao_tmall,2026-11-18 09:00:00\n" for n in range(12))
FORM = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer waits until the file is read: a test has no page that looks again."""
    monkeypatch.setattr(intake_desk, "PATIENCE", None)


@pytest.fixture
def site(store: Database, make_settings: Callable[..., Settings]) -> Site:
    """An empty site, a few days after the orders of these files."""
    return Site(store, make_settings(), now=NOW)


@pytest.fixture
def staging(site: Site) -> Staging:
    return Staging(staging_folder(site.settings.store, site.settings.path.parent))


def upload(site: Site, content: str | bytes, name: str = "订单.csv", **fields: str) -> str:
    """The file's address, after a form of this site brought it."""
    body = content if isinstance(content, bytes) else content.encode()
    answer = site.ask("POST", "/intake", data=fields, files={"file": (name, body)}, headers=FORM)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def figures(page: str) -> dict[str, str]:
    """The counts by their labels."""
    found = re.findall(r'pw-figure-n">([\d,]+)</span>\s*<span class="pw-figure-label">(\w+)', page)
    return {label: count for count, label in found}


def rows(db: Database, table: str) -> int:
    return db.read_now(lambda conn: conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def everything(db: Database) -> str:
    """All texts of all tables that orders could have gone into."""
    names = ("orders", "parcels", "imports", "mappings", "facets")
    return db.read_now(
        lambda conn: repr([conn.execute(text(f"SELECT * FROM {name}")).fetchall() for name in names])
    )


def test_a_preview_keeps_nothing_and_a_yes_imports_it(site: Site, staging: Staging) -> None:
    where = upload(site, GOOD)
    page = site.get(where).text
    assert figures(page) == {"新增": "12", "更新": "0", "未变": "0", "拒绝": "0"}
    assert page.count('data-label="订单号"') == 10, "ten sample rows"
    assert rows(site.db, "orders") == 0
    assert site.post(f"{where}/confirm").headers["location"] == where
    assert "已导入" in site.get(where).text
    assert (rows(site.db, "orders"), rows(site.db, "parcels")) == (12, 12)
    assert not staging.upload(where.rpartition("/")[2]).exists(), "the upload went with the import"
    assert "新增 12" in site.get("/intake").text


def test_the_same_file_again_is_told_kindly(site: Site) -> None:
    site.post(f"{upload(site, GOOD)}/confirm")
    page = site.get(upload(site, GOOD, name="副本.csv")).text
    assert "同一文件导入过" in page
    assert figures(page) == {"新增": "0", "更新": "0", "未变": "12", "拒绝": "0"}


def test_a_yes_of_hours_later_undoes_nothing_newer(site: Site) -> None:
    """A preview says what was true when its file was uploaded."""
    row = "A-1,圆通,{},taobao_tmall,2026-11-18 09:00:00\n"
    before = upload(site, HEAD + row.format("YT2600000000001"))
    site.now += timedelta(hours=5)
    site.post(f"{upload(site, HEAD + row.format('YT2600000000009'), name='新.csv')}/confirm")
    site.now += timedelta(hours=5)
    site.post(f"{before}/confirm")
    assert figures(site.get(before).text)["旧于已有"] == "1"
    query = text("SELECT waybill_no FROM parcels WHERE state = 'watched'")
    assert site.db.read_now(lambda conn: conn.execute(query).scalars().all()) == ["YT2600000000009"]


TWO = "订单号,快递公司,运单号,退货单号\nA-1,圆通,YT2600000000001,YT9900000000001\n"
OTHERS = {"map_order_no": "订单号", "map_carrier": "快递公司", "map_waybill_no": "退货单号"}


def numbers(site: Site) -> list[str]:
    """The waybills that are known."""
    return list(site.db.read_now(lambda conn: conn.execute(text("SELECT waybill_no FROM parcels")).scalars()))


def test_what_was_previewed_is_what_is_imported(site: Site) -> None:
    """A colleague saves another reading of the same header in between: it counts for the next file."""
    mine = upload(site, TWO)
    theirs = upload(site, TWO, name="别的.csv")
    site.post(f"{theirs}/preview", OTHERS)
    site.post(f"{theirs}/mapping", {"name": "m"})
    after = upload(site, TWO, name="后来.csv")
    site.post(f"{mine}/confirm")
    assert numbers(site) == ["YT2600000000001"]
    site.post("/intake/mappings/remove", {"name": "m"})
    site.post(f"{after}/confirm")
    assert "YT9900000000001" in numbers(site), "it was previewed with the saved table, gone or not"


def test_a_yes_to_a_preview_that_changed_since_is_no_yes(site: Site) -> None:
    where = upload(site, TWO)
    [seen] = re.findall(r'name="seen" value="(\w+)"', site.get(where).text)
    site.post(f"{where}/preview", OTHERS)
    answer = site.post(f"{where}/confirm", {"seen": seen})
    assert answer.status_code == 409
    assert "读法在您打开预览之后改过了" in answer.text
    english = site.post(f"{where}/confirm?lang=en", {"seen": seen}).text
    assert "How this file is read was changed" in english
    assert numbers(site) == []
    [seen] = re.findall(r'name="seen" value="(\w+)"', site.get(where).text)
    site.post(f"{where}/confirm", {"seen": seen})
    assert numbers(site) == ["YT9900000000001"]


def test_rejected_rows_are_handed_back_with_their_reasons(site: Site) -> None:
    where = upload(site, HEAD + "A-1,没有这家,YT1,=cmd|'/c calc'!A1,昨天\nA-2,圆通,YT2600000000001,,\n")
    page = site.get(where).text
    assert figures(page)["拒绝"] == "1"
    assert "认不出快递公司" in page
    back = site.get(f"{where}/rejected")
    assert back.headers["content-disposition"] == 'attachment; filename="rejected.csv"'
    told = back.content.decode("utf-8-sig")
    assert "错误原因" in told
    assert "\"'=cmd" in told, "no spreadsheet takes it for a formula"
    assert site.get(f"{upload(site, GOOD)}/rejected").status_code == 404


def test_a_file_nobody_recognises_is_mapped_by_hand_and_remembered(site: Site) -> None:
    strange = "单,谁送,号\nB-1,圆通,YT8812345678901\n"
    where = upload(site, strange)
    page = site.get(where).text
    assert "认不出表头" in page
    assert page.count('<option value="谁送"') > 20, "every field can be chosen"
    table = {"map_order_no": "单", "map_carrier": "谁送", "map_waybill_no": "号", "map_shop": ""}
    site.post(f"{where}/preview", table)
    page = site.get(where).text
    assert figures(page)["新增"] == "1"
    site.post(f"{where}/mapping", {"name": "群里的表"})
    assert "已保存为" in site.get(where).text
    again = site.get(upload(site, strange.replace("B-1", "B-2"))).text
    assert "按保存的列对应表" in again
    assert figures(again)["新增"] == "1"
    assert "群里的表" in site.get("/intake").text
    site.post("/intake/mappings/remove", {"name": "群里的表"})
    assert "认不出表头" in site.get(upload(site, strange)).text


def test_saving_keeps_what_the_form_says_and_previews_it(site: Site) -> None:
    """Not the reading before: what is chosen now is seen at once, and is what the next file is read by."""
    where = upload(site, TWO)
    site.post(f"{where}/mapping", {**OTHERS, "name": "m", "shop": "甲店"})
    page = site.get(where).text
    assert "YT9900000000001" in page
    assert "已保存为" in page
    assert 'value="甲店"' in page, "and the rest of the form"
    again = upload(site, TWO.replace("A-1", "A-2"), name="后来.csv")
    assert "按保存的列对应表" in site.get(again).text
    site.post(f"{again}/confirm")
    assert numbers(site) == ["YT9900000000001"]


@pytest.mark.parametrize(
    ("form", "code", "words"),
    [
        ({"name": ""}, 422, "写一个名字"),
        ({"name": "a/b"}, 422, "写一个名字"),
        (
            {"name": "m", "map_carrier": "快递公司", "map_order_no": "", "map_waybill_no": ""},
            422,
            "至少要有订单号列",
        ),
    ],
)
def test_a_table_that_is_none_is_not_kept(site: Site, form: dict[str, str], code: int, words: str) -> None:
    answer = site.post(f"{upload(site, TWO)}/mapping", form)
    assert (answer.status_code, words in answer.text) == (code, True)
    assert rows(site.db, "mappings") == 0


def test_the_page_says_what_was_recognised_and_the_platform_apart(site: Site) -> None:
    page = site.get(upload(site, "订单号,快递单号\nA-1,YT2600000000001\n", platform="taobao_tmall")).text
    found = page[page.index("识别为") :].partition("</p>")[0]
    assert "自制表格" in found
    assert "淘宝" not in found
    assert "taobao_tmall" in found.partition("平台：")[2]


# ── nothing to import ────────────────────────────────────────────────────────────────────────────────


NOTHING = {
    "only rejected rows": (HEAD + "A-1,没有这家,YT2600000000001,,\nA-2,没有那家,YT2600000000002,,\n", NONE_FITS),
    "only rows to ignore": (
        "order_no,waybill_no,status\nA-1,YT2600000000001,交易关闭\nA-2,,等待买家付款\n", NONE_LEFT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NOTHING)
def test_where_nothing_can_be_imported_nothing_is_confirmed(site: Site, what: str) -> None:
    content, words = NOTHING[what]
    where = upload(site, content)
    page = site.get(where).text
    assert words in page
    assert "/confirm" not in page
    assert "已导入" not in page
    answer = site.post(f"{where}/confirm")
    assert (answer.status_code, words in answer.text) == (422, True)
    assert "已导入" not in site.get(where).text
    assert rows(site.db, "imports") == 0


def test_rows_that_became_nothing_are_shown_with_their_number_and_reason(site: Site) -> None:
    page = site.get(upload(site, NOTHING["only rejected rows"][0])).text
    samples = page[page.index('id="samples"') :]
    for each in ("A-1", "YT2600000000002", "认不出快递公司"):
        assert each in samples
    page = site.get(upload(site, NOTHING["only rows to ignore"][0])).text
    aside = page[page.index("不导入的行") :]
    for each in ("交易已关闭，不再监控", "还没付款", "A-2"):
        assert each in aside


@pytest.mark.parametrize("cell", ["王小明", "13812345678", "zhang@example.com", "某区示例路9号"])
def test_a_row_that_became_nothing_shows_only_what_is_a_number(site: Site, cell: str) -> None:
    """A name in the order column of a rejected row is still a name."""
    assert cell not in site.get(upload(site, HEAD + f"{cell},没有这家,YT1234567,,\n")).text


def test_an_end_of_an_order_that_is_watched_can_be_confirmed(site: Site) -> None:
    site.post(f"{upload(site, HEAD + 'A-1,圆通,YT2600000000001,,')}/confirm")
    where = upload(site, "order_no,waybill_no,status\nA-1,YT2600000000001,交易关闭\n")
    assert "/confirm" in site.get(where).text
    site.post(f"{where}/confirm")
    assert "已导入" in site.get(where).text


def test_a_column_can_be_left_unread(site: Site) -> None:
    where = upload(site, GOOD)
    fields = dict.fromkeys(("order_no", "carrier", "waybill_no"))
    form = {f"map_{name}": name for name in fields} | {"map_paid_at": "", "map_platform": ""}
    site.post(f"{where}/preview", form)
    site.post(f"{where}/confirm")
    told = site.db.read_now(
        lambda conn: conn.execute(text("SELECT platform, paid_at FROM orders")).fetchall()
    )
    assert set(map(tuple, told)) == {("", None)}


def test_what_the_file_does_not_say_is_asked(site: Site) -> None:
    where = upload(
        site, "订单号,快递公司,快递单号\nA-1,圆通,YT2600000000001\n", shop="甲店", platform="douyin"
    )
    site.post(f"{where}/confirm")
    [told] = site.db.read_now(lambda conn: conn.execute(text("SELECT platform, shop FROM orders")).fetchall())
    assert tuple(told) == ("douyin", "甲店")


def test_a_locked_workbook_asks_and_its_password_is_kept_nowhere(site: Site, tmp_path: Path) -> None:
    rows_ = [HEAD.strip().split(","), ["A-1", "圆通", "YT2600000000001", "", ""]]
    where = upload(site, locked_workbook(rows_, "geheim-77"), "快手.xlsx")
    assert 'type="password"' in site.get(where).text
    site.post(f"{where}/preview", {"password": "wrong-88"})
    assert "密码不对" in site.get(where).text
    site.post(f"{where}/preview", {"password": "geheim-77"})
    assert figures(site.get(where).text)["新增"] == "1"
    site.post(f"{where}/confirm")
    assert rows(site.db, "orders") == 1
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"geheim-77" not in kept
    assert b"wrong-88" not in kept
    assert "geheim-77" not in repr(site.app.state.intake_desk)


def test_several_files_at_once_are_joined_by_their_numbers(site: Site) -> None:
    """千牛's order list and parcel list, in either order (quirks 14 and 17)."""
    orders = (
        "订单编号,买家会员名,买家应付货款,宝贝标题,订单状态,订单付款时间,店铺名称\n"
        "310000000000000001,t,10,杯,卖家已发货，等待买家确认,2026-11-18 09:00:00,甲店\n"
    )
    parcels = "订单编号,物流单号,物流公司\n310000000000000001,YT2600000000001,圆通速递\n"
    for first, second, missing in (
        (orders, parcels, "没有运单号列"),
        (parcels, orders, "没有付款时间和订单状态"),
    ):
        where = upload(site, first)
        assert missing in site.get(where).text
        site.post(f"{where}/confirm")
        site.post(f"{upload(site, second)}/confirm")
        told = site.db.read_now(
            lambda conn: conn.execute(
                text(
                    "SELECT o.platform, o.shop, o.paid_at IS NOT NULL, p.waybill_no FROM orders o"
                    " JOIN order_parcels l ON l.order_id = o.id JOIN parcels p ON p.id = l.parcel_id"
                )
            ).fetchall()
        )
        assert [tuple(row) for row in told] == [("taobao_tmall", "甲店", 1, "YT2600000000001")]
        assert rows(site.db, "orders") == 1
        for table in ("order_parcels", "due", "parcels", "orders"):
            site.db.write_now(lambda conn, table=table: conn.execute(text(f"DELETE FROM {table}")))


def test_several_files_of_one_form_are_all_staged(site: Site) -> None:
    files = [("file", (f"{n}.csv", GOOD.encode())) for n in range(3)]
    answer = site.ask("POST", "/intake", files=files, headers=FORM)
    assert answer.headers["location"] == "/intake"
    assert site.get("/intake").text.count("等待确认") == 3


# ── nothing of a buyer ───────────────────────────────────────────────────────────────────────────────


def test_names_streets_and_phones_are_neither_shown_nor_kept(site: Site) -> None:
    name, street, phone = "欧阳测试", "示例路一号", "13812345678"
    content = (
        "订单编号,买家会员名,买家应付货款,宝贝标题,订单状态,收货地址,订单付款时间,物流单号,物流公司,收货人姓名,联系手机\n"
        f"310000000000000001,t,10,杯,已发货,浙江省 杭州市 某区 {street},2026-11-18 09:00:00,"
        f"SF2600000000001,顺丰速运,{name},{phone}\n"
    )
    where = upload(site, content)
    page = site.get(where).text
    staged = (
        staging_folder(site.settings.store, site.settings.path.parent) / f"{where.rpartition('/')[2]}.json"
    ).read_text()
    site.post(f"{where}/confirm")
    for secret in (name, street, phone):
        assert secret not in page
        assert secret not in staged
        assert secret not in everything(site.db)
    assert rows(site.db, "orders") == 1


BUYERS = {
    "a phone": "王小明,13800001234,中通",
    "a spaced phone": "王小明,138 0000 1234,中通",
    "a starred phone": "王小明,138****1234,中通",
    "a number and a street": "6920254321098765432,王小明,13800001234,浙江省杭州市西湖区文三路9号,中通,75812345678901",
    "a street": "王小明,浙江省杭州市西湖区文三路9号,中通",
    "a day": "王小明,杭州,2025-1-2",
    "names alone": "王小明,杭州,中通",
    "letters alone": "Wang Xiaoming,Hangzhou,ZTO",
}


@pytest.mark.parametrize("what", BUYERS)
def test_nothing_of_a_first_row_that_is_no_header_is_written_down(
    site: Site, staging: Staging, what: str
) -> None:
    where = upload(site, BUYERS[what] + "\n" + BUYERS[what] + "\n")
    note = staging.upload(where.rpartition("/")[2]).with_suffix(".json").read_text("utf-8")
    page = site.get(where).text
    assert "像是数据，不像表头" in page
    for cell in BUYERS[what].split(","):
        assert cell not in note
        assert cell not in page


# ── the door ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}]
)
def test_another_sites_form_uploads_nothing(site: Site, headers: dict[str, str]) -> None:
    answer = site.ask("POST", "/intake", files={"file": ("a.csv", GOOD.encode())}, headers=headers)
    assert answer.status_code == 403
    assert "已上传" not in site.get("/intake").text


def test_more_than_50_mb_is_refused_before_it_is_read(site: Site) -> None:
    headers = {**FORM, "Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(60 << 20)}
    answer = site.ask("POST", "/intake", content=b"", headers=headers)
    assert answer.status_code == 413
    assert "50 MB" in answer.text


BROKEN = {
    "no form": ("text/plain", b"x"),
    "no boundary": ("multipart/form-data", b"x"),
    "cut off": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nab'),
    "no file": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="shop"\r\n\r\nab\r\n--x--\r\n'),
    "nonsense": ("multipart/form-data; boundary=x", b"\x00\x01\x02"),
    "a field without end": ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="shop"\r\n\r\n' + b"a" * 9000),
    "a header without end": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: " + b"a" * 9000),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_form_that_is_none_leaves_nothing(site: Site, how: str, tmp_path: Path) -> None:
    kind, body = BROKEN[how]
    answer = site.ask("POST", "/intake", content=body, headers={**FORM, "Content-Type": kind})
    assert 400 <= answer.status_code < 500
    assert not list(tmp_path.rglob("*.upload"))


@pytest.mark.parametrize("token", ["x", "0" * 32, "..%2f..%2fparcelwatch", "0" * 31 + "g"])
def test_a_file_that_is_not_there(site: Site, token: str) -> None:
    assert site.get(f"/intake/{token}").status_code == 404
    for step in ("preview", "confirm", "discard", "mapping"):
        assert site.post(f"/intake/{token}/{step}").status_code == 404


def test_a_hostile_name_is_only_a_name(site: Site, staging: Staging) -> None:
    where = upload(site, GOOD, name="../../<b>13812345678</b>.csv")
    page = site.get(where).text
    assert "&gt;.csv" in page
    assert "<b>" not in page
    assert "13812345678" not in page
    assert staging.upload(where.rpartition("/")[2]).is_file()


def test_what_is_discarded_is_gone(site: Site, staging: Staging, tmp_path: Path) -> None:
    where = upload(site, GOOD)
    site.post(f"{where}/discard")
    assert not list(tmp_path.rglob("*.upload"))
    assert site.get(where).status_code == 404


def test_a_colleagues_many_uploads_take_nobodys_preview(site: Site, staging: Staging) -> None:
    mine = upload(site, GOOD)
    for _ in range(MOST - 1):
        upload(site, HEAD)
    answer = site.ask("POST", "/intake", files={"file": ("21.csv", GOOD.encode())}, headers=FORM)
    assert answer.status_code == 429
    files = {"file": ("21.csv", GOOD.encode())}
    english = site.ask("POST", "/intake?lang=en", files=files, headers=FORM).text
    assert "Confirm or discard a few first" in english
    assert "请先确认或丢弃几个" in answer.text
    assert site.get(mine).status_code == 200
    site.post(f"{mine}/confirm")
    assert upload(site, HEAD)


def test_after_a_day_an_upload_is_gone(site: Site, staging: Staging) -> None:
    where = upload(site, GOOD)
    path = staging.upload(where.rpartition("/")[2])
    assert path.stat().st_mode & 0o077 == 0
    site.now += timedelta(days=1)
    assert "等待确认" in site.get("/intake").text
    site.now += timedelta(seconds=1)
    assert "等待确认" not in site.get("/intake").text
    assert not list(path.parent.iterdir())


def test_a_turn_the_service_did_not_finish_can_be_taken_again(site: Site, staging: Staging) -> None:
    where = upload(site, GOOD)
    staged = staging.find(where.rpartition("/")[2])
    assert staged is not None
    staging.keep(replace(staged, state=State.IMPORTING))
    assert "服务重启过" in site.get(where).text
    site.post(f"{where}/confirm")
    assert rows(site.db, "orders") == 12


def test_every_refusal_of_the_page_is_in_english_too() -> None:
    told = re.findall(r'HTTPException\(\s*\d+,\s*"([^"]+)"', Path(intake.__file__).read_text("utf-8"))
    assert len(told) >= 8
    assert {text for text in (*told, NONE_FITS, NONE_LEFT) if text not in catalogues()["en"]} == set()


def test_the_page_speaks_english_too(site: Site) -> None:
    for address in ("/intake", upload(site, HEAD + "A-1,没有这家,YT1,,\n")):
        page = site.get(f"{address}?lang=en").text
        body = re.sub(
            r'translate="no"[^>]*>[^<]*|<title>.*?</title>',
            "",
            page[page.index("<main") : page.index("</main>")],
        )
        body = re.sub(r'(?:value|lang)="[^"]*"|<option.*?</option>', "", body)
        left = set(re.findall(r"[\u4e00-\u9fff]+", body))
        assert left <= {"认不出快递公司", "没有这家", "导入", "订单"} | {
            word for word in left if "快递" in word
        }, left
