// Makes many users at once: sends the lines of the form to the API, shows how far the server is, and
// what is wrong with which line. Used by users/batch.html.
"use strict";

(() => {
  const form = document.getElementById("batch");
  const progress = document.getElementById("batch-progress");
  const result = document.getElementById("batch-result");
  const problems = document.getElementById("batch-problems");
  const button = form.querySelector("button");

  // Rows, and the line that each is on; a comma may be in the password.
  const read = (text) => {
    const rows = [], lines = [];
    text.split("\n").forEach((line, index) => {
      if (!line.trim()) return;
      const [username = "", email = "", ...password] = line.split(",");
      rows.push({ username: username.trim(), email: email.trim(), password: password.join(",").trim() });
      lines.push(index + 1);
    });
    return { rows, lines };
  };

  const show = (texts) => {
    problems.replaceChildren(...texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
  };

  // Gives the function that ends it; an answer that comes after that is not shown.
  const follow = (ticket) => {
    let isOver = false;
    const timer = setInterval(async () => {
      const reply = await fetch(`${form.dataset.api}/${ticket}`);
      if (!reply.ok) return;
      const { done, total } = await reply.json();
      if (isOver) return;
      progress.max = total;
      progress.value = done;
      result.textContent = `${done} of ${total} passwords are hashed`;
    }, 300);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { rows, lines } = read(form.elements.lines.value);
    const ticket = crypto.getRandomValues(new Uint32Array(4)).join("-");
    show([]);
    result.textContent = "";
    button.disabled = true;
    progress.hidden = false;
    progress.value = 0;
    const endFollowing = follow(ticket);
    try {
      const reply = await fetch(`${form.dataset.api}?ticket=${ticket}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ users: rows }),
      });
      const said = await reply.json();
      if (reply.ok) {
        result.textContent = `${said.total} users were made`;
        form.reset();
      } else if (Array.isArray(said.detail)) {
        show(said.detail.map(({ loc, msg }) =>
          loc[1] === "users" && loc.length > 2 ? `Line ${lines[loc[2]]}, ${loc[3] ?? ""}: ${msg}` : msg));
      } else {
        show([said.detail]);
      }
    } catch {
      show(["The server did not answer"]);
    } finally {
      endFollowing();
      progress.hidden = true;
      button.disabled = false;
    }
  });
})();
