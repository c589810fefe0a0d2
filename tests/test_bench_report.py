"""What benchmarks write, and what they say of figures that miss their aims."""

from tests.bench.report import behind, update
from tests.bench.timing import table

SECTION = "## Reading\n\nOf files.\n\n" + table(
    ["file", "size", "ms", "aim", "rate", "aim"],
    [
        ["JPEG", "1", "9.0", "≤ 8.5", "12", "≥ 10"],
        ["PNG", "6", "8.5", "≤ 8.5", "1,009", "≥ 1010"],
        ["TIFF", "50", "99", "", "", ""],
    ],
)


def test_figures_that_miss_their_aims_are_named():
    assert behind(SECTION) == ["Reading: JPEG, 1: ms 9.0, aim ≤ 8.5", "Reading: PNG, 6: rate 1,009, aim ≥ 1010"]


def test_a_section_takes_the_place_of_the_one_with_its_title(tmp_path, capsys):
    report = tmp_path / "benchmarks.md"
    update([SECTION, "## Other\n\nOne."], report)
    assert "Behind their aims:\n- Reading: JPEG, 1: ms 9.0, aim ≤ 8.5\n- Reading: PNG" in report.read_text()
    update(["## Reading\n\nNothing behind."], report)
    text = report.read_text()
    assert "Nothing is behind its aim." in text
    assert text.count("## ") == 2 and text.index("## Reading\n\nNothing behind.") < text.index("## Other\n\nOne.")
    said = capsys.readouterr().err.splitlines()
    assert (
        said[:2] == ["behind its aim: 2", "  Reading: JPEG, 1: ms 9.0, aim ≤ 8.5"] and said[-1] == "behind its aim: 0"
    )
