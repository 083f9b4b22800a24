# What the sweep costs, before it starts; and how fast this machine is, which the estimate stands on.


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
