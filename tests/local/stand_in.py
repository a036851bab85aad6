"""A process that answers /readyz as a service would, for the tests of the supervisor alone."""

import os

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/readyz")
def readyz() -> str:
    return "ready"


@app.get("/settings")
def settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PERKSTREAM_")}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PERKSTREAM_HTTP_PORT"]), log_level="warning")
