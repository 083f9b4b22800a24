"""Multiple choice: a context and its possible ends, of which one is right.

From tables of one's own, a row a choice (`item_id, task, family, context, choice, correct`), and
from files of one JSON object an item: `context, choices, correct`, or as ARC, PIQA, Social IQA and
HellaSwag are published.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.base.sheets import labels, listed, read_sheet, require_columns
from geomod.competence.lines import read_lines, text_of
from geomod.competence.source import Source
from geomod.competence.task_set import ITEMS, Span, TaskSet, Text, check_once, draw, wide

Parsed = tuple[str, Sequence[str], int]  # context, choices, the place of the right one


class Item(NamedTuple):
    """A context, its possible ends, and which of them is right (from 0)."""

    task: str
    item_id: str
    family: str
    context: str
    choices: tuple[str, ...]
    correct: int
    where: str


class Choices(TaskSet):
    """Of each item, whether the right choice has the highest ln p given the context.

    m choices that share the highest value, the right one among them, count 1/m. The alternative
    score divides ln p by the number of characters of the choice first. `log_p_bad` and
    `tokens_bad` are those of the likeliest wrong choice.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        items = [item for path in source.paths() for item in _read(path, source)]
        check_once([(item.task, item.item_id) for item in items], [item.where for item in items])
        kept = draw([item.task for item in items], source.per_task, source.seed)
        self.choices = [items[k] for k in kept]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(item.task for item in self.choices))

    def texts(self) -> list[Text]:
        found = []
        for item in self.choices:
            for number, choice in enumerate(item.choices):
                text = f"{item.context} {choice}".strip()
                start = len(item.context)
                span = Span(item.task, item.item_id, str(number), start, len(text))
                found.append(Text(text, (span,), item.where))
        return found

    def items(self, spans: pd.DataFrame) -> pd.DataFrame:
        parts = wide(spans, [(item.task, item.item_id) for item in self.choices])
        columns = [str(number) for number in range(max(len(item.choices) for item in self.choices))]
        log_p, tokens = (parts[name][columns].to_numpy(float) for name in ("log_p", "tokens"))
        correct = np.array([item.correct for item in self.choices])
        lengths = np.full(log_p.shape, np.nan)
        for row, item in enumerate(self.choices):
            lengths[row, : len(item.choices)] = [len(choice) for choice in item.choices]
        wrong = np.where(np.arange(len(columns)) == correct[:, None], np.nan, log_p)
        every, bad = np.arange(len(correct)), np.nanargmax(wrong, axis=1)
        table = pd.DataFrame(self.choices)[["task", "item_id", "family"]].assign(
            log_p_good=log_p[every, correct],
            log_p_bad=log_p[every, bad],
            tokens_good=tokens[every, correct].astype(int),
            tokens_bad=tokens[every, bad].astype(int),
            score=highest(log_p, correct),
            chance=1 / np.sum(~np.isnan(log_p), axis=1),
            uniform=highest(-tokens, correct),
            alternative=highest(log_p / lengths, correct),
        )
        return table[ITEMS]


def highest(values: NDArray[Any], correct: NDArray[Any]) -> NDArray[Any]:
    """1/m where `values` [items, choices] of the `correct` choice and m − 1 others are highest."""
    best = values == np.nanmax(values, axis=1, keepdims=True)
    return best[np.arange(len(correct)), correct] / best.sum(axis=1)


def _read(path: Path, source: Source) -> Iterator[Item]:
    if path.suffix.lower() in (".jsonl", ".json"):
        yield from _from_lines(path, source)
    else:
        yield from _from_sheet(path, source)


# --- Tables -------------------------------------------------------------------------------------


def _from_sheet(path: Path, source: Source) -> Iterator[Item]:
    sheet = read_sheet(path, source.columns)
    require_columns(sheet.columns, path, ["item_id", "context", "choice", "correct"])
    names = ["item_id", "choice", "correct", *({"task", "family"} & set(sheet.columns))]
    columns = pd.DataFrame({name: labels(sheet, path, name) for name in names})
    columns["context"] = sheet["context"].str.strip()
    for name, default in (("task", source.name), ("family", source.family or "functional")):
        columns[name] = columns.get(name, default)
    groups = columns.groupby(["task", "item_id"], sort=False)
    marked = any(len(set(cells)) > 1 for _, cells in groups["correct"])
    for (task, item_id), rows in groups:
        where = f"{path}, row {rows.index[0]}"
        for name in ("context", "family"):
            other = rows.index[rows[name] != rows[name].iloc[0]]
            if len(other):
                raise InputError(
                    f"{path}, row {other[0]}: item {item_id!r} of task {task!r} has another {name} "
                    f"than in row {rows.index[0]}."
                )
        yield Item(
            str(task),
            str(item_id),
            source.check_family(rows["family"].iloc[0], where),
            rows["context"].iloc[0],
            _enough(rows["choice"].tolist(), where),
            _right_one(rows["correct"], marked, path),
            where,
        )


def _right_one(cells: pd.Series, marked: bool, path: Path) -> int:
    """Which row of an item is right: the one that is `marked`, 1 beside zeros, or, where all rows
    of an item say the same number, the one at that place (from 0)."""
    words = cells.str.lower().replace({"true": "1", "false": "0"})
    for row, word in words.items():
        if not word.isdecimal():
            raise InputError(
                f"{path}, row {row}: correct is {cells[row]!r}. It says 1 beside the right choice "
                "and 0 beside the others, or beside all the place of the right one, from 0."
            )
    numbers = words.astype(int)
    if not marked:
        return _within(int(numbers.iloc[0]), len(numbers), f"{path}, row {numbers.index[0]}")
    ones = np.flatnonzero(numbers == 1)
    if len(ones) != 1 or numbers.max() > 1:
        raise InputError(
            f"{path}, row {numbers.index[0]}: of this item's {len(numbers)} choices {len(ones)} "
            f"are marked as correct ({listed(cells)}); exactly one must say 1, and the others 0."
        )
    return int(ones[0])


# --- One JSON object an item --------------------------------------------------------------------


def _from_lines(path: Path, source: Source) -> Iterator[Item]:
    for number, (where, line) in enumerate(read_lines(path), start=1):
        context, choices, correct = _parse(line, where)
        own = {name: text_of(line, name, where) for name in ("task", "family") if name in line}
        keys = [key for key in ("item_id", "id", "ind") if key in line]
        family = own.get("family") or source.family or "functional"
        yield Item(
            own.get("task", source.name),
            text_of(line, keys[0], where) if keys else str(number),
            source.check_family(family, where),
            context.strip(),
            _enough(choices, where),
            _within(correct, len(choices), where),
            where,
        )


def _parse(line: Mapping[str, Any], where: str) -> Parsed:
    """Context, choices and the right one of a line, by the keys that it has."""
    for keys, parse in FORMATS.items():
        if all(key in line for key in keys):
            return parse(line, where)
    raise InputError(
        f"{where}: this is no item of multiple choice: it has the keys {listed(line)}. Known are "
        + "; ".join(", ".join(keys) for keys in FORMATS)
    )


def _own(line: Mapping[str, Any], where: str) -> Parsed:
    context = "" if line["context"] == "" else text_of(line, "context", where)
    return context, _texts(line["choices"], "choices", where), _number(line, "correct", where)


def _arc(line: Mapping[str, Any], where: str) -> Parsed:
    """As AI2 publishes it, and as the Hugging Face hub has it."""
    asked: Any = line["question"]
    choices: Any = line.get("choices")
    if isinstance(asked, Mapping):
        asked, choices = asked.get("stem"), asked.get("choices")
    if isinstance(choices, Mapping):
        found = [choices.get("text"), choices.get("label")]
    else:
        rows = [row if isinstance(row, Mapping) else {} for row in choices or ()]
        found = [[row.get(key) for row in rows] for key in ("text", "label")]
    texts, names = (_texts(each, "choices", where) for each in found)
    key = text_of(line, "answerKey", where)
    if key not in names:
        raise InputError(f"{where}: answerKey is {key!r}, but the choices are {listed(names)}.")
    question = text_of({"question": asked}, "question", where)
    return f"Question: {question}\nAnswer:", texts, list(names).index(key)


def _piqa(line: Mapping[str, Any], where: str) -> Parsed:
    choices = [text_of(line, key, where) for key in ("sol1", "sol2")]
    context = f"Question: {text_of(line, 'goal', where)}\nAnswer:"
    return context, choices, _number(line, "label", where)


def _social_iqa(line: Mapping[str, Any], where: str) -> Parsed:
    """`label` is 1, 2 or 3, `correct` A, B or C."""
    choices = [text_of(line, f"answer{letter}", where) for letter in "ABC"]
    context = f"Q: {text_of(line, 'context', where)} {text_of(line, 'question', where)}\nA:"
    if "correct" in line:
        return context, choices, "ABC".find(text_of(line, "correct", where))
    return context, choices, _number(line, "label", where) - 1


def _hellaswag(line: Mapping[str, Any], where: str) -> Parsed:
    choices = _texts(line["endings"], "endings", where)
    return text_of(line, "ctx", where), choices, _number(line, "label", where)


FORMATS = {
    ("context", "choices", "correct"): _own,
    ("question", "answerKey"): _arc,
    ("goal", "sol1", "sol2", "label"): _piqa,
    ("context", "question", "answerA", "answerB", "answerC"): _social_iqa,
    ("ctx", "endings", "label"): _hellaswag,
}


def _texts(values: Any, key: str, where: str) -> list[str]:
    if not isinstance(values, list):
        raise InputError(f"{where}: {key} is {values!r}, not a list of texts.")
    return [text_of({key: value}, key, where) for value in values]


def _number(line: Mapping[str, Any], key: str, where: str) -> int:
    if key not in line:
        raise InputError(f"{where}: no key {key!r}. It has {listed(line)}.")
    text = str(line[key])
    if not text.isdecimal():
        raise InputError(f"{where}: {key} is {line[key]!r}, not the place of the right choice.")
    return int(text)


def _enough(choices: Sequence[str], where: str) -> tuple[str, ...]:
    if len(choices) < 2:
        raise InputError(f"{where}: {len(choices)} choice, and there must be two or more.")
    return tuple(choices)


def _within(correct: int, count: int, where: str) -> int:
    if not 0 <= correct < count:
        raise InputError(
            f"{where}: correct is {correct}, but there are {count} choices: 0 to {count - 1}."
        )
    return correct
