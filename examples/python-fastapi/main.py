"""Converts temperatures."""

from fastapi import FastAPI

app = FastAPI(title="Temperatures")


@app.get("/")
def about() -> dict[str, str]:
    return {"about": "Temperatures", "try": "/celsius/21.5"}


@app.get("/celsius/{degrees}")
def convert(degrees: float) -> dict[str, float]:
    return {"celsius": degrees, "fahrenheit": degrees * 9 / 5 + 32}
