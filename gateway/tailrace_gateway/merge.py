"""Three-way merge of texts: two edits of one base that do not touch each other become one text. Pure.

Edits are compared by word; edits that touch or meet count as overlapping, and then there is no merged text.
"""

import re
from difflib import SequenceMatcher

MAX_TOKENS = 20_000  # of one text; larger ones are compared by line

_WORD = re.compile(r"\w+|\s|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")

_Edit = tuple[int, int, list[str]]  # first and last token of the base, and what stands there instead


def merge(base: str, ours: str, theirs: str) -> str | None:
    """The text with both edits, or null when they overlap."""
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    pattern = _WORD if max(map(len, (base, ours, theirs))) <= MAX_TOKENS else _LINE
    tokens = pattern.findall(base)
    mine = _edits(tokens, pattern.findall(ours))
    others = _edits(tokens, pattern.findall(theirs))
    if _overlap(mine, others):
        return None
    merged = list(tokens)
    for start, end, text in sorted(mine + others, key=lambda edit: edit[:2], reverse=True):
        merged[start:end] = text
    return "".join(merged)


def _edits(base: list[str], changed: list[str]) -> list[_Edit]:
    matcher = SequenceMatcher(None, base, changed, autojunk=False)
    return [
        (base_start, base_end, changed[start:end])
        for kind, base_start, base_end, start, end in matcher.get_opcodes()
        if kind != "equal"
    ]


def _overlap(mine: list[_Edit], others: list[_Edit]) -> bool:
    """Do any two edits share a token of the base, or meet at a point?"""
    i = j = 0
    while i < len(mine) and j < len(others):
        if mine[i][1] < others[j][0]:
            i += 1
        elif others[j][1] < mine[i][0]:
            j += 1
        else:
            return True
    return False
