"""Prepared things, kept by content: each is built once per recipe, published by one rename, and never changed again.

Two runs may prepare the same thing at once (a file lock makes one of them wait). It never deletes what it published.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.engines.errors import Unavailable


def cache_root() -> Path:
    """The cache directory: $TEMPORAL_VISIBILITY_CACHE, else /var/cache for root, else ~/.cache.

    Root's servers run as `nobody`, who may not enter root's home: hence the other place.
    """
    if configured := os.environ.get("TEMPORAL_VISIBILITY_CACHE"):
        root = Path(configured).expanduser().absolute()
    elif os.geteuid() == 0:
        root = Path("/var/cache/temporal-visibility")
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "temporal-visibility"
    root.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        for folder in (root, *root.parents):
            if not folder.stat().st_mode & 0o001:
                raise Unavailable(
                    f"servers, which root starts as `nobody`, cannot read the cache {root} ({folder} is private)",
                    "set TEMPORAL_VISIBILITY_CACHE to a directory that everyone may enter",
                )
    return root


@contextlib.contextmanager
def locked(path: Path, shared: bool = False) -> Iterator[None]:
    """Hold a lock on the file `path` (created when missing), alone or with other sharers; waits for other holders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def prepared(name: str, recipe: object, build: Callable[[Path, Path], None]) -> Path:
    """The directory `name` made by `build`, from the cache or built now.

    `recipe` is any value whose text identifies the content: another recipe is another directory.
    `build(work, final)` fills `work`; `final` is the path it will have afterwards.
    """
    digest = hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]
    root = cache_root()
    final = root / f"{name}-{digest}"
    if final.is_dir():
        return final
    with locked(root / "locks" / f"{final.name}.lock"):
        if final.is_dir():
            return final
        for remains in root.glob(f".{final.name}.*"):
            shutil.rmtree(remains, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=root))
        try:
            work.chmod(0o755)
            build(work, final)
            work.rename(final)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    return final
