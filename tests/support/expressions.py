"""PromQL, as far as the tests of alerts and dashboards take it apart."""

import re

# At the end of an operand: a comparison with a number, "14 * 86400" among them.
THRESHOLD = re.compile(r"\s(?:==|!=|>=|<=|>|<)\s[-\d.]+(?:\s\*\s[\d.]+)?$")


def operands(expression: str) -> list[str]:
    """What `and` and `or` combine outside of parentheses."""
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"[({\[]|[)}\]]|\s(?:and|or)\s", expression):
        if match[0] in "({[":
            depth += 1
        elif match[0] in ")}]":
            depth -= 1
        elif depth == 0:
            parts.append(expression[start:match.start()])
            start = match.end()
    return [part.strip() for part in [*parts, expression[start:]]]


def without_thresholds(expression: str) -> list[str]:
    """Each operand of an alert's expression, with the comparison that makes it an alert taken off."""
    found = []
    for operand in operands(expression):
        assert THRESHOLD.search(operand), f"no threshold in {operand}"
        found.append(THRESHOLD.sub("", operand))
    return found
