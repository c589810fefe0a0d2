"""`python -m tests.torture [kills|files|statements|routes|reading …]`: the long harnesses, and a table of what came of them."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.timing import table

KILLS, IMAGES, SEED = 50, 300, 20
MINUTES = 10.0

Row = list[str]  # what was done, how often, what came of it, what should not have been


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which ones; all unless named")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of reading while an ingest writes")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.parts or PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="torture-") as folder:
            try:
                for row in PARTS[name](Path(folder), arguments):
                    rows.append(row)
                    progress(" · ".join(row))
            except AssertionError as error:
                rows.append([name, "", "", str(error).splitlines()[0][:200] if str(error) else "an assertion failed"])
        progress(f"{name}: {time.monotonic() - began:.0f} s")
    print(table(["torture", "how often", "what came of it", "errors"], rows))
    sys.exit(any(row[-1] != "none" for row in rows))


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def kills_of(folder: Path, arguments: argparse.Namespace) -> Iterator[Row]:
    from tests.torture import kills

    pictures, whole = kills.make_pictures(folder / "pictures", arguments.images), folder / "whole.duckdb"
    seconds = kills.undisturbed(pictures, whole)
    survived = kills.survive(pictures, whole, folder, arguments.kills, SEED, seconds, progress)
    ends = (
        f"{survived.rounds} databases of {arguments.images} pictures, all equal to an undisturbed one to the last bit"
    )
    yield [
        "ingests killed",
        f"{survived.kills}, {survived.writing} in the middle of a write, {survived.merging} of a checkpoint",
        ends,
        "none",
    ]
    for megabytes in (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.8):
        db = folder / "full.duckdb"
        ended = kills.Life(pictures, db, kills.file_limit, megabytes).end()
        clear = "There is no room left" in ended.output or (not megabytes and not ended.output)
        if ended.code == 0:
            continue  # it fitted
        stored = db.exists()
        if stored:
            kills.check_sound(db)
        again = kills.Life(pictures, db).end()
        assert again.code == 0, again.output
        kills.check_same(db, whole)
        kills.remove(db)
        what = "a sentence" if clear and megabytes else "an end" if clear else "no sentence"
        came = f"{what}, {'a database that opens' if stored else 'no database'}; the next ingest makes it whole"
        yield ["disk full", f"at {megabytes:g} MB", came, "none" if clear else ended.output[-200:]]


def files_of(folder: Path, arguments: argparse.Namespace) -> Iterator[Row]:
    from ingest.vision.paths import printable
    from tests.ingest import hostile
    from tests.ingest.test_hostile_files import outcomes
    from tests.torture import kills

    cases, db = hostile.make(folder / "files"), folder / "hostile.duckdb"
    ended = kills.Life(folder / "files", db).end()
    assert ended.code == 0, ended.output[-500:]
    kills.check_sound(db)
    sizes, failures = outcomes(db)
    for wanted in (hostile.IMAGE, hostile.FAILURE, hostile.EITHER, hostile.LEFT_OUT):
        names = [printable(case.name) for case in cases if case.outcome == wanted]
        pictures, failed = {name for name in names if name in sizes}, {name for name in names if name in failures}
        silent = set(names) - pictures - failed
        right = {
            hostile.IMAGE: len(pictures) == len(names) and not failed,
            hostile.FAILURE: len(failed) == len(names) and not pictures,
            hostile.EITHER: not silent,
            hostile.LEFT_OUT: len(silent) == len(names),
        }[wanted]
        came = f"{len(pictures)} pictures, {len(failed)} failures with a reason, {len(silent)} left out"
        yield [f"hostile files, to become: {wanted}", str(len(names)), came, "none" if right else "not as it should be"]


def statements_of(folder: Path, arguments: argparse.Namespace) -> Iterator[Row]:
    from store import sandbox
    from tests.pages import database
    from tests.torture import statements

    db, room = folder / "bilderatlas.duckdb", folder / "room"
    database.make(db)
    room.mkdir()
    statements.lay_out(room)
    before = {file: file.read_bytes() for file in room.iterdir()} | {db: db.read_bytes()}
    outcomes = [statements.attack(db, kind, sql) for kind, sql in statements.attacks(db, room)]
    after = {file: file.read_bytes() for file in room.iterdir()} | {db: db.read_bytes()}
    for kind in statements.ATTACKS:
        mine = [outcome for outcome in outcomes if outcome.kind == kind]
        counts = Counter(outcome.outcome for outcome in mine)
        faults = [f"{outcome.sql[:60]}: {outcome.fault}" for outcome in mine if outcome.fault]
        came = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
        came += f"; the slowest after {max(outcome.seconds for outcome in mine):.1f} s"
        yield [f"SQL: {kind}", str(len(mine)), came, "; ".join(faults) or "none"]
    assert before == after, "a statement changed a file"
    assert sandbox.query(db, "SELECT 1 AS one").table.num_rows == 1


def routes_of(folder: Path, arguments: argparse.Namespace) -> Iterator[Row]:
    from tests.browser.conftest import serve
    from tests.pages import database
    from tests.torture import routes, statements

    db, room = folder / "bilderatlas.duckdb", folder / "room"
    database.make(db)
    room.mkdir()
    statements.lay_out(room)
    server, address = serve(db)
    try:
        answers = [routes.ask(address, request) for request in routes.requests()]
        good = routes.ask(address, "GET /thumb/1 HTTP/1.1")
        assert good.status == 200 and server.poll() is None, "the server no longer answers"
    finally:
        server.terminate()
        server.wait(20)
    statuses = Counter(answer.status or "closed" for answer in answers)
    found = [(answer, routes.fault(answer, statements.SECRET.encode())) for answer in answers]
    faults = [f"{answer.request[:60]}: {fault}" for answer, fault in found if fault]
    came = ", ".join(f"{count} × {status}" for status, count in statuses.most_common())
    yield ["hostile requests", str(len(answers)), came, "; ".join(faults[:5]) or "none"]


def reading_of(folder: Path, arguments: argparse.Namespace) -> Iterator[Row]:
    from tests.torture import readers

    waits = readers.read_while_writing(folder, arguments.minutes * 60)
    for what, count, median, late, longest in waits.rows():
        came = f"median {median:.2f} s, 95 % within {late:.2f} s, longest {longest:.2f} s"
        yield [what, str(count), came, "none"]
    writing = f"{waits.ingests} ingests, {waits.chunks} writes"
    first = " ".join(waits.problems[0].split())[-200:] if waits.problems else ""
    problems = f"{len(waits.problems)}, such as: {first}" if first else "none"
    yield ["reading while an ingest writes", f"{arguments.minutes:g} minutes", writing, problems]


PARTS: dict[str, Callable[[Path, argparse.Namespace], Iterator[Row]]] = {
    "kills": kills_of,
    "files": files_of,
    "statements": statements_of,
    "routes": routes_of,
    "reading": reading_of,
}


if __name__ == "__main__":
    # The forked ingests import this module by name; so what it imports, it imports where it is needed.
    with contextlib.suppress(KeyboardInterrupt):
        main()
