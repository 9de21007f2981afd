"""A list of tasks, kept in memory."""

from flask import Flask, redirect, render_template, request

app = Flask(__name__)
tasks = ["Water the plants"]


@app.get("/")
def index():
    return render_template("index.html", tasks=tasks)


@app.post("/")
def add():
    task = request.form.get("task", "").strip()
    if task:
        tasks.append(task)
    return redirect("/", code=303)
