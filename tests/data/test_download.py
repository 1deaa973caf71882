from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import random
import re
import shutil
import socket
import tarfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from course_utils.data import cifar10, download, load_cifar10
from course_utils.data.download import DownloadError, extract
from course_utils.support.files import DamagedFileError

PAYLOAD = random.Random(0).randbytes(300_000)
MD5 = hashlib.md5(PAYLOAD).hexdigest()


class Server:
    """A mirror on this machine that behaves as it is told; ``asked`` holds the Range header of each request."""

    def __init__(self, behaviour, payload=PAYLOAD):
        self.asked = []
        self.stop = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.headers["Range"])
                with contextlib.suppress(ConnectionError):
                    behaviour(self, payload, server.stop)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/file.tar.gz"

    def close(self):
        self.stop.set()
        self.http.shutdown()
        self.http.server_close()


def head(handler, status, length, **headers):
    handler.send_response(status)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def start(handler):
    asked = handler.headers["Range"]
    return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0


def honest_head(handler, payload):
    """Answer with what is still missing, and say so."""
    first = start(handler)
    if first >= len(payload):
        head(handler, 416, 0)
    elif first:
        content_range = f"bytes {first}-{len(payload) - 1}/{len(payload)}"
        head(handler, 206, len(payload) - first, Content_Range=content_range)
    else:
        head(handler, 200, len(payload))
    return payload[first:]


def honest(handler, payload, stop):
    handler.wfile.write(honest_head(handler, payload))


def ignores_range(handler, payload, stop):
    head(handler, 200, len(payload))
    handler.wfile.write(payload)


def breaks_off(handler, payload, stop):
    handler.wfile.write(honest_head(handler, payload)[:100_000])


def breaks_off_at_once(handler, payload, stop):
    honest_head(handler, payload)


def lies(handler, payload, stop):
    honest(handler, bytes(reversed(payload)), stop)


def lies_and_breaks_off(handler, payload, stop):
    breaks_off(handler, bytes(reversed(payload)), stop)


def offers_another_file(handler, payload, stop):
    honest(handler, payload + b"more", stop)


def sends_a_login_page(handler, payload, stop):
    head(handler, 200, None)
    handler.wfile.write(b"<html>please log in</html>")


def sends_too_much(handler, payload, stop):
    head(handler, 200, None)
    handler.wfile.write(payload + b"more")


def sends_another_piece(handler, payload, stop):
    length = len(payload) - start(handler)
    head(handler, 206, length, Content_Range=f"bytes 0-{length - 1}/{len(payload)}")
    handler.wfile.write(payload[:length])


def forgets_the_piece(handler, payload, stop):
    head(handler, 206, len(payload) - start(handler))
    handler.wfile.write(payload[start(handler) :])


def not_found(handler, payload, stop):
    head(handler, 404, 0)


def overloaded(handler, payload, stop):
    head(handler, 503, 0)


def hangs_up(handler, payload, stop):
    handler.connection.shutdown(socket.SHUT_RDWR)


def never_answers(handler, payload, stop):
    stop.wait(30)


def stalls(handler, payload, stop):
    handler.wfile.write(honest_head(handler, payload)[:100_000])
    handler.wfile.flush()
    stop.wait(30)


def slow(rate):
    def behaviour(handler, payload, stop):
        rest = honest_head(handler, payload)
        while rest and not stop.wait(0.02):
            handler.wfile.write(rest[: rate // 50])
            rest = rest[rate // 50 :]

    return behaviour


@pytest.fixture
def serve():
    """Start servers, one for each behaviour, and close them at the end."""
    with contextlib.ExitStack() as stack:

        def start_all(*behaviours, payload=PAYLOAD):
            servers = [Server(behaviour, payload) for behaviour in behaviours]
            for server in servers:
                stack.callback(server.close)
            return servers

        yield start_all


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "file.tar.gz"


def fetch(servers, target, **options):
    options = {"timeout": 5, "patience": 5} | options
    return download.download([server.url for server in servers], target, MD5, len(PAYLOAD), **options)


def part_of(target) -> Path:
    return target.with_name("file.tar.gz.part")


def test_the_file_arrives_whole_and_nothing_else_is_left(serve, target, capsys):
    first, second = serve(honest, honest)
    assert fetch([first, second], target) == target
    assert target.read_bytes() == PAYLOAD
    assert list(target.parent.iterdir()) == [target]
    assert (first.asked, second.asked) == ([None], [])
    assert "file.tar.gz from 127.0.0.1: 100%" in capsys.readouterr().err


def test_a_file_that_is_there_already_is_not_fetched(serve, target):
    (server,) = serve(honest)
    target.parent.mkdir()
    target.write_bytes(PAYLOAD)
    fetch([server], target)
    assert server.asked == []


def test_a_wrong_file_in_its_place_is_replaced(serve, target):
    target.parent.mkdir()
    target.write_bytes(PAYLOAD[:-1])
    fetch(serve(honest), target)
    assert target.read_bytes() == PAYLOAD


@pytest.mark.parametrize(
    "behaviour",
    [lies, offers_another_file, sends_a_login_page, sends_too_much, not_found, overloaded, hangs_up],
)
def test_a_bad_mirror_is_passed_over(serve, target, behaviour):
    bad, good = serve(behaviour, honest)
    fetch([bad, good], target)
    assert target.read_bytes() == PAYLOAD
    assert len(bad.asked) == 1


@pytest.mark.parametrize("behaviour", [never_answers, stalls])
def test_a_silent_mirror_is_passed_over(serve, target, behaviour):
    fetch(serve(behaviour, honest), target, timeout=0.3)
    assert target.read_bytes() == PAYLOAD


def test_after_a_break_the_next_mirror_goes_on(serve, target):
    first, second = serve(breaks_off, honest)
    fetch([first, second], target)
    assert target.read_bytes() == PAYLOAD
    assert (first.asked, second.asked) == ([None], ["bytes=100000-"])


def test_a_mirror_that_always_breaks_off_is_asked_as_long_as_it_helps(serve, target):
    (server,) = serve(breaks_off)
    fetch([server], target)
    assert target.read_bytes() == PAYLOAD
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]


def test_a_mirror_that_sends_nothing_is_not_asked_for_ever(serve, target):
    (server,) = serve(breaks_off_at_once)
    with pytest.raises(DownloadError, match=r"broke off after 0 of 300,000 bytes"):
        fetch([server], target)
    assert len(server.asked) == 2


def test_half_a_file_of_an_earlier_session_is_completed(serve, target):
    (server,) = serve(honest)
    target.parent.mkdir()
    part_of(target).write_bytes(PAYLOAD[:12_345])
    fetch([server], target)
    assert target.read_bytes() == PAYLOAD
    assert server.asked == ["bytes=12345-"]
    assert not part_of(target).exists()


def test_a_whole_part_of_an_earlier_session_needs_no_byte(serve, target):
    (server,) = serve(honest)
    target.parent.mkdir()
    part_of(target).write_bytes(PAYLOAD)
    fetch([server], target)
    assert target.read_bytes() == PAYLOAD
    assert server.asked == []


@pytest.mark.parametrize("size", [50_000, 300_000, 300_001])
def test_a_wrong_part_of_an_earlier_session_is_thrown_away(serve, target, size):
    (server,) = serve(honest)
    target.parent.mkdir()
    part_of(target).write_bytes(b"x" * size)
    fetch([server], target)
    assert target.read_bytes() == PAYLOAD
    assert server.asked[-1] is None


def test_a_server_without_ranges_starts_anew(serve, target):
    (server,) = serve(ignores_range)
    target.parent.mkdir()
    part_of(target).write_bytes(b"x" * 50_000)
    fetch([server], target)
    assert target.read_bytes() == PAYLOAD
    assert server.asked == ["bytes=50000-"]


@pytest.mark.parametrize("behaviour", [sends_another_piece, forgets_the_piece])
def test_a_wrong_piece_is_not_used(serve, target, behaviour):
    first, second, third = serve(breaks_off, behaviour, honest)
    fetch([first, second, third], target)
    assert target.read_bytes() == PAYLOAD
    assert third.asked == ["bytes=100000-"]


def test_the_liar_is_found_even_if_another_ends_its_file(serve, target):
    liar, good = serve(lies_and_breaks_off, honest)
    fetch([liar, good], target)
    assert target.read_bytes() == PAYLOAD
    assert good.asked == ["bytes=100000-", None]


def test_a_slow_mirror_is_given_up_for_a_faster_one(serve, target):
    lazy, good = serve(slow(10_000), honest)
    fetch([lazy, good], target, floor=500_000, window=0.2)
    assert target.read_bytes() == PAYLOAD
    assert lazy.asked == [None]
    goes_on_from = int(good.asked[0].removeprefix("bytes=").removesuffix("-"))
    assert 0 < goes_on_from < 60_000  # it was given up long before it had filled a block of 64 KiB


def test_if_all_are_slow_the_fastest_one_is_used(serve, target):
    slowest, faster = serve(slow(20_000), slow(500_000))
    fetch([slowest, faster], target, floor=10**9, window=0.1)
    assert target.read_bytes() == PAYLOAD
    assert len(slowest.asked) == 1
    assert len(faster.asked) == 2


def test_the_error_lists_every_address_and_its_problem(serve, target):
    servers = serve(not_found, overloaded, lies, offers_another_file, hangs_up)
    with pytest.raises(DownloadError, match=r"^file.tar.gz could not be downloaded from any of 5 ") as caught:
        fetch(servers, target)
    lines = str(caught.value).splitlines()[1:]
    reasons = ["answered 404", "answered 503", "sent other bytes", "300,004 bytes.*300,000", "gave no answer"]
    for line, server, reason in zip(lines, servers, reasons, strict=True):
        assert line.startswith(f"  {server.url}: ")
        assert re.search(reason, line)
    assert [len(server.asked) for server in servers] == [1, 2, 1, 1, 2]  # only who may do better is asked again
    assert not target.exists()


# ---- no network


def test_without_a_network_there_is_a_clear_error(target, monkeypatch):
    def no_name(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    with pytest.raises(DownloadError, match=r"no connection .*name resolution"):
        download.download(["https://example.org/file.tar.gz"], target, MD5, len(PAYLOAD))


def test_a_name_look_up_that_hangs_is_not_waited_for(target, monkeypatch):
    over, waited = threading.Event(), threading.Event()

    def look_up(*_, **__):
        over.wait(20)
        waited.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        with pytest.raises(DownloadError, match=r"example\.org.*: no connection within 0.1 seconds"):
            download.download(["https://example.org/file.tar.gz"], target, MD5, len(PAYLOAD), patience=0.1)
        assert not waited.is_set()
    finally:
        over.set()


def test_behind_a_proxy_only_the_proxy_is_asked(serve, target, monkeypatch):
    (proxy,) = serve(honest)
    monkeypatch.setattr(socket, "getaddrinfo", only_this_machine(socket.getaddrinfo))
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/file.tar.gz"))
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it remembers the proxies of its first use
    download.download(["http://mirror.invalid/file.tar.gz"], target, MD5, len(PAYLOAD))
    assert target.read_bytes() == PAYLOAD


def only_this_machine(getaddrinfo):
    def look_up(host, *arguments, **options):
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, f"who is {host}?")
        return getaddrinfo(host, *arguments, **options)

    return look_up


def test_the_mirrors_are_distinct_and_contain_the_original():
    assert len(set(download.MIRRORS)) == len(download.MIRRORS) >= 5
    assert all(url.startswith("https://") for url in download.MIRRORS)
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz" in download.MIRRORS


# ---- the disk


class FullDisk(io.FileIO):
    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_clear_sentence(serve, target, monkeypatch):
    first, second = serve(honest, honest)
    open_file = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r": FullDisk(path, "w") if mode == "wb" else open_file(path, mode)
    )
    with pytest.raises(OSError, match=r"Cannot write .*file\.tar\.gz: No space left on device\.") as caught:
        fetch([first, second], target)
    assert caught.value.errno == errno.ENOSPC
    assert not isinstance(caught.value, DownloadError)
    assert not target.exists()
    assert second.asked == []  # another mirror does not make room


def test_a_read_only_folder_is_one_clear_sentence(serve, target, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PermissionError, match=r"Cannot write .*Permission denied\..*name another folder"):
        fetch(serve(honest), target)


# ---- the archive


def make_archive(path: Path, files: dict[str, bytes], links: tuple[str, ...] = ()) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return hashlib.md5(path.read_bytes()).hexdigest()


def archive_of(tiny, path: Path) -> str:
    files = tiny.files["cifar-10-batches-py"] | {"batches.meta": b"names", "readme.html": b"read me"}
    return make_archive(path, {f"cifar-10-batches-py/{name}": content for name, content in files.items()})


def test_the_archive_is_unpacked(tiny, tmp_path):
    archive = tmp_path / "archive.tar.gz"
    md5 = archive_of(tiny, archive)
    folder = extract(archive, tmp_path, md5)
    assert folder == tmp_path / "cifar-10-batches-py"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        **tiny.files["cifar-10-batches-py"],
        "batches.meta": b"names",
    }
    assert sorted(tmp_path.glob(".*")) == []


def test_nothing_is_unpacked_outside_the_folder(tmp_path):
    archive, inner = tmp_path / "archive.tar.gz", tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    names = ["../evil", str(tmp_path / "evil"), "cifar-10-batches-py/../../evil", "cifar-10-batches-py/evil"]
    files = dict.fromkeys(names, b"evil") | {"cifar-10-batches-py/test_batch": b"good"}
    md5 = make_archive(archive, files, links=("cifar-10-batches-py/data_batch_1",))
    before = set(tmp_path.rglob("*"))
    folder = extract(archive, inner, md5)
    assert set(tmp_path.rglob("*")) - before == {folder, folder / "test_batch"}
    assert (folder / "test_batch").read_bytes() == b"good"


def test_an_archive_with_another_md5_is_not_opened(tiny, tmp_path, monkeypatch):
    archive = tmp_path / "archive.tar.gz"
    archive_of(tiny, archive)
    monkeypatch.setattr(tarfile, "open", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(DamagedFileError, match=r"archive\.tar\.gz is damaged"):
        extract(archive, tmp_path, download.ARCHIVE_MD5)


def test_a_full_disk_leaves_no_half_folder(tiny, tmp_path, monkeypatch):
    archive = tmp_path / "archive.tar.gz"
    md5 = archive_of(tiny, archive)
    copies = []

    def fill_up(source, file):
        copies.append(file.write(source.read()))
        if len(copies) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fill_up)
    with pytest.raises(OSError, match=r"Cannot unpack .*No space left on device") as caught:
        extract(archive, tmp_path, md5)
    assert caught.value.errno == errno.ENOSPC
    assert {path.name for path in tmp_path.iterdir()} == {"archive.tar.gz", "work"}


# ---- all together


@pytest.fixture
def online(tiny, tmp_path, monkeypatch, serve):
    """Publish the tiny data set on a server; return the server."""
    published = tmp_path / "published.tar.gz"
    md5 = archive_of(tiny, published)
    content = published.read_bytes()
    (server,) = serve(honest, payload=content)
    monkeypatch.setenv("CIFAR10_OFFLINE", "0")
    monkeypatch.setattr(download, "MIRRORS", (server.url,))
    monkeypatch.setattr(download, "ARCHIVE_MD5", md5)
    monkeypatch.setattr(download, "ARCHIVE_SIZE", len(content))
    return server


@pytest.mark.parametrize("place", ["argument", "environment", "cache"])
def test_the_data_set_is_downloaded_once_and_loaded(online, tiny, tmp_path, monkeypatch, place):
    root = tmp_path / "mine" if place == "argument" else None
    if place == "environment":
        monkeypatch.setenv("CIFAR10_ROOT", str(tmp_path / "mine"))
    for split, size in {"train": 180, "test": 50}.items():
        loaded = load_cifar10(split, root)
        assert (loaded.source, len(loaded)) == ("official", size)
    expected = cifar10.cache_folder() if place == "cache" else tmp_path / "mine"
    assert [path.name for path in expected.iterdir()] == ["cifar-10-batches-py"]
    assert online.asked == [None]


def test_an_archive_that_a_person_put_there_is_used(online, tiny, monkeypatch):
    archive = Path("data", "cifar-10-python.tar.gz")
    archive_of(tiny, archive)
    monkeypatch.setattr(download, "ARCHIVE_MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    assert load_cifar10("test").source == "official"
    assert Path("data", "cifar-10-batches-py").is_dir()
    assert archive.exists()
    assert online.asked == []


def test_a_damaged_archive_that_a_person_put_there_is_named(online):
    Path("data").mkdir()
    Path("data", "cifar-10-python.tar.gz").write_bytes(b"half")
    with pytest.raises(DamagedFileError, match=r"data.cifar-10-python\.tar\.gz is damaged"):
        load_cifar10("test")


def test_a_request_names_the_course_and_wants_plain_bytes(serve, target, monkeypatch):
    seen = []
    urlopen = urllib.request.urlopen
    monkeypatch.setattr(
        urllib.request, "urlopen", lambda request, timeout: seen.append(request) or urlopen(request, timeout=timeout)
    )
    fetch(serve(honest), target)
    assert seen[0].get_header("Accept-encoding") == "identity"
    assert "Python-urllib" not in seen[0].get_header("User-agent")
