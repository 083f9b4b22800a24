# What the sweep costs, before it starts; and how fast this machine is, which the estimate stands on.


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


localrules:
    estimate,
    benchmark,


rule estimate:
    # For as many workers as there are: .venv/bin/snakemake estimate --cores 16
    log:
        PATHS.log("estimate"),
    conda:
        CONDA
    params:
        text=lambda wildcards: estimated(workflow.cores or workflow.nodes),
    shell:
        "echo {params.text:q} | tee {log}"


rule benchmark:
    output:
        PATHS.beside("machine.json"),
    log:
        PATHS.log("benchmark"),
    conda:
        CONDA
    params:
        code=code("benchmark.py"),
    script:
        "../scripts/benchmark.py"
