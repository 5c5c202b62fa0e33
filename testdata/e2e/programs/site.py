"""A web application in a namespace package, with templates and data files beside it."""

import importlib.metadata
import importlib.resources
import sys

from flask import Flask, render_template

app = Flask("acme.site")


@app.route("/hello/<name>")
def hello(name):
    return render_template("hello.html", name=name)


def main():
    print(importlib.metadata.version("acme-site"), importlib.metadata.version("flask"))
    print(sorted(entry.name for entry in importlib.metadata.distribution("acme-site").entry_points))
    print(importlib.resources.files("acme.site").joinpath("data/motto.txt").read_text().strip())
    with importlib.resources.as_file(importlib.resources.files("acme.site") / "data/motto.txt") as path:
        print(path.read_text().strip())
    response = app.test_client().get("/hello/" + "<b>")
    print(response.status, response.get_data(as_text=True))
    return len(sys.argv) - 1
