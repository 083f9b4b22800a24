"""Any transformer in a folder: its weights in a stated precision, its blocks, its tokens."""

import difflib
import logging
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import nn

from geomod.base.errors import InputError
from geomod.base.extras import extra
from geomod.base.files import read_json

with extra("models"):
    import transformers
    from transformers import (
        CONFIG_MAPPING,
        AutoConfig,
        AutoModel,
        AutoModelForCausalLM,
        AutoTokenizer,
    )

log = logging.getLogger(__name__)

CONTENT = "\ue000"  # stands for what a user says: a letter that no template has
Bos = Literal["none", "add", "tokenizer", "chat"]


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
    folder, tokens = Path(folder), Path(tokenizer or folder)
    dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no config.json; expected the folder of a transformers model")
    _check_description(read_json(folder / "config.json"), folder / "config.json")
    _check_parts(folder)
    # Full float32 products on a GPU that would otherwise shorten them to 10 bits of mantissa.
    torch.backends.cuda.matmul.allow_tf32 = False
    transformers.utils.logging.disable_progress_bar()
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    how: dict[str, Any] = {"dtype": dtype, "output_loading_info": True}
    how["ignore_mismatched_sizes"] = True  # they are reported below, by name
    if spread and not transformers.utils.is_accelerate_available():
        raise InputError("features.spread: true needs the package accelerate; install it")
    weights = {} if spread else read_weights(folder, dtype)
    with _in_words(f"{folder}: no model can be made of its config.json and its weights"):
        config = AutoConfig.from_pretrained(folder, **local)
        door: Any = AutoModelForCausalLM if _has_head(config) else AutoModel
        if weights:
            with torch.device("meta"):
                family = type(door.from_config(config))
            model, report = family.from_pretrained(None, config=config, state_dict=weights, **how)
        else:
            place = {"device_map": "auto"} if spread else {}
            model, report = door.from_pretrained(folder, **place, **how, **local)
    check_it_fits(model, folder)
    _check_shapes(report, folder)
    # A weight that the file lacks is drawn at random by transformers, and only warned about.
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if missing:
        raise InputError(f"{folder}: the weights lack {', '.join(missing[:5])} (of {len(missing)})")
    model.config.use_cache = False
    (model if spread else model.to(device)).eval().requires_grad_(False)
    with _in_words(f"{tokens}: its tokenizer cannot be read"):
        return model, AutoTokenizer.from_pretrained(tokens, **local)


def _check_description(values: Mapping[str, Any], path: Path) -> None:
    """Refuse a `config.json` of a kind of model that is not read here."""
    family = values.get("model_type")
    if family not in CONFIG_MAPPING:
        close = difflib.get_close_matches(str(family), list(CONFIG_MAPPING.keys()), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise InputError(
            f"{path}: `model_type` is {family!r}, which transformers {transformers.__version__} "
            f"does not know.{hint} Code that comes with a checkpoint is never run"
        )
    if "quantization_config" in values:
        raise InputError(
            f"{path}: the weights are quantized, and geomod reads whole ones only; give the "
            "checkpoint as it was before quantization"
        )


def _check_parts(folder: Path) -> None:
    """Refuse an index that points out of the folder: what lies there is no part of the model."""
    for index in folder.glob("*.index.json"):
        for name in set(read_json(index).get("weight_map", {}).values()):
            if Path(name).name != name:
                raise InputError(
                    f"{index} points to {name!r}; the parts of a model must lie beside its index"
                )


def _check_shapes(report: Mapping[str, Any], folder: Path) -> None:
    """Refuse weights of other shapes than the config says."""
    for name, found, wanted in sorted(report["mismatched_keys"]):
        raise InputError(
            f"{folder}: {name} has the shape {list(found)}, but config.json makes it "
            f"{list(wanted)}; one of the two belongs to another model"
        )


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """Say of an error of the libraries which folder it was, in one sentence; a lack of memory is
    nobody's fault."""
    try:
        yield
    except (InputError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever a library makes of a file that it did not expect
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{what} ({lines[0]})") from error


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
        names = set(read_json(index).get("weight_map", {}).values())
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


def check_vocabulary(model: Any, ids: Sequence[Sequence[int]]) -> None:
    """Refuse tokens that the model has no embedding of."""
    rows = int(model.get_input_embeddings().weight.shape[0])
    largest = max((max(tokens) for tokens in ids), default=-1)
    if largest >= rows:
        raise InputError(
            f"the tokenizer gives the token {largest}, but the model has embeddings of {rows} "
            f"tokens (0 to {rows - 1}): they do not belong together. Name the right one as "
            "`tokenizer` of the suite"
        )


def width_of(model: nn.Module) -> int:
    """The number of dimensions of the model's hidden states."""
    return int(_text_config(model).hidden_size)


def longest_sentence(model: nn.Module) -> int | None:
    """The number of tokens that the model can take, where it has a limit."""
    return getattr(_text_config(model), "max_position_embeddings", None)


def fragments(tokenizer: Any, ids: Sequence[Sequence[int]]) -> list[int]:
    """How many tokens of each sentence are unknown or stand for one byte or letter alone.

    Where most are, the vocabulary was made for other text than this.
    """
    used = sorted({token for sentence in ids for token in sentence})
    names = tokenizer.convert_ids_to_tokens(used)
    small = {token for token, name in zip(used, names, strict=True) if _is_fragment(name)}
    # GPT-2's unknown token is also its first and last one.
    small |= {tokenizer.unk_token_id} - {tokenizer.bos_token_id, tokenizer.eos_token_id}
    return [sum(token in small for token in sentence) for sentence in ids]


def _is_fragment(name: str) -> bool:
    """A byte of a byte-level vocabulary (whose names are letters below 324), or `<0x41>`, or a
    single letter; no punctuation, and no characters of scripts that write words with one."""
    if re.fullmatch("<0x[0-9A-F]{2}>", name):
        return True
    name = name.removeprefix("##")
    return len(name) == 1 and ord(name) < 324 and name not in string.punctuation


def vocabulary_of(model: nn.Module) -> int:
    """The number of tokens that the model chooses among."""
    return int(_text_config(model).vocab_size)


def tokenize(
    tokenizer: Any, sentences: Sequence[str], *, bos: Bos = "none", limit: int | None = None
) -> list[list[int]]:
    """Token ids of each sentence.

    `bos`: "none" gives the words alone, "add" puts the beginning-of-sequence token before them,
    "tokenizer" adds the special tokens that the tokenizer adds by itself ([CLS] … [SEP] in BERT),
    "chat" puts what the tokenizer's chat template puts before what a user says.
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
    if bos in ("add", "chat"):
        head = [start] if bos == "add" else chat_head(tokenizer)
        words = [[*head, *ids] for ids in words]
    elif bos == "tokenizer":
        words = tokenizer(list(sentences), add_special_tokens=True)["input_ids"]
    for row, ids in enumerate(words):
        if limit is not None and len(ids) > limit:
            raise InputError(
                f"sentences, row {row} (from 0): {len(ids)} tokens, but the model takes at most "
                f"{limit}: {sentences[row][:60]!r}…"
            )
    return words


def chat_head(tokenizer: Any) -> list[int]:
    """Tokens that the tokenizer's chat template puts before what a user says.

    They are tokenized by themselves, so that the text's own tokens are those that it has alone.
    What a template puts after the text is left out: a model that reads from left to right does not
    know of it when it reads the text.
    """
    if not tokenizer.chat_template:
        raise InputError(
            "`chat_template` of the suite is true, but its tokenizer has none; set it to false, or "
            "name a `tokenizer` that has one"
        )
    told = [{"role": "user", "content": CONTENT}]
    before, _, _ = tokenizer.apply_chat_template(told, tokenize=False).partition(CONTENT)
    ids: list[int] = tokenizer(before, add_special_tokens=False)["input_ids"]
    return ids


def spell(tokenizer: Any, ids: Sequence[int]) -> str:
    """Tokens as a table keeps them: `464:the 3797:cat`."""
    names = tokenizer.convert_ids_to_tokens(list(ids))
    pairs = zip(ids, names, strict=True)
    return " ".join(f"{token}:{str(name).replace(' ', '▁')}" for token, name in pairs)


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
    if bos == "chat":
        start = chat_head(tokenizer)
    for ids, places, special in zip(
        found["input_ids"], found["offset_mapping"], found["special_tokens_mask"], strict=True
    ):
        head = len(start) + (special.index(0) if 0 in special else 0)
        places = [(0, 0)] * len(start) + [
            (0, 0) if s else p for p, s in zip(places, special, strict=True)
        ]
        yield [*start, *ids], np.array(places, dtype=np.int64), head
