"""The Prometheus text format, version 0.0.4, as far as tests have to understand it."""

import re
from dataclasses import dataclass, field

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')


@dataclass
class Family:
    """One metric: what stands in front of its samples, and the labels of each series (without `le`)."""

    help: str = ""
    type: str = ""
    series: list[dict[str, str]] = field(default_factory=list)
    bounds: set[str] = field(default_factory=set)


def parse(page: str) -> dict[str, Family]:
    families: dict[str, Family] = {}
    for line in page.splitlines():
        if match := re.match(r"# (HELP|TYPE) (\S+) (.*)", line):
            setattr(families.setdefault(match[2], Family()), match[1].lower(), match[3])
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, f"not a sample: {line}"
        labels = dict(LABEL.findall(sample[2] or ""))
        name = sample[1]
        if name not in families:  # of a histogram
            name = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in families, f"no TYPE before {line}"
        if "le" in labels:
            families[name].bounds.add(labels.pop("le"))
        if labels not in families[name].series:
            families[name].series.append(labels)
    return families
