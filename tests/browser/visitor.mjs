// Somebody with a browser of their own: a page, its cookies, and all that a developer would see in
// the console. Called by frodo.mjs.
import { contrastProblems, structureProblems } from "./audit.mjs";

const PATIENCE_MS = 20000;
const SIZES = { desktop: { width: 1280, height: 860 }, phone: { width: 390, height: 780 } };

export class Visitor {
  constructor(context, page, settings) {
    this.context = context;
    this.page = page;
    this.settings = settings;
    this.complaints = []; // errors and warnings of the console, refusals of the content policy
    this.foreign = []; // requests to other hosts
    this.expected = []; // statuses that a step asks for: the browser calls them errors
  }

  static async enter(browser, settings) {
    const context = await browser.newContext({
      baseURL: settings.url, viewport: SIZES.desktop, colorScheme: "light", reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    await context.addInitScript(() => addEventListener("securitypolicyviolation", (event) =>
      console.error(`the policy refuses ${event.violatedDirective} ${event.blockedURI}`)));
    const visitor = new Visitor(context, await context.newPage(), settings);
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type()))
        visitor.complaints.push(`${message.text()} ${message.location().url}`);
    });
    context.on("weberror", (error) => visitor.complaints.push(String(error.error())));
    context.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${settings.url}/`) && !/^(data|blob|about):/.test(url))
        visitor.foreign.push(url);
    });
    return visitor;
  }

  async open(path) {
    const reply = await this.page.goto(path);
    if (reply.status() >= 400) throw new Error(`${path} answers ${reply.status()}`);
  }

  field(label) {
    return this.page.getByLabel(label, { exact: true });
  }

  /** Fills the fields of these labels, in this order. */
  async fill(values) {
    for (const [label, value] of Object.entries(values)) await this.field(label).fill(value);
  }

  /** Presses a button of the page's own part; `status` is what its form answers when it is shown
   * again. */
  async press(name, status = 0) {
    if (status) this.expected.push(status);
    await this.page.locator("main").getByRole("button", { name, exact: true }).click();
  }

  /** Waits for an element that says this. */
  async sees(selector, text) {
    await this.page.locator(selector).filter({ hasText: text }).first().waitFor();
  }

  /** Tab, until what matches has the focus, which can be seen all the way; gives how often. */
  async tabTo(selector) {
    for (let presses = 1; presses < 30; presses++) {
      await this.page.keyboard.press("Tab");
      const focus = await this.page.evaluate((wanted) => {
        const style = getComputedStyle(document.activeElement);
        return {
          found: document.activeElement.matches(wanted),
          outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
        };
      }, selector);
      if (focus.outline < 2) throw new Error(`before ${selector} the focus cannot be seen`);
      if (focus.found) return presses;
    }
    throw new Error(`Tab does not come to ${selector}`);
  }

  async logIn(username, password) {
    await this.open("/login");
    await this.fill({ "User name or e-mail address": username, Password: password });
    await this.press("Log in");
    await this.sees("nav", username);
  }

  async logOut() {
    await this.page.getByRole("button", { name: "Log out", exact: true }).click();
    await this.sees("nav", "Log in");
  }

  /** Judges the page in all sizes and themes, and keeps what it looks like; gives what is wrong. */
  async look(name) {
    const problems = [];
    for (const [size, viewport] of Object.entries(SIZES))
      for (const colorScheme of ["light", "dark"]) {
        await this.page.setViewportSize(viewport);
        await this.page.emulateMedia({ colorScheme });
        const found = [...await this.page.evaluate(structureProblems),
          ...await this.page.evaluate(contrastProblems)];
        problems.push(...found.map((problem) => `${size}, ${colorScheme}: ${problem}`));
        await this.page.screenshot({
          path: `${this.settings.screenshots}/${name}-${size}-${colorScheme}.png`, fullPage: true,
        });
      }
    await this.page.setViewportSize(SIZES.desktop);
    await this.page.emulateMedia({ colorScheme: "light" });
    return problems;
  }

  /** Complaints that nobody asked for, and what was asked for and did not come. How far a batch is
   * may be asked before the server has begun with it. */
  unexpected() {
    const left = this.complaints.filter((complaint) =>
      !/status of 404 .*\/api\/users\/batch\//.test(complaint));
    const missing = [];
    for (const status of this.expected) {
      const at = left.findIndex((complaint) => complaint.includes(`status of ${status} `));
      if (at >= 0) left.splice(at, 1);
      else missing.push(`no complaint about a status ${status}`);
    }
    return [...left, ...missing];
  }
}
