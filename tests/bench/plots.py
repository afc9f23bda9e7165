"""Draws what `cargo xtask bench` measured: plots.py RESULTS FOLDER. Prints the files it wrote."""

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same figures give the same file, so that a repeated drawing changes nothing.
matplotlib.rcParams["svg.hashsalt"] = "zoowarden"
import matplotlib.pyplot as plt  # noqa: E402  (after the backend is chosen)

NAMES = {"zoowarden": "Zoowarden", "zookeeper": "Apache ZooKeeper"}
COLORS = {"zoowarden": "#1f77b4", "zookeeper": "#d62728"}

# (title, figure) of the overviews: one bar per scenario, the ratio of the medians.
OVERVIEWS = [
    ("throughput", "operations per second, ours / Apache ZooKeeper's (more is better)", "per_second"),
    ("cpu", "CPU per operation, ours / Apache ZooKeeper's (less is better)", "cpu_s_per_1000"),
    ("p99", "p99 of the latency, ours / Apache ZooKeeper's (less is better)", "p99_us"),
    ("memory", "resident memory, ours / Apache ZooKeeper's (less is better)", "rss_mib"),
]


def medians(records):
    """{(scenario, point, contender): {figure: median of the rounds}}"""
    values = defaultdict(lambda: defaultdict(list))
    for record in records:
        key = record["scenario"], record["point"], record["contender"]
        for figure, value in record["figures"].items():
            if value is not None:
                values[key][figure].append(value)
    return {
        key: {figure: statistics.median(seen) for figure, seen in figures.items()}
        for key, figures in values.items()
    }


def save(figure, folder, name):
    path = folder / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    print(path.name)


def overview(seen, folder, name, title, wanted):
    scenarios = list(dict.fromkeys(key[0] for key in seen if key[1] is None))
    ratios = []
    for scenario in scenarios:
        ours = seen.get((scenario, None, "zoowarden"), {}).get(wanted)
        peer = seen.get((scenario, None, "zookeeper"), {}).get(wanted)
        if ours and peer:
            ratios.append((scenario, ours / peer))
    if not ratios:
        return
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.28 * len(ratios)))
    labels, values = zip(*reversed(ratios))
    bars = axes.barh(labels, values, color=COLORS["zoowarden"])
    axes.bar_label(bars, fmt="%.2fx", padding=3, fontsize=8)
    axes.axvline(1, color=COLORS["zookeeper"], linewidth=1)
    axes.set_xlabel(title)
    axes.margins(x=0.12)
    save(figure, folder, name)


def growth(seen, folder, scenario):
    of_it = {key: value for key, value in seen.items() if key[0] == scenario}
    figures = sorted({figure for value in of_it.values() for figure in value} - {"errors"})
    rows = -(-len(figures) // 3)
    figure, grid = plt.subplots(rows, 3, figsize=(12, 2.8 * rows), squeeze=False)
    for axes, wanted in zip(grid.flat, figures):
        for contender in NAMES:
            points = sorted(
                (key[1], value[wanted])
                for key, value in of_it.items()
                if key[2] == contender and wanted in value
            )
            if points:
                axes.plot(*zip(*points), "o-", color=COLORS[contender], label=NAMES[contender])
        if not scenario.endswith("servers"):
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_title(wanted.replace("_", " "), fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    for axes in grid.flat[len(figures):]:
        axes.set_axis_off()
    grid.flat[0].legend(fontsize=7)
    figure.supxlabel(scenario.split("/")[-1], fontsize=9)
    figure.tight_layout()
    save(figure, folder, scenario.replace("/", "-"))


def main():
    results, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    seen = medians(results["records"])
    for name, title, wanted in OVERVIEWS:
        overview(seen, folder, name, title, wanted)
    for scenario in dict.fromkeys(key[0] for key in seen if key[1] is not None):
        growth(seen, folder, scenario)


if __name__ == "__main__":
    main()
