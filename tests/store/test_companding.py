import duckdb
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from store import companding, migrate, read, write
from store.connection import reading, writing
from store.errors import StoreError
from store.maps import CodedMaps
from store.records import Results, Run
from store.results import add_results
from tests.support.maps import stored_maps

OF_MAXIMUM, OF_RANGE = 0.005, 0.01  # what every stored map keeps to
RNG = np.random.default_rng(7)
TINY, HUGE = np.float32(1e-45), np.finfo(np.float32).max


def ripple(depth: float, level: float = 1 / 256) -> np.ndarray:
    """Nearly even maps, as of methods that average over many tokens: a level, and `depth` of it up and down."""
    return level * (1 + depth * RNG.uniform(-1, 1, (20, 256)))


def heavy(shape: float) -> np.ndarray:
    drawn = RNG.pareto(shape, (20, 256))
    return drawn / drawn.sum(axis=1, keepdims=True)


KINDS = {
    "peaked": np.exp(4 * RNG.standard_normal((20, 256))),
    "softmax": (lambda a: a / a.sum(axis=1, keepdims=True))(np.exp(RNG.standard_normal((20, 256)))),
    "evidence, half of it 0": np.maximum(RNG.standard_normal((20, 256)), 0),
    "heavy tails": heavy(0.5),
    "heavier tails": heavy(0.2),
    **{f"ripple of {depth:g}": ripple(depth) for depth in 10.0 ** -np.arange(1, 9)},
    "ripple about a power of two": ripple(1e-6, 0.5),
    "ripple and one peak": np.c_[ripple(1e-3), np.full((20, 1), 0.9)],
    "high ground and one hole": np.c_[ripple(1e-3), np.full((20, 1), 1e-6)],
    "one hot": np.eye(20, 256),
    "one hot on a ground": np.eye(20, 256) * 1e-6 + 1,
    "one warm": np.eye(20, 256) * 2.0**-23 + 1,
    "one patch": RNG.random((20, 1)),
    "two patches": RNG.random((20, 2)),
    "even": np.full((20, 256), 1 / 3),
    "zeros": np.zeros((20, 256)),
    "the least there are": RNG.integers(0, 5, (20, 256)) * np.float64(TINY),
    "small ones on the least ground": 1e-38 + RNG.integers(0, 900, (20, 256)) * np.float64(TINY),
    "the greatest there are": RNG.random((20, 256)) * HUGE,
    "all powers of two": np.ldexp(1.0, RNG.integers(-149, 127, (20, 256))),
    "a step more each": 1 + np.outer(np.ones(2), np.arange(4096)) * 2.0**-23,
}


def errors(weights: np.ndarray, decoded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The greatest error of each map, its greatest weight and its range, in float64."""
    exact = np.asarray(weights, np.float64)
    worst = np.abs(np.asarray(decoded, np.float64) - exact).max(axis=1)
    return worst, exact.max(axis=1), exact.max(axis=1) - exact.min(axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_map_keeps_to_its_bounds(kind):
    weights = KINDS[kind].astype(np.float32)
    decoded = companding.decode(*companding.encode(weights))
    assert decoded.dtype == np.float32
    worst, largest, span = errors(weights, decoded)
    assert (worst <= OF_MAXIMUM * largest).all() and (worst <= OF_RANGE * span).all()
    wide = span > 1e-3 * largest
    assert (worst[wide] <= 0.004 * span[wide]).all()
    assert (decoded.min(axis=1) == weights.min(axis=1)).all()
    assert (decoded[weights == weights.min(axis=1, keepdims=True)] >= 0).all()


@settings(max_examples=150, deadline=None)
@given(arrays(np.float32, st.tuples(st.just(1), st.integers(1, 40)), elements=st.floats(0, HUGE.item(), width=32)))
@example(np.array([[1, np.nextafter(np.float32(1), np.float32(2))]], np.float32))
@example(np.array([[0, TINY, HUGE]], np.float32))
@example(np.array([[HUGE, 7.5185381e37]], np.float32))
def test_any_map_at_all_keeps_to_its_bounds(weights):
    worst, largest, span = errors(weights, companding.decode(*companding.encode(weights)))
    assert worst[0] <= OF_MAXIMUM * largest[0] and worst[0] <= OF_RANGE * span[0]


@settings(max_examples=150, deadline=None)
@given(
    st.floats(2.0**-140, 2.0**100, width=32),
    st.lists(st.integers(0, 5000), min_size=1, max_size=40),
)
def test_neighbouring_numbers_keep_to_their_bounds(level, steps):
    """Ranges of a few float32 numbers, across powers of two as well: rounding the sum must not cost too much."""
    bits = np.array([level], np.float32).view(np.uint32) + np.array([0, *steps], np.uint32)
    weights = bits.view(np.float32)[None]
    decoded = companding.decode(*companding.encode(weights))
    worst, _, span = errors(weights, decoded)
    assert worst[0] <= OF_RANGE * span[0]
    if max(steps) < 60:
        assert (decoded == weights).all()


def test_small_weights_keep_what_a_linear_code_would_lose():
    weights = KINDS["peaked"].astype(np.float32)
    decoded = companding.decode(*companding.encode(weights))
    largest = weights.max(axis=1, keepdims=True)
    linear = np.rint(255 * weights / largest) / 255 * largest
    lost, lost_by_linear = (np.abs(other - weights).sum() / weights.sum() for other in (decoded, linear))
    assert lost < 0.02 and lost < lost_by_linear / 2
    assert (decoded > 0).mean() > 2 * (linear > 0).mean()


def test_shapes_types_and_the_ends(make):
    weights = make.softmax(np.random.default_rng(3), 7, 12)
    codes, scales, minima = companding.encode(weights)
    assert (codes.shape, codes.dtype) == ((7, 12), np.uint8)
    assert all((each.shape, each.dtype) == ((7,), np.float32) for each in (scales, minima))
    assert (codes.max(axis=1) == 255).all() and (codes.min(axis=1) == 0).all()
    np.testing.assert_allclose(companding.decode(codes, scales, minima).max(axis=1), weights.max(axis=1), rtol=1e-7)


@pytest.mark.parametrize("shape", [(0, 4), (2, 0), (0, 0)])
def test_maps_of_nothing(shape):
    encoded = companding.encode(np.zeros(shape, np.float32))
    assert encoded[0].shape == shape and companding.decode(*encoded).shape == shape


@pytest.mark.parametrize("bad", [-1e-9, np.nan, np.inf, 1e39])
@pytest.mark.filterwarnings("ignore:overflow")
def test_impossible_weights_are_refused(bad):
    with pytest.raises(StoreError, match="finite weights of 0 and more"):
        companding.encode(np.array([[0.5, bad]]))


def test_every_way_to_read_a_map_gives_the_same(filled):
    """The table's codes decoded in Python, the view and the macro: for nearly even maps too."""
    image = filled.ids["folder/c.jpg"]
    weights = np.concatenate([KINDS[kind][:1, :15] for kind in ("ripple of 0.001", "peaked", "even")])
    weights = weights.astype(np.float32)
    block = stored_maps("hackathon", "", 3, 5, np.full(3, image), np.arange(3), np.zeros(3), weights)
    with writing(filled.path) as con:
        write.add_results(con, filled.run, Results(np.array([image]), maps=[block]))
    with reading(filled.path) as con:
        stack = read.maps(con, filled.run, image, "hackathon")
        where = f"method = 'hackathon' AND image_id = {image}"
        view = con.execute(f"SELECT weights FROM attention WHERE {where} ORDER BY layer").fetchall()
        one_each = [f"SELECT weights FROM attention_map({filled.run}, {image}, 'hackathon', {n}, 0)" for n in range(3)]
        macro = [row for query in one_each for row in con.execute(query).fetchall()]
    decoded = stack.weights.reshape(3, 15)
    assert (decoded == companding.decode(*companding.encode(weights))).all()
    for rows in (view, macro):
        np.testing.assert_allclose(np.array([row for (row,) in rows], np.float32), decoded, rtol=2e-7)
    worst, _, span = errors(weights, decoded)
    assert (worst <= OF_RANGE * span).all()


def test_the_maps_of_an_older_database_stay_what_they_were(tmp_path):
    """A file of the version before, whose codes began at 0: after the migration view, macro and Python give the very
    same numbers as the formula of then."""
    path, codes, scale = tmp_path / "old.duckdb", [0, 1, 17, 128, 254, 255], np.float32(0.0371)
    older = tmp_path / "migrations"
    older.mkdir()
    for number, file in migrate.steps():
        if number < 9:
            (older / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    with duckdb.connect(str(path)) as con:
        migrate.apply(con, path, older)
        con.execute("INSERT INTO stored_map VALUES (1, 1, 'cls', '', 0, 0, 2, 3, ?, ?)", [scale.item(), codes])
        before = con.execute("SELECT weights FROM attention").fetchall()
    with writing(path):
        pass
    with reading(path) as con:
        assert con.execute("SELECT weights FROM attention").fetchall() == before
        assert con.execute("SELECT weights FROM attention_map(1, 1, 'cls', 0, 0)").fetchall() == before
        weights = read.maps(con, 1, 1, "cls").weights.ravel()
    roots = np.array(codes, np.float32) / np.float32(255)
    assert (weights == roots * roots * scale).all()


@pytest.mark.parametrize("cells", [1, 7, 8, 9, 6, 256])
def test_eight_codes_are_a_word_and_come_back(cells):
    codes = np.random.default_rng(cells).integers(0, 256, (5, cells), dtype=np.uint8)
    words = companding.to_words(codes)
    assert words.shape == (5, -(-cells // 8)) and words.dtype == np.uint64
    for row, word in zip(codes, words, strict=True):
        numbers = [*row.tolist(), *[0] * (-cells % 8)]
        assert word.tolist() == [
            sum(number << 8 * place for place, number in enumerate(numbers[start : start + 8]))
            for start in range(0, len(numbers), 8)
        ]


def test_maps_of_before_and_of_now_stand_in_one_table(tmp_path):
    path, codes = tmp_path / "both.duckdb", np.arange(18, dtype=np.uint8).reshape(3, 6) * 14
    weights = companding.decode(codes, np.full(3, 0.5, np.float32), np.zeros(3, np.float32))
    with writing(path) as con:
        write.add_run(con, 1, Run("b", "w", 1, 3, 2, 14, 1, "crop", 56, {}, {}))
        ids, ones = np.ones(3, int), np.full(3, 0.5, np.float32)
        maps = CodedMaps(codes.reshape(3, 2, 3), ones, np.zeros(3, np.float32), ids - 1, np.arange(3), ids, "cls")
        add_results(con, 1, Results(image_ids=np.array([1]), maps=[maps]))
        con.execute("UPDATE stored_map SET codes = ?, words = NULL WHERE head = 1", [codes[1].tolist()])
    with reading(path) as con:
        np.testing.assert_array_equal(read.maps(con, 1, 1, "cls").weights.reshape(3, 6), weights)
        stored = con.execute("SELECT weights FROM attention ORDER BY head").fetchall()
        one = [
            con.execute("SELECT weights FROM attention_map(1, 1, 'cls', 0, ?)", [head]).fetchone() for head in range(3)
        ]
    np.testing.assert_allclose([row for (row,) in stored], weights, rtol=1e-6)
    assert one == stored
