"""Any transformer in a folder: its weights in a stated precision, its blocks, its tokens."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from geomod.errors import InputError

log = logging.getLogger(__name__)

Bos = Literal["none", "add", "tokenizer"]


def load_model(
    folder: str | Path,
    *,
    tokenizer: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = torch.float32,
    spread: bool = False,
) -> tuple[Any, Any]:
    """The model in a local folder, ready to be read from, and its tokenizer.

    A model with a language-modelling head is loaded with it, for surprisal; any other, an encoder
    too, as its bare body. `dtype` is always explicit: left to itself transformers takes the one
    that the file was stored in, float16 for Pythia. `tokenizer` is the folder of the tokenizer,
    where it is not the model's own. With `spread` its blocks are laid over all GPUs in sight.
    """
    folder = Path(folder)
    dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no config.json; expected the folder of a transformers model")
    # Full float32 products on a GPU that would otherwise shorten them to 10 bits of mantissa.
    torch.backends.cuda.matmul.allow_tf32 = False
    transformers.utils.logging.disable_progress_bar()
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(folder, **local)
    door: Any = AutoModelForCausalLM if _has_head(config) else AutoModel
    how: dict[str, Any] = {"dtype": dtype, "output_loading_info": True}
    if spread and not transformers.utils.is_accelerate_available():
        raise InputError("features.spread: true needs the package accelerate; install it")
    weights = {} if spread else read_weights(folder, dtype)
    if spread:
        model, report = door.from_pretrained(folder, device_map="auto", **how, **local)
        check_it_fits(model, folder)
    elif weights:
        with torch.device("meta"):
            family = type(door.from_config(config))
        model, report = family.from_pretrained(None, config=config, state_dict=weights, **how)
    else:
        model, report = door.from_pretrained(folder, **how, **local)
    # A weight that the file lacks is drawn at random by transformers, and only warned about.
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if missing:
        raise InputError(f"{folder}: the weights lack {', '.join(missing[:5])} (of {len(missing)})")
    model.config.use_cache = False
    (model if spread else model.to(device)).eval().requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(tokenizer or folder, **local)


def check_it_fits(model: Any, folder: str | Path) -> None:
    """Weights that lie beside the GPUs would be carried to them again for every batch."""
    places = {str(place) for place in getattr(model, "hf_device_map", {}).values()}
    if len(places) > 1 and places & {"cpu", "disk"}:
        raise InputError(
            f"{folder}: the model does not fit into the GPUs of this machine; "
            "features.dtype: bfloat16 takes half the room of float32"
        )


def parameters_of(model: nn.Module) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Name and values of every weight."""
    for name, weight in model.named_parameters():
        yield name, weight.detach().float().cpu().numpy()


def read_weights(folder: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The weights in a folder's safetensors files as `dtype`, empty where it has none.

    Converted one by one as they are read, they never take much more memory than what they become;
    transformers maps a whole file into memory until the last weight of it is converted.
    """
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    weights = {}
    for name in sorted(names) if all((folder / name).is_file() for name in names) else []:
        try:
            with safe_open(folder / name, framework="pt", backend="pread") as file:
                for key in file.keys():  # noqa: SIM118  (not a dictionary)
                    weight = file.get_tensor(key)
                    weights[key] = weight.to(dtype) if weight.is_floating_point() else weight
        except SafetensorError as error:
            raise InputError(f"{folder / name}: not a whole safetensors file ({error})") from error
    return weights


def _has_head(config: Any) -> bool:
    names = config.architectures or []
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names)


def find_blocks(model: nn.Module, path: str | None = None) -> list[nn.Module]:
    """The transformer blocks of a model of any family, in order.

    They are the one outermost list of as many modules as the config says there are layers. Where
    that does not single one out, `path` names it, as `features.blocks` does in the config.
    """
    lists = {
        name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)
    }
    if path is not None:
        if path not in lists:
            raise InputError(
                f"features.blocks: {path!r} is no list of modules of {type(model).__name__}; "
                f"it has {', '.join(lists) or 'none'}"
            )
        return list(lists[path])
    depth = _text_config(model).num_hidden_layers
    deep = [name for name, module in lists.items() if len(module) == depth]
    outermost = [name for name in deep if not any(name.startswith(f"{o}.") for o in deep)]
    if len(outermost) != 1:
        raise InputError(
            f"cannot tell which modules of {type(model).__name__} are its {depth} blocks: "
            f"{len(outermost)} lists have that many. Set features.blocks to one of "
            f"{', '.join(lists) or 'its modules (it has no list of modules)'}"
        )
    return list(lists[outermost[0]])


def _text_config(model: Any) -> Any:
    return model.config.get_text_config()


def width_of(model: nn.Module) -> int:
    """The number of dimensions of the model's hidden states."""
    return int(_text_config(model).hidden_size)


def longest_sentence(model: nn.Module) -> int | None:
    """The number of tokens that the model can take, where it has a limit."""
    return getattr(_text_config(model), "max_position_embeddings", None)


def tokenize(
    tokenizer: Any, sentences: Sequence[str], *, bos: Bos = "none", limit: int | None = None
) -> list[list[int]]:
    """Token ids of each sentence.

    `bos`: "none" gives the words alone, "add" puts the beginning-of-sequence token before them,
    "tokenizer" adds the special tokens that the tokenizer adds by itself ([CLS] … [SEP] in BERT).
    """
    start = tokenizer.bos_token_id
    if bos == "add" and start is None:
        raise InputError(
            "features.bos: add, but this tokenizer has no beginning-of-sequence token; "
            "set it to none, or to tokenizer for the special tokens that it adds by itself"
        )
    for row, sentence in enumerate(sentences):
        if not isinstance(sentence, str):
            raise InputError(f"sentences, row {row} (from 0): {sentence!r} is not text")
    words = tokenizer(list(sentences), add_special_tokens=False)["input_ids"]
    for row, ids in enumerate(words):
        if not ids:
            raise InputError(
                f"sentences, row {row} (from 0): {sentences[row]!r} gives no token; "
                "fill it in or remove the row"
            )
    if bos == "add":
        words = [[start, *ids] for ids in words]
    elif bos == "tokenizer":
        words = tokenizer(list(sentences), add_special_tokens=True)["input_ids"]
    for row, ids in enumerate(words):
        if limit is not None and len(ids) > limit:
            raise InputError(
                f"sentences, row {row} (from 0): {len(ids)} tokens, but the model takes at most "
                f"{limit}: {sentences[row][:60]!r}…"
            )
    return words


def tokenize_with_places(
    tokenizer: Any, texts: Sequence[str], *, bos: Bos = "none"
) -> Iterator[tuple[list[int], NDArray[np.int64], int]]:
    """Token ids of each text as `tokenize` gives them, where they lie in it, how many precede it.

    A place is a token's first character and its last one + 1; both are 0 for special tokens.
    """
    if not tokenizer.is_fast:
        raise InputError(
            f"{type(tokenizer).__name__} does not say which characters a token stands for, so that "
            "units cannot be found in their passage; give the suite a tokenizer that has a "
            "tokenizer.json, or read the sentences alone"
        )
    found = tokenizer(
        list(texts),
        add_special_tokens=bos == "tokenizer",
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    start = [tokenizer.bos_token_id] if bos == "add" else []
    for ids, places, special in zip(
        found["input_ids"], found["offset_mapping"], found["special_tokens_mask"], strict=True
    ):
        head = len(start) + (special.index(0) if 0 in special else 0)
        places = [(0, 0)] * len(start) + [
            (0, 0) if s else p for p, s in zip(places, special, strict=True)
        ]
        yield [*start, *ids], np.array(places, dtype=np.int64), head
