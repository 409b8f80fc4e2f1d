"""The store's keeping: migrate, backup, restore, purge."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from monitor import upkeep
from monitor.cli.common import as_json, config_option, json_option, open_store, progress, say, settings_from
from monitor.clock import wall
from monitor.config.settings import Settings
from monitor.store import retention
from monitor.store.archive import Watch
from monitor.store.backends import parse_url
from monitor.store.backup import Backup, back_up
from monitor.store.database import Database
from monitor.store.errors import StoreOutdated
from monitor.store.migration import schema_state
from monitor.store.opening import key_file
from monitor.store.restore import Restored
from monitor.store.restore import restore as restore_store
from monitor.store.upkeep import note
from monitor.upgrade import nobody_works, upgrade

__all__ = ["COMMANDS"]

_STAGES: Final = {
    "copy": "复制",
    "check": "检查",
    "pack": "压缩",
    "verify": "核对",
    "load": "装入",
}


@click.command("backup")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option
@click.option("--force", is_flag=True, help="FILE 已存在时覆盖它")
@click.option("--without-key", is_flag=True, help="不带密钥文件：手机尾号要另存的密钥才打得开")
@json_option
def backup(file: Path | None, config: Path | None, force: bool, without_key: bool, as_json_: bool) -> None:
    """备份数据库到 FILE，服务运行中也可以；做完会检查一遍，再给它名字。

    不写 FILE 就放进配置里 [backup] folder，按时间命名，只留最新的 keep 份。
    """
    settings = settings_from(config)
    with progress(as_json_, _STAGES) as watch:
        if file is None:
            made, gone = _into_folder(settings, without_key, watch)
        else:
            key = key_file(settings.store, settings.path.parent)
            target = file.absolute()
            made = back_up(
                settings.store,
                target,
                key=key,
                now=wall(),
                with_key=not without_key,
                force=force,
                watch=watch,
            )
            gone = []
    if as_json_:
        as_json([_backup_data(made, gone)])
        return
    say(
        f"已备份到 {made.path}：{_size(made.bytes)}，{made.manifest.rows:,} 行，结构 {made.manifest.revision}，已检查。"
    )
    for path in gone:
        say(f"旧备份已删除：{path.name}")
    say(_about_key(made))


def _into_folder(settings: Settings, without_key: bool, watch: Watch) -> tuple[Backup, list[Path]]:
    folder = settings.backup.folder
    if folder is None:
        raise click.UsageError("没有写 FILE，配置里也没有 [backup] folder；请写明备份到哪个文件。")
    if schema_state(settings.store) == "absent":
        raise StoreOutdated("数据库还没有建立，没有东西可以备份。")
    now = wall()
    with open_store(settings) as db:
        made, gone = db.read_now(
            lambda conn: upkeep.scheduled_backup(
                conn, settings, folder, now, with_key=not without_key, watch=watch
            )
        )
        told = f"{made.path.name}，{made.bytes:,} 字节，{made.manifest.rows:,} 行"
        for name in (upkeep.BACKUP, upkeep.BACKUP_GOOD):
            db.write_now(partial(note, name=name, at=now, detail=told))
    return made, gone


def _about_key(made: Backup) -> str:
    match made.manifest.key:
        case "inside":
            return "里面有密钥文件：拿到这个文件的人能打开手机尾号，请像密码一样保管。"
        case "left_out":
            return (
                f"里面没有密钥文件。手机尾号是加密存的，没有 {made.key_path} 就再也打不开，"
                "需要手机号的快递（如顺丰）会查不到轨迹。请另外保存它。"
            )
        case "none":
            return "还没有加密的字段，所以没有密钥文件。"


def _backup_data(made: Backup, gone: list[Path]) -> dict[str, Any]:
    manifest = made.manifest
    return {
        "file": str(made.path),
        "bytes": made.bytes,
        "created_at": manifest.created_at.isoformat(),
        "database": manifest.dialect,
        "revision": manifest.revision,
        "key": manifest.key,
        "rows": manifest.rows,
        "tables": {table.name: table.rows for table in manifest.tables},
        "removed": [str(path) for path in gone],
    }


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@click.option("--dry-run", is_flag=True, help="只检查备份能不能用，什么都不改")
@json_option
def restore(file: Path, config: Path | None, dry_run: bool, as_json_: bool) -> None:
    """用备份 FILE 换下现在的数据库；原来的数据改名留着。先停止 parcelwatch run。

    先全部检查、准备好，最后一步才换；中途被打断就什么都没变。SQLite 和 PostgreSQL 的备份可以互相恢复。
    """
    settings = settings_from(config)
    key = key_file(settings.store, settings.path.parent)
    with progress(as_json_, _STAGES) as watch, nobody_works(settings.store, "恢复", traceless=dry_run):
        done = restore_store(settings.store, file, key=key, now=wall(), dry_run=dry_run, watch=watch)
    if as_json_:
        as_json([_restored_data(done)])
        return
    manifest = done.manifest
    made = manifest.created_at.astimezone(settings.timezone)
    what = f"{made:%Y-%m-%d %H:%M} 的备份，{manifest.rows:,} 行，结构 {manifest.revision}"
    say(f"已恢复：{what}。" if done.done else f"这份备份可以用来恢复：{what}。没有做任何改动。")
    if done.done and done.kept:
        say(_where_kept(settings, done.kept))
    if done.sealed:
        say(
            f"注意：有 {done.sealed} 个订单的手机尾号是加密的，备份里没有密钥文件，{key} 也不存在。"
            "请把当时的密钥文件放到那里；否则这些订单要重新导入才有手机尾号。"
        )


def _where_kept(settings: Settings, kept: str) -> str:
    if parse_url(settings.store).get_backend_name() == "sqlite":
        return f"原来的数据库留在 {kept}，确认无误后可以删除。"
    return f"原来的表留在模式 {kept} 里，确认无误后可以删除：DROP SCHEMA {kept} CASCADE"


def _restored_data(done: Restored) -> dict[str, Any]:
    manifest = done.manifest
    return {
        "restored": done.done,
        "created_at": manifest.created_at.isoformat(),
        "database": manifest.dialect,
        "revision": manifest.revision,
        "key": manifest.key,
        "rows": manifest.rows,
        "tables": {table.name: table.rows for table in manifest.tables},
        "kept": done.kept,
        "sealed_without_key": done.sealed,
    }


@click.command("purge")
@config_option
@click.option("--dry-run", is_flag=True, help="只数一数到期的有多少，什么都不删")
@json_option
def purge(config: Path | None, dry_run: bool, as_json_: bool) -> None:
    """删除过了保留期的数据（[retention]）；还没有结束的一概不删。服务每天也会自己做。"""
    settings = settings_from(config)
    now = wall()
    with open_store(settings) as db:
        due = db.read_now(lambda conn: retention.count(conn, settings.retention, now))
        gone = due if dry_run else {kind: _purge(db, settings, kind, now) for kind in retention.KINDS}
        if not dry_run:
            db.write_now(partial(note, name=upkeep.PURGE, at=now, detail="手动"))
    if as_json_:
        as_json([{"kind": kind, "rows": gone[kind], "purged": not dry_run} for kind in retention.KINDS])
        return
    for kind in retention.KINDS:
        if gone[kind]:
            say(f"{retention.KINDS_ZH[kind]}：{gone[kind]:,}")
    if not any(gone.values()):
        say("没有到期的数据。")
    elif dry_run:
        say("（试运行，没有删除）")


def _purge(db: Database, settings: Settings, kind: str, now: Any) -> int:
    total = 0
    while True:
        done = db.write_now(lambda conn: retention.purge_some(conn, kind, settings.retention, now))
        total += done
        if done < retention.BATCH:
            return total


@click.command("migrate")
@config_option
@click.option("--no-backup", is_flag=True, help="升级前不自动备份")
@json_option
def migrate(config: Path | None, no_backup: bool, as_json_: bool) -> None:
    """建立数据库，或升级到本版本的结构；里面有数据时先备份在数据库旁边。"""
    settings = settings_from(config)
    key = key_file(settings.store, settings.path.parent)
    with progress(as_json_, _STAGES) as watch:
        done = upgrade(
            settings.store,
            key=key,
            now=wall(),
            folder=settings.backup.folder,
            without_backup=no_backup,
            watch=watch,
        )
    if as_json_:
        as_json([{"steps": list(done.steps), "backup": str(done.backup.path) if done.backup else ""}])
        return
    if done.backup is not None:
        say(f"升级前已备份到 {done.backup.path}。")
    say(f"已执行：{'、'.join(done.steps)}" if done.steps else "数据库已是最新。")


def _size(length: int) -> str:
    return f"{length / 1e6:,.1f} MB"


COMMANDS: Final = (migrate, backup, restore, purge)
