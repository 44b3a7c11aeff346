// The application as its readers, writers and administrators use it. Called by
// ../run_frodo_browser.py with a JSON object on stdin: url of the site, chromium (the program), npm
// (the folder of node_modules), screenshots (a folder), admin {username, password}, swagger (is
// /docs Swagger UI?). Prints a line per check, then `N passed, N failed, N skipped`.
//
// Steps build on each other, as a day does: rosie registers, merry (an administrator) writes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Visitor } from "./visitor.mjs";

const settings = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = createRequire(`${settings.npm}/`)("playwright-core");
const rosie = { username: "rosie", email: "rosie@shire.example", password: "a garden of roses" };
const BATCH = 60;

const POST = `# Under the leaves

A *party* in the open: 派对之树, 생일 잔치.

<script>document.title = "mine"</script><img src=x onerror="document.title = 'mine'">

| guests | cakes |
|---|--:|
| 144 | 300 |
`;

const counts = { passed: 0, failed: 0, skipped: 0 };

function report(title, problem) {
  counts[problem ? "failed" : "passed"]++;
  console.log(problem ? `FAILED ${title}: ${problem}` : `ok ${title}`);
}

/** One check: what it throws is what is wrong. */
async function step(title, body) {
  try {
    await body();
    report(title);
  } catch (error) {
    report(title, error.message);
  }
}

/** Each page that the visitor is at is judged as a check of its own. */
async function look(visitor, name) {
  await step(`the page ${name} is sound`, async () =>
    assert.deepEqual(await visitor.look(name), []));
}

/** The code of the mail to this address: it is sent after the reply. */
async function mailedCode(visitor, address) {
  for (let tries = 0; tries < 100; tries++) {
    const reply = await visitor.context.request.get("/dev/outbox.json",
      { params: { to: address } });
    const code = (await reply.json())[0]?.text.match(/ is (\d{6})\n/)?.[1];
    if (code) return code;
    await new Promise((resume) => setTimeout(resume, 50));
  }
  throw new Error(`no code was mailed to ${address}`);
}

async function search(visitor, words) {
  await visitor.open("/");
  await visitor.field("Search").fill(words);
  await visitor.page.keyboard.press("Enter");
  await visitor.sees("main p[role=status]", "found");
  return visitor.page.locator("main article h2").allTextContents();
}

async function reading(reader) {
  await step("the index leads to a post", async () => {
    await reader.open("/");
    await reader.page.getByRole("link", { name: "异步编程入门", exact: true }).click();
    await reader.sees("h1", "异步编程入门");
    await reader.sees(".comment-text", "协程和线程有什么区别");
  });
  for (const [name, path] of Object.entries({
    index: "/", tag: "/tags/한국어", "post-code": "/posts/straight-line-code-that-waits",
    "post-korean": "/posts/한글-검색은-두-글자부터", "post-table": "/posts/a-cache-that-is-never-stale",
    login: "/login", register: "/register", recover: "/recover", search: "/search",
  })) {
    await step(`a reader opens ${name}`, () => reader.open(path));
    await look(reader, name);
  }
  await step("two Chinese characters are found", async () => {
    assert.ok((await search(reader, "缓存")).includes("搜索两个汉字"));
    assert.deepEqual(await search(reader, "派对"), []);
  });
  await look(reader, "search-nothing");
  await step("two Korean syllables are found", async () => {
    assert.ok((await search(reader, "검색")).includes("한글 검색은 두 글자부터"));
    assert.deepEqual(await search(reader, "잔치"), []);
  });
  await step("a theme is chosen, and kept", async () => {
    await reader.open("/");
    const theme = () => reader.page.locator("html").getAttribute("data-theme");
    await reader.page.getByRole("button", { name: "Use the dark theme" }).click();
    assert.equal(await theme(), "dark");
    await reader.page.reload();
    assert.equal(await theme(), "dark");
    await reader.page.getByRole("button", { name: "Use the light theme" }).click();
    assert.equal(await theme(), "light");
    await reader.page.evaluate(() => localStorage.removeItem("theme"));
  });
}

async function registering(visitor) {
  await step("a code is asked for", async () => {
    await visitor.open("/register");
    await visitor.fill({ "E-mail address": rosie.email });
    await visitor.press("Mail me a code");
    await visitor.sees("main p", rosie.email);
  });
  await step("a wrong code is refused beside its field", async () => {
    const right = await mailedCode(visitor, rosie.email);
    await visitor.fill({
      Code: right === "000000" ? "000001" : "000000", "User name": rosie.username,
      "New password": rosie.password, "The same again": rosie.password,
    });
    await visitor.press("Make my account", 422);
    await visitor.sees("#code[aria-invalid=true] + .error", /\w/);
    assert.equal(await visitor.field("User name").inputValue(), rosie.username);
    assert.equal(await visitor.field("New password").inputValue(), "");
  });
  await look(visitor, "register-wrong");
  await step("the mailed code makes the account", async () => {
    await visitor.fill({
      Code: await mailedCode(visitor, rosie.email), "New password": rosie.password,
      "The same again": rosie.password,
    });
    await visitor.press("Make my account");
    await visitor.sees("h1", "Your profile");
    await visitor.sees("nav", rosie.username);
  });
  await step("the profile is changed", async () => {
    await visitor.fill({ About: "Grows <b>roses</b>" });
    await visitor.press("Save");
    await visitor.sees(".notice", "saved");
    assert.equal(await visitor.field("About").inputValue(), "Grows <b>roses</b>");
  });
  await look(visitor, "profile");
  await step("the address is changed, with its code and the password", async () => {
    rosie.email = "cotton@shire.example";
    await visitor.fill({ "New address": rosie.email });
    await visitor.press("Mail me a code");
    await visitor.fill({ Code: await mailedCode(visitor, rosie.email), "Your password": "wrong" });
    await visitor.press("Change the address", 422);
    await visitor.sees("#email-password[aria-invalid=true] + .error", "wrong");
  });
  await look(visitor, "profile-email-wrong");
  await step("the new address is shown", async () => {
    await visitor.fill({ Code: await mailedCode(visitor, rosie.email),
      "Your password": rosie.password });
    await visitor.press("Change the address");
    await visitor.sees(".notice", "address was changed");
    await visitor.sees("dd", rosie.email);
  });
  await step("logging out ends the session", async () => {
    await visitor.logOut();
    await visitor.open("/profile");
    await visitor.sees("h1", "Log in");
  });
}

async function byKeyboard(visitor) {
  const { keyboard } = visitor.page;
  await step("the first key leads past the menu", async () => {
    await visitor.open("/login");
    assert.equal(await visitor.tabTo("a.skip"), 1);
    await keyboard.press("Enter");
    assert.equal(await visitor.tabTo("#username"), 1);
  });
  await step("a wrong password is refused beside its field", async () => {
    await visitor.open("/login");
    await visitor.tabTo("#username");
    await keyboard.type(rosie.username);
    await keyboard.press("Tab");
    await keyboard.type("not a rose");
    visitor.expected.push(422);
    await keyboard.press("Enter");
    await visitor.sees("#password[aria-invalid=true] + .error", "No account");
  });
  await look(visitor, "login-wrong");
  await step("logging in needs the keyboard only", async () => {
    await visitor.tabTo("#password");
    await keyboard.type(rosie.password);
    await keyboard.press("Enter");
    await visitor.sees("nav", rosie.username);
  });
}

// A browser without a cookie: the answer is that of the token.
async function authorizing(reader) {
  const { page } = reader;
  await step("Authorize in /docs gives the endpoints a token", async () => {
    await reader.open("/docs");
    await page.locator(".auth-wrapper .authorize").click();
    await page.locator("#oauth_username").fill(rosie.username);
    await page.locator("#oauth_password").fill(rosie.password);
    await page.getByRole("button", { name: "Apply given OAuth2 credentials" }).click();
    await page.getByRole("button", { name: "Remove authorization" }).waitFor();
    await page.locator(".auth-container .btn-done").first().click();
    const path = page.locator('[data-path="/api/users/me"]');
    const block = page.locator(".opblock-get", { has: path });
    await block.locator(".opblock-summary-control").click();
    await block.locator(".try-out__btn").click();
    await block.locator(".execute").click();
    await block.locator(".live-responses-table .microlight")
      .filter({ hasText: rosie.email }).first().waitFor();
  });
}

async function writing(writer, reader) {
  let slug = "";
  await step("a post is written with a live preview", async () => {
    await writer.open("/admin/posts");
    await writer.page.getByRole("link", { name: "New post", exact: true }).click();
    await writer.fill({ Title: "The party tree", "Tags, with commas between them": "shire, 잔치",
      "Text, in Markdown": POST });
    await writer.sees("#preview h2", "Under the leaves");
    await writer.sees("#preview td", "144");
    assert.equal(await writer.page.locator("#preview script, #preview img").count(), 0);
    assert.match(await writer.page.title(), /^New post/);
  });
  await look(writer, "editor");
  await step("a draft is its writer's", async () => {
    await writer.press("Save");
    await writer.sees(".notice", "saved");
    slug = await writer.page.getByRole("link", { name: "Show it" }).getAttribute("href");
    assert.equal((await reader.context.request.get(slug)).status(), 404);
    assert.deepEqual(await search(reader, "派对"), []);
  });
  await step("published, everybody finds it", async () => {
    await writer.press("Publish");
    await writer.sees("main", "Make it a draft");
    assert.deepEqual(await search(reader, "派对"), ["The party tree"]);
    assert.deepEqual(await search(reader, "잔치"), ["The party tree"]);
    await reader.page.getByRole("link", { name: "The party tree" }).click();
    await reader.sees(".prose td", "300");
    assert.equal(await reader.page.locator(".prose script, .prose img").count(), 0);
    assert.match(await reader.page.title(), /^The party tree/);
  });
  await step("a writer sees the posts", () => writer.open("/admin/posts"));
  await look(writer, "admin-posts");
  return slug;
}

async function talking(member, writer, reader, slug) {
  const love = member.page.getByRole("button", { name: "love" });
  await step("a reaction is given, and taken back", async () => {
    await member.open(slug);
    for (const [pressed, count] of [["true", "1"], ["false", "0"], ["true", "1"]]) {
      await love.click();
      await member.sees(`.reaction-love[aria-pressed=${pressed}] .count`, count);
    }
  });
  await step("a comment is text", async () => {
    await member.fill({ "Your comment": "Who brings the <b>cake</b>? 谁带蛋糕？" });
    await member.press("Comment");
    await member.sees(".comment-text", "Who brings the <b>cake</b>? 谁带蛋糕？");
  });
  await look(member, "post-member");
  await step("a moderator hides it, and shows it again", async () => {
    const comment = writer.page.locator("article", { hasText: "Who brings" });
    const button = (name) => comment.getByRole("button", { name, exact: true });
    await writer.open("/admin/comments");
    for (const [does, undoes, count] of [["Hide", "Show", 0], ["Show", "Hide", 1]]) {
      await button(does).click();
      await button(undoes).waitFor();
      await reader.open(slug);
      assert.equal(await reader.page.locator(".comment-text").count(), count);
      if (does === "Hide") await look(writer, "admin-comments");
    }
  });
}

const linesOf = (name, count) => Array.from({ length: count }, (_, i) =>
  `${name}${i}, ${name}${i}@shire.example, pass, word ${i}`).join("\n");

async function manyUsers(admin) {
  const { page } = admin;
  await step("a batch says which line is wrong, and makes nobody", async () => {
    await admin.open("/admin/users/batch");
    await admin.fill({ Lines: `${linesOf("hobbit", 2)}\nNo, address, x\n` });
    await admin.press("Make them");
    admin.expected.push(422);
    await admin.sees("#batch-problems li", /^Line 3, email/);
  });
  await look(admin, "batch-wrong");
  await step("a batch shows how far it is", async () => {
    await page.evaluate(() => {
      const said = document.getElementById("batch-result");
      const bar = document.querySelector("progress");
      window.followed = [];
      new MutationObserver(() => window.followed.push([said.textContent, bar.value, bar.hidden]))
        .observe(said, { childList: true });
    });
    await admin.fill({ Lines: linesOf("hobbit", BATCH) });
    await admin.press("Make them");
    await admin.sees("#batch-result", `${BATCH} users were made`);
    const steps = (await page.evaluate(() => window.followed)).filter(([text, value, hidden]) =>
      text === `${value} of ${BATCH} passwords are hashed` && value > 0 && !hidden);
    assert.ok(steps.length > 0, "no progress was shown");
    assert.equal(await admin.field("Lines").inputValue(), "");
    assert.equal(await page.locator("#batch-problems li").count(), 0);
  });
}

async function rolesAndDepartments(admin) {
  const { page } = admin;
  const { keyboard } = page;
  const link = (name) => page.getByRole("link", { name, exact: true });
  await step("a role is made by keyboard, after a name that is taken", async () => {
    await admin.open("/admin/users");
    await link("Roles").click();
    await link("New role").click();
    await admin.tabTo("#name");
    await keyboard.type("editor");
    await admin.tabTo("[value='posts:write']");
    await keyboard.press("Space");
    admin.expected.push(422);
    await keyboard.press("Enter");
    await admin.sees("#name[aria-invalid=true] + .error", "taken");
    assert.ok(await page.locator("[value='posts:write']").isChecked());
  });
  await look(admin, "role-wrong");
  await step("a role is made", async () => {
    await admin.fill({ Name: "gardener" });
    await admin.field("Sees").selectOption("the own department and those below it");
    await page.getByRole("checkbox", { name: "users:read" }).check();
    await admin.press("Save");
    await admin.sees(".notice", "saved");
    await admin.sees("h1", "Role gardener");
    assert.deepEqual(await page.locator("input:checked").evaluateAll((boxes) =>
      boxes.map((box) => box.value)), ["users:read", "posts:write"]);
  });
  await look(admin, "role");
  await step("departments stand below each other", async () => {
    await link("Roles").click();
    await link("Departments").click();
    await link("The Shire").click();
    await link("New one below it").click();
    await admin.fill({ Name: "Hobbiton" });
    await admin.press("Save");
    await admin.sees(".notice", "saved");
    await link("New one below it").click();
    await admin.fill({ Name: "Bagshot Row" });
    await admin.press("Save");
    await admin.sees("h1", "Bagshot Row");
    await link("Departments").click();
    await admin.sees(".tree > li > ul > li > ul > li", "Bagshot Row");
  });
  await look(admin, "departments");
  await step("what is not empty is not deleted", async () => {
    await link("Hobbiton").click();
    await admin.press("Delete this department", 409);
    await admin.sees(".error[role=alert]", "one stands below it");
  });
  await look(admin, "department-wrong");
  await step("a role that nobody has is deleted", async () => {
    await admin.open("/admin/roles");
    await link("gardener").click();
    await admin.press("Delete this role");
    await admin.sees("h1", "Roles");
    assert.equal(await link("gardener").count(), 0);
  });
}

async function administering(admin, member) {
  const { page } = admin;
  await step("a user is made, after a name that is taken", async () => {
    await admin.open("/admin/users");
    await page.getByRole("link", { name: "New user", exact: true }).click();
    await admin.fill({ "User name": rosie.username, "E-mail address": "sam@shire.example",
      Password: "potatoes, boiled" });
    await admin.press("Save", 422);
    await admin.sees("#username[aria-invalid=true] + .error", "taken");
  });
  await look(admin, "user-new-wrong");
  await step("a user is made", async () => {
    await admin.fill({ "User name": "sam", Password: "potatoes, boiled" });
    await admin.press("Save");
    await admin.sees(".notice", "saved");
    await admin.sees("h1", "sam");
  });
  await look(admin, "user");
  await manyUsers(admin);
  await step("users are searched", async () => {
    await admin.open("/admin/users");
    await admin.fill({ "Name or address": "hobbit5" });
    await admin.field("Order").selectOption("by name");
    await admin.press("Show");
    await admin.sees("caption", "11 users");
    assert.equal(await page.locator("tbody th").first().textContent(), "hobbit5");
  });
  await step("a disabled account is logged out, and does not come back", async () => {
    await admin.open(`/admin/users?q=${rosie.username}`);
    await page.getByRole("link", { name: rosie.username, exact: true }).click();
    await admin.field("Status").selectOption("disabled");
    await admin.press("Save");
    await admin.sees(".notice", "saved");
    await member.open("/profile");
    await member.sees("h1", "Log in");
    await member.fill({ "User name or e-mail address": rosie.username,
      Password: rosie.password });
    await member.press("Log in", 422);
    await member.sees("#password-error", "No account");
  });
  for (const [name, path] of [["users", "/admin/users"], ["roles", "/admin/roles"]]) {
    await step(`an administrator opens ${name}`, () => admin.open(path));
    await look(admin, name);
  }
  await rolesAndDepartments(admin);
  await step("an administrator logs out", () => admin.logOut());
}

const browser = await chromium.launch({
  executablePath: settings.chromium,
  args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
const enter = () => Visitor.enter(browser, settings);
const [reader, member, admin] = [await enter(), await enter(), await enter()];
await reading(reader);
await registering(member);
await byKeyboard(member);
if (settings.swagger) await authorizing(reader);
else counts.skipped++;
await step("an administrator logs in", () =>
  admin.logIn(settings.admin.username, settings.admin.password));
const slug = await writing(admin, reader);
await talking(member, admin, reader, slug);
await administering(admin, member);
for (const [who, visitor] of Object.entries({ reader, member, admin })) {
  report(`the ${who}'s console is quiet`, visitor.unexpected().join("; "));
  report(`the ${who}'s browser asks no other host`, visitor.foreign.join(" "));
}
await browser.close();
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed ? 1 : 0;
