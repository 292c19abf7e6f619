"""The same four jobs in NumPy and pandas, in double precision, as a person who
knows both would write them. Prints one JSON object: seconds and a check value
for each job. Reading Python, NumPy and pandas in is not counted."""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd

folder, job, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
terms = json.load(open(f"{folder}/terms.json"))


def timed(work):
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        check = work()
        seconds.append(time.perf_counter() - begun)
    return {"seconds": sorted(seconds)[len(seconds) // 2], "check": check}


def machines():
    fleet = np.loadtxt(f"{folder}/fleet.csv", delimiter=",", skiprows=1)
    return fleet[:, 0], fleet[:, 1]


def estimate():
    terahash, watts = machines()
    per_terahash = 86400e12 / (terms["difficulty"] * 2.0**32) * (3.125 + terms["fees"])

    def work():
        bitcoin = terahash * per_terahash
        revenue = bitcoin * terms["price"]
        energy = watts * 0.024
        power = energy * terms["usd_per_kwh"]
        columns = [bitcoin * 1e8, revenue, power, revenue - power, revenue * 1000 / energy, power / bitcoin]
        return float(columns[3].sum())

    return timed(work)


def segments():
    """Days, and what a TH/s earns on each for each unit of price over difficulty:
    growth by calendar month from the first of January 2026, halving by height."""
    days = pd.date_range("2026-01-01", "2030-12-31", freq="D")
    month = (days.year - 2026) * 12 + days.month - 1
    blocks = 925_000 + np.arange(len(days))[:, None] * 144 + np.arange(144)
    subsidy = (50 / 2.0 ** (blocks // 210_000)).mean(axis=1)
    states, counts = np.unique(np.stack([month, -subsidy]), axis=1, return_counts=True)
    growth = ((1 + terms["price_growth"]) / (1 + terms["difficulty_growth"])) ** states[0]
    return counts, growth * 86400e12 / 2.0**32 * (-states[1] + terms["fees"])


def axes():
    prices = np.linspace(40_000, 160_000, 41)
    difficulties = np.linspace(400, 1600, 41) * 1e18 * 600 / 2.0**32
    return prices, difficulties


def heatmap_sorted():
    terahash, watts = machines()
    dollars = 0.024 * terms["usd_per_kwh"]

    def work():
        days, rates = segments()
        prices, difficulties = axes()
        order = np.argsort(watts / terahash)
        thresholds = (watts / terahash)[order] * dollars
        hashes = np.concatenate([[0], np.cumsum(terahash[order])])
        powers = np.concatenate([[0], np.cumsum(watts[order])]) * dollars
        rate = prices[:, None, None] / difficulties[None, :, None] * rates[None, None, :]
        running = np.searchsorted(thresholds, rate)
        return float(((rate * hashes[running] - powers[running]) @ days).sum())

    return timed(work)


def heatmap_plain():
    terahash, watts = machines()
    dollars = 0.024 * terms["usd_per_kwh"]

    def work():
        days, rates = segments()
        prices, difficulties = axes()
        total = 0.0
        for price in prices:
            for difficulty in difficulties:
                rate = price / difficulty * rates
                profit = np.maximum(np.outer(rate, terahash) - watts * dollars, 0)
                total += float(profit.sum(axis=1) @ days)
        return total

    return timed(work)


def backtest():
    terahash, watts = machines()
    prices = np.loadtxt(f"{folder}/prices.csv", skiprows=1)
    hours, minutes = terms["minutes"] / 60, terms["minutes"]

    def work():
        saved = (watts - terms["standby"]) / 1e6 * hours
        revenue = terahash * terms["revenue"] / 1000 / 24 * hours
        cycle = revenue / hours * terms["ramp"] / 60 / 2
        threshold = revenue / saved
        stop = threshold + cycle / ((watts - terms["standby"]) / 1e6 * terms["min_off"] / 60)
        off = np.zeros(len(watts), bool)
        free = np.full(len(watts), -(10**9))
        cost = watts / 1e6 * hours
        rule, cycles = np.zeros(len(watts)), np.zeros(len(watts), int)
        running, stopped = np.zeros(len(watts)), -cycle
        idle = terms["standby"] / 1e6 * hours
        for at, price in enumerate(prices):
            now = at * minutes
            may = now >= free
            stops, starts = may & ~off & (price > stop), may & off & (price <= threshold)
            off = (off | stops) & ~starts
            free = np.where(stops, now + terms["min_off"], np.where(starts, now + terms["min_on"], free))
            rule += np.where(off, -idle * price, revenue - cost * price) - np.where(stops, cycle, 0)
            cycles += stops
            gain = revenue - saved * price
            running, stopped = np.maximum(running, stopped) + gain, np.maximum(stopped, running - cycle)
        foresight = np.maximum(running, stopped) - idle * prices.sum()
        return [float(rule.sum()), float(foresight.sum()), int(cycles.sum())]

    return timed(work)


def import_rows():
    models = {key: watts for key, watts in json.load(open(f"{folder}/models.json")).items()}

    def work():
        rows = pd.read_csv(f"{folder}/rows.csv", dtype=str, keep_default_na=False)
        names = rows["model"].str.lower().str.replace(r"[^a-z0-9+]", "", regex=True)
        known = names.map(models)
        terahash = pd.to_numeric(rows["terahash_per_second"], errors="coerce")
        watts = pd.to_numeric(rows["watts"], errors="coerce").fillna(known)
        good = terahash.between(0.1, 5000) & watts.between(1, 100_000)
        good &= ~rows["serial"].duplicated()
        return [int(good.sum()), int((~good).sum())]

    answer = timed(work)
    answer["kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return answer


jobs = {
    "estimate": estimate,
    "heatmap": heatmap_sorted,
    "heatmap-plain": heatmap_plain,
    "backtest": backtest,
    "import": import_rows,
}
print(json.dumps({**jobs[job](), "numpy": np.__version__, "pandas": pd.__version__}))
