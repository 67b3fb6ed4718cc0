"""Where a ledger's file lies: the disk, the folder, and who may read it. Nothing is written and nothing is made."""

import os
import re
import stat
from pathlib import Path

from attrs import frozen

from paypro_async.errors import ConfigurationError
from paypro_async.ledger.file import open_to_others, real_path, second_name, writable_by_all
from paypro_async.ledger.sql.provenance.watermark import mark_beside, mark_elsewhere

__all__ = ["Disk", "is_network", "is_passing", "look_at_disk"]

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")
# fmt: off
_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "gfs2", "ocfs2",
    "gpfs", "vboxsf", "virtiofs", "prl_fs", "vmhgfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse",
    "fuse.glusterfs", "fuse.ceph-fuse", "fuse.vmhgfs-fuse",
})
# fmt: on
_PASSING = frozenset({"tmpfs", "ramfs", "devtmpfs"})


@frozen(kw_only=True)
class Disk:
    """What there is to know of a ledger's file and its folder.

    Args:
        folder: Where it lies, or will.
        exists: Whether the file is there.
        wrong: Why it cannot be written there.
        free: Bytes that are free for it; None if that is not told.
        kind: Of the file system, ``ext4``; None if that is not told.
        mark: The mark that notices an older copy, and *is_marked* whether it is there.
        mark_elsewhere: The other place that the environment names for one, if it does.
        mark_wrong: Why that place cannot be used.
        exposed: Who else may read or change it, and what to do; None if only its owner may.
        shared: Whether all users may put a file of their own into its folder.
    """

    folder: Path
    mark: Path
    exists: bool = False
    wrong: str | None = None
    free: int | None = None
    kind: str | None = None
    is_marked: bool = False
    mark_elsewhere: str | None = None
    mark_wrong: str | None = None
    exposed: str | None = None
    shared: bool = False


def look_at_disk(file: Path) -> Disk:
    """Look at the folder of a ledger, and at the file if it is there."""
    path = real_path(file)
    folder = path.parent
    elsewhere = os.environ.get("PAYPRO_LEDGER_MARK") or None
    return Disk(
        folder=folder,
        exists=_is_there(path),
        wrong=_wrong(path),
        free=_free(folder),
        kind=_kind(folder),
        mark=mark_beside(path),
        is_marked=_is_there(mark_beside(path)),
        mark_elsewhere=elsewhere,
        mark_wrong=_mark_wrong(elsewhere) if elsewhere else None,
        exposed=_exposed(path),
        shared=_shared(folder),
    )


def is_network(kind: str | None) -> bool:
    """Whether files of this kind are kept by another machine, so that SQLite's log does not work on them."""
    return kind in _NETWORK


def is_passing(kind: str | None) -> bool:
    """Whether files of this kind are gone when the machine is started anew."""
    return kind in _PASSING


def _wrong(path: Path) -> str | None:
    folder = path.parent
    try:
        if not folder.is_dir():
            return f"the folder {folder} is not there"
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"the folder {folder} may not be written by this user, and SQLite keeps its log there"
        if _is_there(path) and not os.access(path, os.R_OK | os.W_OK):
            return f"{path} may not be read and written by this user"
        if _is_there(path) and not path.is_file():
            return f"{path} is no file. Name a file for the ledger"
        if not _is_there(path) and path.is_symlink():
            return f"{path} is a link that leads nowhere. Mend it, or name the file itself"
        return second_name(path, path.stat().st_nlink) if _is_there(path) else None
    except OSError as error:
        return f"{folder} cannot be looked at: {error.strerror}"


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _free(folder: Path) -> int | None:
    try:
        found = os.statvfs(folder)
    except (OSError, AttributeError):
        return None
    return found.f_bavail * found.f_frsize


def _kind(folder: Path) -> str | None:
    """The kind of the file system, as Linux tells it: that of the mount that lies nearest above."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    nearest: tuple[int, str | None] = (-1, None)
    for line in mounts:
        place, _, about = line.partition(" - ")
        if len(fields := place.split(" ")) < 5 or not about:
            continue
        point = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4]))
        # A later mount at the same point hides an earlier one.
        if (folder == point or point in folder.parents) and len(point.parts) >= nearest[0]:
            nearest = len(point.parts), about.split(" ")[0]
    return nearest[1]


def _exposed(path: Path) -> str | None:
    try:
        return writable_by_all(path) or open_to_others(path)
    except OSError:
        return None


def _shared(folder: Path) -> bool:
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return os.name == "posix" and bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _mark_wrong(where: str) -> str | None:
    path = Path(where).expanduser().absolute()
    try:
        folder = mark_elsewhere(path, where).parent
    except ConfigurationError:
        return f"there is no folder {path}, or this user may not look into it"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"its folder {folder} may not be written by this user"
