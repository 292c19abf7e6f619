"""The peer: the same two routes with FastAPI, NumPy and orjson, as a person who
knows them would write them. It checks the token, computes in double precision
and answers row by row."""

import json
import os

import jwt
import numpy as np
import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from jwt.algorithms import OKPAlgorithm

with open(os.environ["JWKS"]) as file:
    KEY = OKPAlgorithm.from_jwk(json.load(file)["keys"][0])
app = FastAPI()


def tenant(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, KEY, algorithms=["EdDSA"], audience="calculation-core", issuer="https://test-issuer.example")
    except jwt.PyJWTError as error:
        raise HTTPException(401, str(error))
    return claims["tenant"]


def days(terahash, watts, site, market):
    reward = float(market["subsidy_btc"]) + float(market["fees_btc"])
    share = (1 - float(site.get("pool_fee", 0))) * float(site.get("uptime", 1))
    bitcoin = terahash * 1e12 * 86400 / (float(market["difficulty"]) * 2**32) * reward * share
    energy = watts * 0.024 * float(site.get("meter_factor", 1)) * float(site.get("uptime", 1))
    revenue, power = bitcoin * float(market["price_usd"]), energy * float(site["usd_per_kwh"])
    return bitcoin * 1e8, revenue, power, revenue - power, revenue * 1000 / energy, power / bitcoin


NAMES = ["sat_per_day", "revenue_usd_per_day", "power_usd_per_day", "profit_usd_per_day", "breakeven_usd_per_mwh", "breakeven_btc_usd"]


@app.get("/readyz")
def ready():
    return "ok"


@app.post("/v1/estimate")
async def estimate(request: Request):
    tenant(request)
    body = orjson.loads(await request.body())
    machine = body["machine"]
    figures = days(float(machine["terahash_per_second"]), float(machine["watts"]), body["site"], body["market"])
    return Response(orjson.dumps({"answer": dict(zip(NAMES, figures))}), media_type="application/json")


@app.post("/v1/batches")
async def batches(request: Request):
    tenant(request)
    body = orjson.loads(await request.body())
    terahash = np.array([float(machine["terahash_per_second"]) for machine in body["machines"]])
    watts = np.array([float(machine["watts"]) for machine in body["machines"]])
    figures = days(terahash, watts, body["site"], body["market"])
    lines = zip(*(column.tolist() for column in figures))
    rows = [{"row": at, "day": dict(zip(NAMES, line)), "runs": line[3] > 0} for at, line in enumerate(lines, 1)]
    total = float(figures[3].sum())
    best = float(figures[3][figures[3] > 0].sum())
    return Response(orjson.dumps({"summary": {"all": total, "best": best}, "rows": rows}), media_type="application/json")
