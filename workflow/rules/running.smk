# A run begins, ends, or fails: what is held, remembered and said.


def name_in_queue():
    """What the executor calls all jobs of this start, where it sends them to Slurm."""
    return getattr(workflow.scheduler._executor, "run_uuid", "")


def begin():
    """Take the run for this process alone, clear what killed ones left, and say what is planned."""
    with jobs.last_words():
        if workflow.local_exec:  # which is not known any earlier
            check_device(CONFIG)
        runs.hold(MOVED.root)
        queue.take_over(MOVED.root, name_in_queue())
        logging.getLogger("snakemake.logging").addHandler(Progress())
        runs.end_orphans(MOVED.root)
        runs.sweep(MOVED.root)
        runs.write_record(
            MOVED.root,
            OWNER,
            blocks=by_suite(BLOCKS),
            training=by_suite(TRAINING),
            geometry=by_suite(MEASURING),
            encoding=by_suite(FITTING),
            loads=[load.planned for load in LOADS],
        )


def complain(since):
    """Let what failed jobs said to people come last, below all that Snakemake says around it."""
    logs = workflow.modifier.path_modifier.replace_prefix(
        os.path.dirname(PATHS.log(""))
    )
    sentences = jobs.complaints(logs, since)
    if sentences:
        atexit.register(print, "", *sentences, sep="\n", file=sys.stderr)


def finish():
    """Say what this run has found and how long it took, and write the index of all runs anew."""
    from pathlib import Path
    from geomod.report.runs import to_open, verdicts, write_index

    claims, page = Path(MOVED.at("claims.json")), Path(MOVED.at("report.html"))
    if claims.exists():
        write_index(claims.parents[1], TEMPLATES_OF_RUNS[0])
        print(*verdicts(claims), sep="\n")
        print(f"Done in {duration(time.time() - STARTED)}.")
        print(to_open(claims, page, Path(MOVED.beside("index.html"))))


def by_suite(blocks):
    """The steps of every block, as the record of a run keeps them."""
    return {
        name: [b.steps for b in blocks if b.suite == name] for name in CONFIG.suites
    }


onstart:
    begin()


onerror:
    complain(STARTED)


onsuccess:
    finish()


STARTED = time.time()

if IS_MODULE and runs.first_time(MOVED.root):
    # Snakemake calls the handlers of the main file alone: put these before its own.
    workflow._onstart = runs.one_after_another(begin, workflow._onstart)
    workflow._onerror = runs.one_after_another(
        lambda: complain(STARTED), workflow._onerror
    )
