"""An oracle for projections: exact fractions and decimals of Python's own
library, sharing no code with the crate. Run by hand (python3
mining/tests/projection.py); its totals stand in a test of
mining/src/projection.rs."""

import calendar
from datetime import date, timedelta
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 80
START, MONTHS, HEIGHT = date(2026, 11, 23), 36, 1_000_000
PRICE_GROWTH, DIFFICULTY_GROWTH, DISCOUNT = Fraction(2, 100), Fraction(3, 100), Fraction(1, 10)


def units(value, decimals):
    """Half away from zero."""
    scaled = value * 10**decimals
    sign, size = (-1 if scaled < 0 else 1), abs(scaled)
    return sign * ((2 * size.numerator + size.denominator) // (2 * size.denominator))


def kept(value):
    return Fraction(units(value, 36), 10**36)


def part(rate, numerator, denominator):
    base = Decimal(1) + Decimal(rate.numerator) / Decimal(rate.denominator)
    return kept(Fraction((base.ln() * numerator / denominator).exp()))


def months_later(months):
    year, month = START.year + (START.month - 1 + months) // 12, (START.month - 1 + months) % 12 + 1
    return date(year, month, min(START.day, calendar.monthrange(year, month)[1]))


def factors(step, first=Fraction(1)):
    known = [first]

    def at(index):
        while len(known) <= index:
            known.append(kept(known[-1] * step))
        return known[index]

    return at


def growth(rate, convention, of_difficulty):
    if convention == "month-start":
        return "month", factors(1 + rate)
    if convention == "month-middle":
        return "month", factors(1 + rate, part(rate, 1, 2))
    if convention == "per-epoch" and of_difficulty:
        return "epoch", factors(part(rate, 224, 487))
    return "day", factors(part(rate, 16, 487))


def project(convention):
    price_by, price = growth(PRICE_GROWTH, convention, False)
    difficulty_by, difficulty = growth(DIFFICULTY_GROWTH, convention, True)
    total = {"satoshi": 0, "revenue": 0, "power": 0, "profit": 0, "net_present_value": -3000 * 10**6, "rested": 0}
    value, discount, day, on = Fraction(1), part(DISCOUNT, 1, 365), 0, START
    while on < months_later(MONTHS):
        height, month = HEIGHT + 144 * day, 0
        while months_later(month + 1) <= on:
            month += 1
        at = {"day": day, "month": month, "epoch": height // 2016 - HEIGHT // 2016}
        subsidy = Fraction(sum((50 * 10**8) >> ((height + block) // 210_000) for block in range(144)), 144 * 10**8)
        hashes_a_block = 109 * 10**12 * difficulty(at[difficulty_by]) * 2**32
        bitcoin = Fraction(200 * 10**12 * 86_400) / hashes_a_block * (subsidy + Fraction(3, 100)) * Fraction(99, 100)
        revenue, power = bitcoin * 92_817 * price(at[price_by]), Fraction(3500 * 24, 1000) * Fraction(6, 100)
        value = kept(value / discount)
        if revenue < power:
            entry, total["rested"] = (0, 0, 0), total["rested"] + 1
        else:
            entry = (units(bitcoin, 8), units(revenue, 6), units(power, 6))
        profit = entry[1] - entry[2] - 100_000
        for key, amount in zip(("satoshi", "revenue", "power"), entry):
            total[key] += amount
        total["profit"] += profit
        total["net_present_value"] += units(Fraction(profit, 10**6) * value, 6)
        day, on = day + 1, on + timedelta(1)
    return total


if __name__ == "__main__":
    for convention in ("daily-continuous", "month-start", "month-middle", "per-epoch"):
        print(convention, project(convention))
