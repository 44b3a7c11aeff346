"""The server on FastAPI, run as ../asgi.py says. The e-mail address is checked by a regular
expression: what FastAPI's EmailStr does costs it more.
"""
import sys
from pathlib import Path as FilePath

from fastapi import Depends, FastAPI, HTTPException, Path
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, conint, constr

sys.path.append(str(FilePath(__file__).resolve().parents[1]))
from asgi import serve  # noqa: E402


class Person(BaseModel):
    id: int
    name: str
    email: str
    active: bool


class Account(BaseModel):
    name: constr(min_length=1, max_length=40)
    age: conint(ge=0, le=150)
    email: constr(regex=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$")
    login: constr(regex=r"^[a-z][a-z0-9_]{2,31}$")


class Note(BaseModel):
    text: str


app = FastAPI()
someone = Person(id=7, name="Frodo Baggins", email="frodo@shire.example", active=True)


async def people():
    yield {someone.id: someone}


@app.get("/plaintext", response_class=PlainTextResponse)
async def plaintext():
    return "Hello, World!"


@app.get("/json", response_model=Person)
async def json_person():
    return someone


@app.get("/sync", response_model=Person)
def sync_person():
    return someone


@app.get("/people/{number}", response_model=Person)
async def get_person(number: int = Path(ge=1, le=1000000), everyone: dict = Depends(people)):
    if number not in everyone:
        raise HTTPException(404, f"nobody has the number {number}")
    return everyone[number]


@app.post("/accounts", response_model=Account)
async def add_account(form: Account):
    return form


@app.post("/notes", response_class=PlainTextResponse)
async def add_note(_form: Note):
    return "Hello, World!"


if __name__ == "__main__":
    serve(app)
