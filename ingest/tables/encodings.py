"""The text of a table's bytes, in whatever encoding it was saved, and what had to be assumed for that."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

from ingest.errors import SourceError

# Encodings in which spreadsheets and museum systems save tables. A shorter list is found more surely.
LEGACY = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "koi8_r", "cp932", "euc_jp", "gb18030", "big5",
    "cp949", "mac_roman", "cp850",
)  # fmt: skip
TITLES = {
    "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16",
    "utf-32": "UTF-32", "cp1252": "Windows-1252 (Western Europe)", "cp1250": "Windows-1250 (Central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)", "cp1253": "Windows-1253 (Greek)", "cp1254": "Windows-1254 (Turkish)",
    "cp1257": "Windows-1257 (Baltic)", "koi8_r": "KOI8-R (Cyrillic)", "cp932": "Shift-JIS (Japanese)",
    "euc_jp": "EUC-JP (Japanese)", "gb18030": "GB 18030 (Chinese)", "big5": "Big5 (Chinese)",
    "cp949": "Korean (CP949)", "mac_roman": "Mac Roman", "cp850": "DOS (CP850)", "latin-1": "Latin-1",
}  # fmt: skip
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")
_SAMPLE = 1 << 16  # bytes that tell the encoding
_RUSSIAN = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
# The letters beyond ASCII of languages that share an encoding, by script: its first and its last letter.
_ALPHABETS = (
    ("ª", "ț", ("äöüßàâæçéèêëîïôœùûÿáíñóúìòãõåºª", "åæøäöéüà", "áéíóúýðþæö", "ąćęłńóśźż", "áčďéěíňóřšťúůýž",
        "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čšžćđ", "ăâîșțşţ", "çğıöşüâî", "āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž")),
    ("Ѐ", "ӿ", (_RUSSIAN + "ё", _RUSSIAN + "іїєґ", _RUSSIAN + "ђјљњћџ")),
)  # fmt: skip
_SIGNS = "‘’“”„«»‹›–—…°€£©®·½¼¾×§†™№¿¡´、。・「」『』（）《》"
_DAILY = {  # first bytes of punctuation, letters and the characters of daily use
    "cp932": ((0x81, 0x83), (0x88, 0x97)),
    "euc_jp": ((0xA1, 0xA5), (0xB0, 0xCF)),
    "gb18030": ((0xA1, 0xA3), (0xB0, 0xD7)),
    "big5": ((0xA1, 0xA3), (0xA4, 0xC6)),
    "cp949": ((0xA1, 0xA3), (0xB0, 0xC8)),
}
_ALIKE = 0.1  # measures of charset-normalizer that differ by less say the same
_STRAY = 1000  # one character in so many may be NUL in what still is a text


@dataclass(frozen=True)
class Text:
    """A file as text. `encoding` is Python's name of it; `detected` says that nothing but its look spoke for it; `odd`
    lists lines (counted from 1) that are not in this encoding or hold what no text does, each with a sentence."""

    text: str
    encoding: str
    detected: bool = False
    odd: list[tuple[int, str]] = field(default_factory=list)


def decoded(name: str, data: bytes, encoding: str | None = None) -> Text:
    """The text of a file of this name, in `encoding` if that is known. SourceError if it is no text, or if the user's
    encoding does not fit."""
    found = _as_given(name, data, encoding) if encoding else _as_it_looks(data)
    zeros = found.text.count("\0")
    if zeros * _STRAY > max(len(found.text), 2 * _STRAY):
        raise SourceError(f"{name} is not a text file: save the table as 'CSV UTF-8'.")
    if not zeros:
        return found
    odd = [
        (number, "NUL characters, which no text has, are left out")
        for number, line in enumerate(re.split(r"\r\n|\r|\n", found.text), start=1)
        if "\0" in line
    ]
    return Text(found.text.replace("\0", ""), found.encoding, found.detected, [*found.odd, *odd])


def title(encoding: str) -> str:
    """What people call an encoding."""
    return TITLES.get(encoding, encoding)


def _as_given(name: str, data: bytes, encoding: str) -> Text:
    try:
        codec = codecs.lookup(encoding)
        text = data.decode(encoding)  # LookupError for what is a codec, but not of text
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", data[: error.start])) + 1
        raise SourceError(
            f"Line {line} of {name} is not in the encoding {encoding}: leave --encoding out, or name another."
        ) from None
    except (LookupError, ValueError):
        raise SourceError(
            f"There is no encoding {encoding!r}: type utf-8, cp1252 (Windows), mac_roman, cp932 (Shift-JIS) …"
        ) from None
    return Text(text.removeprefix("\ufeff"), codec.name)


def _as_it_looks(data: bytes) -> Text:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _with_replacements(data, encoding)
    if encoding := _unmarked_utf16(data):
        return Text(data.decode(encoding), encoding)
    try:
        return Text(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    lines = _LINE.findall(data)
    foreign = [line for line in lines if not line.isascii()]
    bad = [line for line in foreign if not _fits(line, "utf-8")]
    if _mostly_utf8(foreign, bad):
        return _mixed(lines, _legacy(b"".join(bad)))
    return _by_lines(lines, _legacy(b"".join(foreign)[:_SAMPLE]))


def _with_replacements(data: bytes, encoding: str) -> Text:
    """Of a file whose first bytes name its encoding: stray bytes become question marks, or in UTF-8 what they mean."""
    try:
        return Text(data.decode(encoding), encoding)
    except UnicodeDecodeError:
        pass
    if encoding == "utf-8-sig":
        lines = _LINE.findall(data.removeprefix(codecs.BOM_UTF8))
        return _mixed(lines, _legacy(b"".join(line for line in lines if not _fits(line, "utf-8"))))
    text = data.decode(encoding, errors="replace")
    odd = [
        (number, f"bytes that are not {title(encoding)} are shown as \ufffd")
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1)
        if "\ufffd" in line
    ]
    return Text(text, encoding, odd=odd)


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without its mark: delimiters, ends of lines and names of files have a zero byte each, all on one side."""
    sample = data[:_SAMPLE]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if len(data) < 4 or len(data) % 2 or 20 * max(even, odd) < len(sample) // 2 or 20 * min(even, odd) > max(even, odd):
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    text = data.decode(encoding, errors="replace")
    return encoding if "\ufffd" not in text and "\0" not in text and re.search(r"[\r\n]", text) else None


def _mostly_utf8(foreign: list[bytes], bad: list[bytes]) -> bool:
    """Whether lines that are not UTF-8 are strangers in a file that is. In other encodings sequences that UTF-8 has too
    come about by chance, and then make up few of the bytes."""
    if len(bad) == len(foreign):
        return False
    outside = sum(byte > 127 for line in foreign for byte in line)
    wrong = sum("\udc80" <= sign <= "\udcff" for line in bad for sign in line.decode("utf-8", "surrogateescape"))
    return 2 * (outside - wrong) >= wrong


def _mixed(lines: list[bytes], legacy: str) -> Text:
    parts, odd = [], []
    for number, line in enumerate(lines, start=1):
        try:
            parts.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            parts.append(line.decode(legacy, errors="replace"))
            odd.append((number, f"is not in UTF-8 as the others are: read as {title(legacy)}"))
    return Text("".join(parts), "utf-8", odd=odd)


def _by_lines(lines: list[bytes], encoding: str) -> Text:
    text, odd = b"".join(lines).decode(encoding, errors="replace"), []
    if "\ufffd" in text:
        odd = [
            (number, f"has bytes that are not {title(encoding)}: shown as \ufffd")
            for number, line in enumerate(lines, start=1)
            if not _fits(line, encoding)
        ]
    return Text(text, encoding, detected=True, odd=odd)


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _legacy(sample: bytes) -> str:
    """The encoding other than UTF-8 in which bytes look most like text of any language. What a library finds is weighed
    once more, since it is sure of itself with long texts only, and most tables hold short ones."""
    from charset_normalizer import from_bytes

    found = list(from_bytes(sample, cp_isolation=list(LEGACY)))
    least = min((match.chaos for match in found), default=0.0)
    best = max((match.coherence for match in found), default=0.0)
    western = "cp1252" if _fits(sample, "cp1252") else "latin-1"
    ranks = {western: (_implausible(sample.decode(western)), False, -1.0)}  # it goes before its equals
    for match in found:
        if match.chaos <= least + _ALIKE:
            doubts = _implausible(str(match)) + _rare(str(match), match.encoding)
            for encoding in {match.encoding, *match.could_be_from_charset} & {*LEGACY}:
                rank = (doubts, match.coherence < best - _ALIKE, -1.0 if encoding == western else match.chaos)
                ranks[encoding] = rank
    return min(ranks, key=lambda encoding: ranks[encoding])


def _implausible(text: str) -> int:
    """How much in a text no language has: signs and capitals within words, two scripts in one word, letters of many
    alphabets at once."""
    count, letters = 0, Counter()
    for word in re.findall(r"[^\s,;|\"0-9]*[^\x00-\x7f][^\s,;|\"0-9]*", text):
        scripts = set()
        for before, sign, after in zip(" " + word, word, word[1:] + " ", strict=False):
            if unicodedata.category(sign)[0] in "LM":
                scripts.add(unicodedata.name(sign, "?").split()[0])
                count += sign.isupper() and before.islower()
            elif "\x80" <= sign <= "\x9f":
                count += 1
            elif not sign.isascii():
                count += (before.isalpha() and after.isalpha() and sign not in "’·") or sign not in _SIGNS
        count += ("LATIN" in scripts and len(scripts) > 1) or "HALFWIDTH" in scripts
        letters.update(sign for sign in word.replace("İ", "ı").lower() if sign.isalpha() and not sign.isascii())
    for low, high, alphabets in _ALPHABETS:
        ours = {sign: number for sign, number in letters.items() if low <= sign <= high}
        count += min(sum(ours[sign] for sign in ours if sign not in alphabet) for alphabet in alphabets)
    return count


def _rare(text: str, encoding: str) -> int:
    """How many characters of an East Asian encoding are not of those in daily use, which have the lower numbers."""
    if encoding not in _DAILY:
        return 0
    wide = [sign for sign in text if not sign.isascii()]
    leads = [sign.encode(encoding)[0] for sign in wide]
    rare = sum(not any(low <= lead <= high for low, high in _DAILY[encoding]) for lead in leads)
    return rare if 3 * rare > len(wide) else 0
