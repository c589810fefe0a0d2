"""`recurring`: the pictures of a run searched against each other, for details that occur in several of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ingest.details.budget import Budget
from ingest.details.searching import Pictures, bank_of, run_with_patches
from ingest.errors import SourceError
from ingest.models import load_backbone
from ingest.pipeline import CHUNK_SECONDS, PATIENCE
from ingest.report import Report
from ingest.vision.details.coding import PatchCoding
from ingest.vision.details.matching import PatchBank
from ingest.vision.details.recurring import boxes
from ingest.vision.details.recurring.grouping import SAME_PICTURE, group
from ingest.vision.details.recurring.searching import CHECKED, Link, Searched, search_picture
from ingest.vision.details.search import VOTES
from ingest.vision.details.tokens import BlockTokens
from ingest.vision.details.verification import KeyPoints
from ingest.words import matching
from store import patch_features, recurring
from store.connection import checkpoint, reading, writing
from store.counts import counted
from store.recurring import SearchedImage

CACHED = 1000  # pictures whose key points are held in memory: half a megabyte each


@dataclass(frozen=True)
class RecurringSettings:
    """The options of `recurring`; `where` is an SQL condition on the catalogue, None for all pictures."""

    budget: Budget
    run_id: int | None = None
    where: str | None = None
    mirrored: bool = False
    seed: int = 0
    device: str = "auto"


def find_recurring(db: Path, settings: RecurringSettings, report: Report) -> dict[str, Any]:
    """Searches for boxes of a run's pictures in all others until the budget is spent, stores what is found, picture by
    picture, and groups it: counts of the last line. The same again goes on where it was. SourceError, StoreError,
    BackboneError."""
    run = run_with_patches(db, settings.run_id)
    with reading(db) as con:
        stored = patch_features.coding(con, run.run_id)
        bank = bank_of(patch_features.patches(con, run.run_id))
    if stored is None:
        raise SourceError(f"run {run.run_id} does not say how its patches are coded; make them anew")
    among = _among(db, run.run_id, bank, settings.where)
    how = {"layer": stored.layer, "size": stored.size, "query_size": stored.query_size}
    how |= {"shares": boxes.SHARES, "boxes": boxes.MOST, "checked": CHECKED}
    with writing(db, PATIENCE) as con:
        search_id = recurring.search(con, run.run_id, settings.seed, settings.mirrored, settings.where or "", how)
        done = recurring.searched(con, search_id)
    plan = _plan(bank, among, settings.seed)
    left = {image_id: count for image_id, count in plan.items() if image_id not in done}
    report.log(_beginning(plan, left, done, settings))
    if left:
        report.log("loading the network …")
        stored_as = run.settings
        backbone = load_backbone(
            stored_as["model"], stored_as.get("weights"), stored_as.get("layer"), settings.device, stored=stored_as
        )
        pictures = Pictures(db, run.collection, report)
        found = _search(
            BlockTokens(backbone), PatchCoding(**vars(stored)), bank, among, pictures, left, settings, report
        )
        for chunk in _chunks(found):
            _commit(db, run.run_id, search_id, chunk)
        pictures.report_thumbnails()
    with writing(db, PATIENCE) as con:  # images may have gone, and their links with them
        _group(con, run.run_id)
    checkpoint(db, PATIENCE)
    return _counts(db, run.run_id, search_id, plan, len(done), settings)


def _among(db: Path, run_id: int, bank: PatchBank, where: str | None) -> np.ndarray:
    """Which pictures of the bank are searched and searched in, bool (n,). SourceError for fewer than two."""
    among = np.ones(len(bank), bool) if where is None else np.isin(bank.image_ids, matching(db, where))
    if among.sum() < 2:
        found = counted(int(among.sum()), "picture")
        which = f"run {run_id} has patches of {found}" if where is None else f"the condition holds for {found} of them"
        raise SourceError(f"two or more pictures are needed to find what recurs in them; {which}")
    return among


def _plan(bank: PatchBank, among: np.ndarray, seed: int) -> dict[int, int]:
    """{image_id: how many boxes of it are searched for}, in the order in which the images are searched. Of each image
    the seed alone says where it comes, so that images that are added later change nothing among the others."""
    places = sorted(
        np.flatnonzero(among).tolist(),
        key=lambda place: np.random.default_rng([seed, int(bank.image_ids[place])]).random(),
    )
    return {int(bank.image_ids[place]): boxes.count_boxes(bank, place, seed) for place in places}


def _search(
    blocks: BlockTokens,
    coding: PatchCoding,
    bank: PatchBank,
    among: np.ndarray,
    pictures: Pictures,
    left: dict[int, int],
    settings: RecurringSettings,
    report: Report,
) -> Iterator[SearchedImage]:
    """What is found of the images that are left, until the budget is spent."""
    points, began, wholes = _CachedPoints(pictures), time.monotonic(), pictures.wholes(bank.image_ids)
    wanted = _within(left, settings.budget)
    with report.progress(sum(wanted.values()), "searching", "boxes") as advance:
        for number, (image_id, count) in enumerate(wanted.items()):
            since = time.monotonic()
            if number and settings.budget.unit == "minutes" and since - began >= 60 * settings.budget.amount:
                return
            picture = pictures.picture(image_id)
            if picture is None:
                found = Searched(count, count, [])
            else:
                args = (blocks, coding, bank, image_id, picture[0], points)
                others = among & (wholes != wholes[np.searchsorted(bank.image_ids, image_id)])
                found = search_picture(*args, settings.seed, others, settings.mirrored)
            yield SearchedImage(image_id, found.boxes, found.plain, time.monotonic() - since, found.links)
            advance(count)


def _within(left: dict[int, int], budget: Budget) -> dict[int, int]:
    """The first of some images, {image_id: boxes}, that a budget covers, one at least; all of them for minutes."""
    found: dict[int, int] = {}
    for image_id, count in left.items():
        over = {
            "minutes": False,
            "boxes": sum(found.values()) + count > budget.amount,
            "pictures": len(found) + 1 > budget.amount,
        }
        if found and over[budget.unit]:
            break
        found[image_id] = count
    return found


class _CachedPoints:
    """Key points of pictures, computed once while they are among the CACHED that were asked for last."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self.known: OrderedDict[int, tuple[KeyPoints, float] | None] = OrderedDict()

    def __call__(self, image_id: int) -> tuple[KeyPoints, float] | None:
        if image_id not in self.known:
            found = self.pictures.points(image_id)
            if found is not None:  # OpenCV's descriptors are whole numbers from 0 to 255
                small = KeyPoints(found[0].places, found[0].descriptors.astype(np.uint8), found[0].size)
                found = small, found[1]
            self.known[image_id] = found
        self.known.move_to_end(image_id)
        while len(self.known) > CACHED:
            self.known.popitem(last=False)
        found = self.known[image_id]
        if found is None:
            return None
        points, scale = found
        return KeyPoints(points.places, points.descriptors.astype(np.float32), points.size), scale


def _chunks(found: Iterator[SearchedImage]) -> Iterator[list[SearchedImage]]:
    """What is found in CHUNK_SECONDS or so, to be stored together."""
    chunk: list[SearchedImage] = []
    since = time.monotonic()
    for each in found:
        chunk.append(each)
        if time.monotonic() - since > CHUNK_SECONDS:
            yield chunk
            chunk, since = [], time.monotonic()
    if chunk:
        yield chunk


def _commit(db: Path, run_id: int, search_id: int, chunk: list[SearchedImage]) -> None:
    with writing(db, PATIENCE, more=True) as con:
        recurring.add(con, search_id, chunk)
        if any(each.links for each in chunk):
            _group(con, run_id)


def _group(con: Any, run_id: int) -> None:
    links = [Link(**vars(link)) for link in recurring.links(con, run_id)]
    recurring.set_groups(con, run_id, group(links))


def _beginning(plan: dict[int, int], left: dict[int, int], done: dict[int, Any], settings: RecurringSettings) -> str:
    """What is going to be searched."""
    line = f"{sum(plan.values()):,} boxes in {len(plan):,} pictures"
    if len(left) < len(plan):
        line += f", of which those of {counted(len(plan) - len(left), 'picture')} are searched already"
    if not left:
        return f"{line}: nothing is left; another --seed searches for other boxes"
    budget = settings.budget
    if budget.unit != "minutes":
        covered = _within(left, budget)
        boxed = f"{sum(covered.values()):,} boxes in {counted(len(covered), 'picture')}"
        return f"{line}; the budget of {budget} covers {boxed}"
    rates = [seconds / count for count, _, seconds in done.values() if count and seconds > 0]
    if not rates:
        return f"{line}; the budget is {budget}"
    covered = min(sum(left.values()), round(60 * budget.amount / float(np.median(rates))))
    return f"{line}; the budget of {budget} covers about {covered:,} boxes, at the rate so far"


def _counts(
    db: Path, run_id: int, search_id: int, plan: dict[int, int], before: int, settings: RecurringSettings
) -> dict[str, Any]:
    with reading(db) as con:
        done = recurring.searched(con, search_id)
        rows = recurring.groups(con, run_id).to_pylist()
    firsts = {row["group_id"]: row for row in rows}.values()
    same = [row for row in firsts if row["kind"] == SAME_PICTURE]
    votes = [row for row in firsts if row["stage"] == VOTES]
    own = [found for image_id, found in done.items() if image_id in plan]
    return {
        "db": str(db),
        "run_id": run_id,
        "search_id": search_id,
        "seed": settings.seed,
        "mirrored": settings.mirrored,
        "pictures": len(plan),
        "pictures_searched": len(own),
        "new": len(done) - before,
        "boxes": sum(plan.values()),
        "boxes_searched": sum(count for count, _, _ in own),
        "boxes_plain": sum(plain for _, plain, _ in own),
        "groups": len(firsts) - len(same) - len(votes),
        "groups_by_votes": len(votes),
        "same_pictures": len(same),
    }
