# What hangs on a dataset: what it is made of, what is known of its rows, what its tests are told.


def simulation(name):
    """The section `simulate` of a dataset, and the seed of its brain."""
    made = SECTIONS[name].simulate.model_dump()
    return {**made, "seed": SEED if made["seed"] is None else made["seed"]}


def grouping_of(wildcards):
    """What decides whether groups of sentences allow the folds."""
    found = grouping(CONFIG, wildcards.dataset)
    return found and asdict(found)


def rows_of(dataset):
    """The table of a dataset whose rows are those of its features: sentences, or TRs of stories."""
    return PATHS.data(dataset, f"{'rows' if dataset in STORIES else 'stimuli'}.parquet")


def of_rows(key, dataset):
    """What is known of rows beyond their text: the table of a key that the dataset may have."""
    given = getattr(SECTIONS[dataset], key)
    return [PATHS.data(dataset, f"{key}.parquet")] if given else []


def nuisances_of(dataset):
    """What responses may follow beside texts: a table of the dataset's own, or confounds of scans,
    unless these are regressed out."""
    scans = DATASETS[dataset].scans
    if scans and scans.confounds and not scans.regress:
        return [PATHS.data(dataset, "confounds.parquet")]
    return of_rows("nuisances", dataset)


def planted_for_listeners(wildcards):
    """What is planted in people who listen, where they are made up."""
    made_up = wildcards.dataset in MADE_UP
    return [PATHS.data(wildcards.dataset, "world/truth.json")] if made_up else []


def inference_settings(wildcards):
    """What the tests of a dataset are told."""
    return CONFIG.inference.told_of(wildcards.dataset)


def planted_in(wildcards):
    """What is planted in a dataset, where it is simulated."""
    names = [name for name in SIMULATED if name == wildcards.dataset]
    return [PATHS.data(name, "world/truth.json") for name in names]


def recovered_in(wildcards):
    """What came back of what is planted in a dataset, where it is simulated."""
    return [
        PATHS.table("recovery", name) for name in SIMULATED if name == wildcards.dataset
    ]


def reader_of_made_up_times():
    """The task set of made-up reading times, and the model and step that readers are like."""
    for name, section in CONFIG.competence.items():
        if section.reader:
            return name, section.reader.model, section.reader.step


def of_datasets(kind, names=tuple(SECTIONS)):
    """What each dataset brings to a table, a file each."""
    return [PATHS.table(kind, name) for name in names]
