import duckdb
import pytest

from store import migrate
from store.connection import reading, writing
from store.errors import DatabaseNewer, DatabaseOlder, NotADatabase, StoreError

VIEWS = {
    "images": "image_id collection path sha256 width height metadata added_at",
    "catalogue": "image_id collection path",
    "keywords": "image_id key value",
    "runs": "run_id collection backbone weights_sha256 layers heads dim patch prefix_tokens fit size settings versions "
    "created_at",
    "features": "run_id image_id vector",
    "frames": "run_id image_id x0 y0 x1 y1 rows cols",
    "attention": "run_id image_id method target layer head rows cols weights",
    "attention_accumulated": "run_id image_id method target layer head rows cols weights",
    "head_stats": "run_id image_id layer head distance distance_share distance_raw entropy mass_cls mass_registers "
    "mass_patches peak entropy_mean effective_patches",
    "head_importances": "run_id image_id target layer head importance",
    "token_stats": "run_id image_id outliers norm_median norm_max",
    "predictions": "run_id image_id class name probability value kind",
    "head_names": "run_id layer head name note created_at",
    "projections": "projection_id run_id method settings",
    "points": "projection_id image_id x y",
    "clusterings": "projection_id method settings",
    "clusters": "projection_id image_id cluster name",
    "cluster_levels": "projection_id level chosen image_id cluster name",
    "cluster_centres": "projection_id cluster image_id",
    "texts": "run_id text vector model logit_scale logit_bias cut created_at",
    "vocabularies": "vocabulary_id run_id vocabulary prompts settings created_at",
    "terms": "run_id vocabulary term prompt parent",
    "labels": "run_id image_id vocabulary term score rank labelled",
    "labelled": "run_id image_id vocabulary term inherited rank",
    "term_thresholds": "run_id vocabulary term threshold created_at marks",
    "term_marks": "run_id vocabulary term image_id score correct created_at",
    "patch_runs": "run_id collection scorer title model weights_sha256 settings versions created_at",
    "patches": "run_id image_id rank x0 y0 x1 y1 score",
    "patch_vectors": "run_id image_id rank vector",
    "patch_grids": "run_id image_id rows cols patch_height patch_width",
    "training_runs": "training_id kind name experiment parameters seed epochs done folder config versions created_at "
    "finished_at",
    "training_metrics": "training_id epoch split task metric value",
    "training_examples": "training_id example name width height labels predictions boxes",
    "training_patches": "training_id example rank x0 y0 x1 y1 score",
    "recurring_details": "run_id group_id kind image_id x0 y0 x1 y1 stage matches mirrored pictures",
    "recurring_links": "run_id search_id link_id image_id x0 y0 x1 y1 other_id other_x0 other_y0 other_x1 other_y1 "
    "stage matches score mirrored same_picture matrix",
    "recurring_searches": "search_id run_id seed mirrored condition settings pictures boxes plain seconds created_at",
    "evaluations": "evaluation_id run_id truth condition method target layer head metric size split value low high "
    "baseline_area baseline_random p_value p_holm n created_at",
    "evaluation_images": "evaluation_id run_id truth image_id split method target layer head relevance_mass "
    "pointing_game relevance_rank auprc best_iou sparseness area boxes",
    "tags": "image_id tag note created_at",
    "failures": "collection path stage error at",
}

NEXT = migrate.steps()[-1][0] + 1


@pytest.fixture
def folder(tmp_path):
    """Migrations of a later version: the real ones and one more."""
    later = tmp_path / "migrations"
    later.mkdir()
    for _, file in migrate.steps():
        (later / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    (later / f"{NEXT:04}_more.sql").write_text("CREATE TABLE more (a INTEGER); INSERT INTO more VALUES (7);")
    return later


@pytest.mark.parametrize("view", VIEWS)
def test_a_fresh_database_has_the_public_views(empty, view):
    with reading(empty) as con:
        assert [name for name, *_ in con.execute(f"DESCRIBE {view}").fetchall()] == VIEWS[view].split()
        assert con.execute(f"SELECT * FROM {view}").fetchall() == []


def test_migrations_have_numbers_of_their_own():
    numbers = [number for number, _ in migrate.steps()]
    assert numbers[0] == 1 and numbers == sorted(set(numbers))


def test_a_second_writer_applies_nothing(empty):
    before = empty.read_bytes()
    with writing(empty) as con:
        assert migrate.apply(con, empty) == []
    with reading(empty) as con:
        assert con.execute("SELECT count(*) FROM migration").fetchall() == [(len(migrate.steps()),)]
    assert len(empty.read_bytes()) == len(before)


def test_a_later_migration_is_applied_once_and_keeps_the_data(filled, folder):
    with duckdb.connect(str(filled.path)) as con:
        assert migrate.apply(con, filled.path, folder) == [NEXT]
        assert migrate.apply(con, filled.path, folder) == []
        assert con.execute("SELECT a, (SELECT count(*) FROM images) FROM more").fetchall() == [(7, 5)]
        applied = con.execute("SELECT number, name FROM migration ORDER BY 1").fetchall()
        assert applied[0] == (1, "first") and applied[-1] == (NEXT, "more")


def test_a_newer_database_is_refused_with_advice(filled, folder):
    with duckdb.connect(str(filled.path)) as con:
        migrate.apply(con, filled.path, folder)
    for opening in (reading, writing):
        with pytest.raises(DatabaseNewer, match=r"made by a newer Bilderatlas .*Update"), opening(filled.path):
            pass


def test_a_reader_of_an_older_database_says_what_to_type(filled, folder):
    with duckdb.connect(str(filled.path)) as con, pytest.raises(DatabaseOlder, match="python -m ingest migrate --db"):
        migrate.check(con, filled.path, folder)


def test_a_broken_migration_leaves_the_database_as_it_was(filled, folder):
    (folder / f"{NEXT:04}_more.sql").write_text("CREATE TABLE more (a INTEGER); SELECT nonsense;")
    with duckdb.connect(str(filled.path)) as con:
        with pytest.raises(duckdb.Error):
            migrate.apply(con, filled.path, folder)
        migrate.check(con, filled.path)
        assert con.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'more'").fetchall() == [(0,)]


def test_a_new_database_gets_every_migration_or_none(tmp_path, folder):
    (folder / f"{NEXT:04}_more.sql").write_text("CREATE TABLE more (a INTEGER); SELECT nonsense;")
    with duckdb.connect(str(tmp_path / "new.duckdb")) as con:
        with pytest.raises(duckdb.Error):
            migrate.apply(con, tmp_path / "new.duckdb", folder)
        assert con.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_somebody_elses_database_is_left_alone(tmp_path):
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE sales (a INTEGER)")
    for opening in (reading, writing):
        with pytest.raises(NotADatabase, match="sales"), opening(path):
            pass
    with duckdb.connect(str(path)) as con:
        assert con.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("sales",)]


def test_an_empty_duckdb_file_is_old_to_a_reader_and_fresh_to_a_writer(tmp_path):
    path = tmp_path / "new.duckdb"
    duckdb.connect(str(path)).close()
    with pytest.raises(DatabaseOlder), reading(path):
        pass
    with writing(path):
        pass
    with reading(path) as con:
        assert con.execute("SELECT count(*) FROM images").fetchall() == [(0,)]


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xd8\xff" * 10_000, b"SQLite format 3\x00" + bytes(4096)])
def test_files_of_other_kinds(tmp_path, content):
    path = tmp_path / "other.duckdb"
    path.write_bytes(content)
    for opening in (reading, writing):
        with pytest.raises(NotADatabase, match="not a Bilderatlas database"), opening(path):
            pass
    assert path.read_bytes() == content


def test_a_folder_in_place_of_a_file(tmp_path):
    for opening in (reading, writing):
        with pytest.raises(NotADatabase), opening(tmp_path):
            pass


def test_a_file_in_no_folder(tmp_path):
    with pytest.raises(StoreError, match="no folder"), writing(tmp_path / "nowhere" / "a.duckdb"):
        pass
