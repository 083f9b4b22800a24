# What every job asks of its machine or its queue.


@cache
def needed(stage, model, dataset, steps, layers, load):
    """What a job is estimated to cost; of many thousand jobs, few are not alike."""
    return SWEEP.job(stage, model, dataset, steps, layers, load)


def needs(stage, block=None, load=None, model=""):
    """The memory and the time that a job asks its queue for, and more at every further attempt."""
    steps = len(block.steps) if block else 1

    def ask(wildcards, attempt):
        place = wildcards.get("model", model), wildcards.get("dataset", "")
        layers = layers_in(wildcards.get("layers", "all"))
        number = load.number if load else 0
        return asked(needed(stage, *place, steps, layers, number), MACHINE, attempt)

    return {
        "mem_mb": lambda wildcards, attempt: ask(wildcards, attempt)[0],
        "runtime": lambda wildcards, attempt: ask(wildcards, attempt)[1],
    }


def estimated(workers):
    """What the sweep costs, in words."""
    return str(Estimate(SWEEP, workers, Room.here(".")))


def gpu_here(wildcards):
    """The GPUs of this machine that a job takes; those of a cluster are given out by its queue."""
    return GPU if workflow.local_exec else 0
