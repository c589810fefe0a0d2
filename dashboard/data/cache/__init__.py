"""All that the pages know of the database, and the only package that keeps any of it in memory.

A page imports this package and asks it by name: `cache.images()`. Every answer is remembered under the database's path
and a token of its state (`memory`), so that what a running ingest adds appears at the next rerun and nothing is asked
twice before. Tables come as pandas data frames, cheap copies of what is shared. Each function raises the StoreErrors of
`store`; the router turns them into a page.
"""

# ruff: noqa: F401  (the names below are for the pages)

from dashboard.data.cache.annotations import (
    add_note,
    add_tags,
    change_note,
    delete_note,
    delete_region,
    delete_selection,
    note_tag,
    notes,
    regions,
    remove_tag,
    rename_selection,
    save_region,
    save_selection,
    saved_selections,
    selection_members,
    tagged,
    tags,
    tags_among,
    tags_of,
)
from dashboard.data.cache.attention import (
    group_maps,
    head_maps,
    head_mean_map,
    head_means,
    head_methods,
    head_names,
    head_peaks,
    head_similarity,
    head_statistics,
    head_stats,
    head_targets,
    map_levels,
    maps,
    methods,
    name_head,
    outliers,
    predicted_class,
)
from dashboard.data.cache.collection import (
    ImageRow,
    catalogue,
    catalogue_parts,
    collections,
    current_image,
    failures,
    image,
    image_in_view,
    image_row,
    images,
    images_text,
    items,
    labels,
    list_columns,
    metadata_columns,
    number_columns,
    table_readings,
    time_columns,
    unread_dates,
)
from dashboard.data.cache.facets import (
    categories,
    chart_columns,
    facet_columns,
    grouping,
    matching,
    query,
    satisfying,
    spread,
    state,
    statement,
    usable,
)
from dashboard.data.cache.file import database, databases, db
from dashboard.data.cache.memory import computed, remembered, version
from dashboard.data.cache.networks import (
    backbone,
    current_run,
    detail_patches,
    features,
    frame,
    frames,
    nearest,
    nearest_to,
    network,
    recurring_details,
    recurring_searches,
    run,
    run_in_view,
    runs,
    runs_with_patches,
)
from dashboard.data.cache.pictures import (
    key_points,
    object_runs,
    object_thumbnails,
    objects,
    objects_of,
    original,
    part,
    patch_boxes,
    patch_grid,
    patch_leaders,
    patch_runs,
    patches,
    picture,
    pictures_version,
    thumb_url,
    thumbnail,
    thumbnail_of,
    thumbnails,
    window_points,
)
from dashboard.data.cache.projected import (
    cluster_names,
    clusters,
    layout,
    outlines_of,
    part_in_view,
    points,
    points_of,
    points_route,
    projections,
    save_part,
)
from dashboard.data.cache.words import stored_texts, text_tower, text_vectors
from dashboard.data.cache.words.vocabularies import (
    add_marks,
    catalogue_with_labels,
    columns_with_labels,
    label_counts,
    marks,
    own_label_counts,
    score_vocabulary,
    set_threshold,
    term_scores,
    thresholds,
    vocabularies,
    vocabulary_columns,
)
from dashboard.data.routes import library_route, route, service_route, services
