"""The patterns of `match`: what they read and bind, and which of them match whatever comes."""

import ast

from tailrace_kernel.python_expressions import Expressions
from tailrace_kernel.python_names import Names
from tailrace_kernel.python_state import join
from tailrace_kernel.python_values import Value


def match_pattern(pattern: ast.pattern, subject: Value, names: Names, expressions: Expressions) -> None:
    """What holds when `pattern` has matched a value known as `subject`."""
    match pattern:
        case ast.MatchValue(value=value):
            expressions.use(value)
        case ast.MatchAs(pattern=inner, name=name):
            if inner is not None:
                match_pattern(inner, subject, names, expressions)
            if name is not None:
                names.bind(name, subject)
        case ast.MatchStar(name=name):
            if name is not None:
                names.bind(name, subject.inside())
        case ast.MatchSequence(patterns=patterns):
            for inner in patterns:
                match_pattern(inner, subject.element(), names, expressions)
        case ast.MatchOr(patterns=patterns):
            ends = []
            entry = names.state
            for inner in patterns:
                names.state = entry.copy()
                match_pattern(inner, subject, names, expressions)
                ends.append(names.state)
            names.state = join(ends)
        case ast.MatchMapping(keys=keys, patterns=patterns, rest=rest):
            expressions.use_all(keys)
            for inner in patterns:
                match_pattern(inner, subject.element(), names, expressions)
            if rest is not None:
                names.bind(rest, subject.inside())
        case ast.MatchClass(cls=cls, patterns=patterns, kwd_patterns=keyword_patterns):
            expressions.use(cls)
            for inner in [*patterns, *keyword_patterns]:
                match_pattern(inner, subject.element(), names, expressions)


def is_irrefutable(pattern: ast.pattern) -> bool:
    match pattern:
        case ast.MatchAs(pattern=None):
            return True
        case ast.MatchAs(pattern=inner) if inner is not None:
            return is_irrefutable(inner)
        case ast.MatchOr(patterns=patterns):
            return any(is_irrefutable(inner) for inner in patterns)
        case _:
            return False
