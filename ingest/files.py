"""The pictures of a folder and all its subfolders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import SourceError
from ingest.vision.paths import natural_key, printable
from ingest.vision.signatures import HEAD, film_format, other_kind, picture_format

# A file of these always counts as a picture: if it cannot be read, that is worth reporting.
_PICTURES = """
    .jpg .jpeg .jpe .jfif .mpo .png .apng .tif .tiff .webp .gif .bmp .dib .avif .avifs .heic .heif .svg .psd .psb .jxl
    .jp2 .j2k .j2c .jpc .jpf .jpx .ppm .pgm .pbm .pnm .pfm .ico .icns .dds .sgi .qoi .pcx .dcx .tga .xpm .xbm .ras
    .pdf .heics .heifs .hif .fits .fit .fli .flc .blp .ftc .ftu .gbr .msp .pxr .cur .rgb .rgba .bw .im
"""
# These need not be opened to know that they are none.
_OTHERS = """
    .csv .tsv .txt .md .rst .json .jsonl .xml .yaml .yml .toml .ini .cfg .log .html .htm .css .js .py .ipynb .sh .bat
    .db .sqlite .duckdb .wal .parquet .arrow .feather .npy .npz .pkl .pt .pth .safetensors .onnx .h5 .hdf5
    .zip .gz .tar .bz2 .xz .7z .rar .eps .ps .ai .doc .docx .odt .rtf .xls .xlsx .ods .ppt .pptx .odp
    .bib .ris .xmp .aux .thm .lnk .exe .dll .so .iso .dmg
"""
_FILMS = """
    .mp4 .m4v .mov .qt .avi .divx .mkv .webm .mpg .mpeg .mpe .vob .m2v .mts .m2ts .wmv .asf .flv .f4v .ogv .ogm
    .3gp .3g2 .mxf .dv .rm .rmvb
"""
_SOUNDS = ".mp3 .wav .flac .ogg .oga .opus .m4a .aac .wma .aif .aiff"
_DRAWINGS = {".eps": "an EPS drawing", ".ps": "a PostScript drawing", ".ai": "an Illustrator drawing"}
_RAW = ".cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .dng .orf .rw2 .raf .pef .srw .3fr .iiq"
PICTURE_SUFFIXES, _OTHER_SUFFIXES, _RAW_SUFFIXES, FILM_SUFFIXES, SOUND_SUFFIXES = (
    frozenset(text.split()) for text in (_PICTURES, _OTHERS, _RAW, _FILMS, _SOUNDS)
)
# Folders that systems leave behind: copies of other pictures, or what was thrown away.
_SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information"})


@dataclass(frozen=True)
class SourceFile:
    """A file that should be a picture.

    `name` is the path below the source with forward slashes, printable (see `printable`); `bytes` its length and
    `modified` its time of change in seconds since 1970, both 0 for a link to nowhere.
    """

    path: Path
    name: str
    bytes: int
    modified: float


@dataclass(frozen=True)
class FileListing:
    """The files of a source in natural order of their names, and what was left out: (name, reason)."""

    files: list[SourceFile]
    skipped: list[tuple[str, str]]


def find(folder: str | Path, limit: int | None = None) -> FileListing:
    """Every picture below `folder`, or the one picture that it is itself.

    Hidden files and folders do not count. Links are followed, each folder is read once. What is plainly no picture
    by its suffix, or by its first bytes where the suffix tells nothing, comes back as skipped. With `limit` the search
    ends after so many pictures. SourceError if there is no such folder, or no picture in it.
    """
    root = Path(os.path.abspath(Path(folder).expanduser()))
    try:
        kind = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"There is no folder {folder}. Check the spelling, or type its full path.") from None
    except OSError as error:
        raise SourceError(f"The folder {folder} could not be read: {error.strerror or error}.") from None
    if stat.S_ISREG(kind):
        return _single(root)
    if not stat.S_ISDIR(kind):
        raise SourceError(f"{folder} is neither a folder nor a picture.")
    skipped: list[tuple[str, str]] = []
    try:
        paths = sorted(_walk(root, skipped), key=lambda path: natural_key(_relative(path, root)))
    except OSError as error:
        raise SourceError(f"The folder {folder} could not be read: {error.strerror or error}.") from None
    files: list[SourceFile] = []
    for path in paths:
        if limit is not None and len(files) >= limit:
            break
        name = printable(_relative(path, root))
        if reason := _no_picture(path):
            skipped.append((name, reason))
        else:
            files.append(_source_file(path, name))
    if not files and limit != 0:
        raise SourceError(f"There are no pictures in {folder}{_instead(skipped)}.")
    return FileListing(files, sorted(skipped, key=lambda item: natural_key(item[0])))


def _walk(root: Path, skipped: list[tuple[str, str]]) -> Iterator[Path]:
    """Every file below the root. Real folders first, then linked ones, so that a picture keeps the name of its real
    place, and each folder once, so that links in a circle end."""
    seen = {_identity(root)}
    pending, links = [root], []
    while pending or links:
        folder = pending.pop() if pending else links.pop(0)
        name = printable(_relative(folder, root)) + "/"
        if folder.is_symlink() and folder != root:
            identity = _identity(folder)
            if identity in seen:
                skipped.append((name, "a link to a folder that is read already"))
                continue
            seen.add(identity)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: natural_key(entry.name))
        except OSError as error:
            if folder == root:
                raise
            skipped.append((name, f"the folder could not be read: {error.strerror or error}"))
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FOLDERS:
                continue
            path = folder / entry.name
            if not _is_folder(entry):
                yield path
            elif entry.is_symlink():
                links.append(path)
            elif (identity := _identity(path)) not in seen:  # a link may lead to a folder around this one
                seen.add(identity)
                pending.append(path)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _no_picture(path: Path) -> str | None:
    """Why a file is left out; None if it counts as a picture."""
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return None
    if suffix in FILM_SUFFIXES:
        return f"a film ({suffix}): give the film itself as the source"
    if suffix in _DRAWINGS:
        return f"{_DRAWINGS[suffix]} ({suffix}), which cannot be read: save it as PNG"
    if suffix in _OTHER_SUFFIXES | SOUND_SUFFIXES:
        return f"not a picture ({suffix})"
    if suffix in _RAW_SUFFIXES:
        return f"a camera's raw file ({suffix}): export it as JPEG or TIFF"
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # asked before opening: a pipe would block for ever
            return "a pipe or a device, not a file"
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        return f"the file could not be read: {error.strerror or error}"
    if picture_format(head):
        return None
    if kind := film_format(head):
        return f"a film ({kind}): give the film itself as the source"
    return other_kind(head) or "not a picture"


def _single(path: Path) -> FileListing:
    if reason := _no_picture(path):
        raise SourceError(f"{path} is not a folder, and no picture either ({reason}).")
    return FileListing([_source_file(path, printable(path.name))], [])


def _source_file(path: Path, name: str) -> SourceFile:
    try:
        found = path.stat()
    except OSError:
        return SourceFile(path, name, 0, 0.0)
    return SourceFile(path, name, found.st_size, found.st_mtime)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _instead(skipped: list[tuple[str, str]]) -> str:
    if not skipped:
        return ": it is empty"
    name, reason = skipped[0]
    return f" ({len(skipped)} other entries, such as {name}: {reason.rstrip('.')})"
