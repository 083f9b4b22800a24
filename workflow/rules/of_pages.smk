# What is drawn and shown: figures, runs side by side, maps of voxels.


# Figures of the headline lie in figures/ itself, those of any other dataset in a folder there.
FOLDERS = {name: None if name == next(iter(SECTIONS)) else name for name in SECTIONS}


PLATES = [
    (dataset, name)
    for dataset, folder in FOLDERS.items()
    for name, plate in GALLERY.items()
    if folder is None or not plate.over_datasets
]


def figure_files(suffix, paths=PATHS):
    """Every figure of every dataset; its caption, with the suffix `rst`."""
    return [paths.figure(name, suffix, FOLDERS[dataset]) for dataset, name in PLATES]


def captions():
    """What Snakemake's own report says of every figure: made with the page, from the tables. Where
    the rules come out of a repository, Snakemake looks for captions there alone."""
    if BY_PATH:
        return list(map(os.path.abspath, figure_files("rst", MOVED)))
    return ["../report/figure.rst"] * len(PLATES)


def compared(file):
    """A file of each of the runs that are set side by side."""
    if len(CONFIG.runs) < 2:
        sys.exit("\nsay which runs to compare: --config 'runs=[a, b]'")
    return [here(file(Paths(name))) for name in CONFIG.runs]


def of_participant(wildcards):
    """The dataset that is mapped, with this participant alone."""
    return replace(DATASETS[CONFIG.mapped], participants=[wildcards.participant])


def maps_of(model, participant, suffix):
    """The maps of a participant over the steps and layers of the section `maps`."""
    kept = CONFIG.maps.kept(suffix.partition(".")[0])
    return [
        PATHS.voxels(Place(model, step, CONFIG.mapped), participant, layer, suffix)
        for step, layer in kept
    ]


def all_maps(wildcards):
    """The files of the section `maps`; what is no volume has no space to draw in."""
    maps = CONFIG.maps
    if maps is None:
        sys.exit("\nthe config has no section `maps`, which says what is to be mapped")
    kinds = ["", "change.", "selectivity."]
    is_image = map_space(DATASETS[CONFIG.mapped], maps.participants[0]) is not None
    suffixes = [kind + file for kind in kinds for file in ("nii.gz", "png")]
    table = [PATHS.table("moran", CONFIG.mapped)] if is_image else []
    return table + [
        path
        for model in maps.models
        for participant in maps.participants
        for suffix in (suffixes if is_image else ["parquet"])
        for path in maps_of(model, participant, suffix)
    ]
