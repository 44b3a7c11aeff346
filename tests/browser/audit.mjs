// What must be true of every page, whoever looks at it. Both functions run inside the page, so each
// is complete in itself; both give the list of what is wrong, in words. Called by frodo.mjs.

/** Language, landmarks, headings, names of what can be used, and that nothing is wider than it. */
export function structureProblems() {
  const problems = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const brief = (element) => element.outerHTML.slice(0, 90);
  const refuse = (text, elements) => {
    if (elements.length) problems.push(`${text}: ${elements.map(brief).join(" ")}`);
  };
  const text = (element) => element.getAttribute("aria-label") || element.textContent.trim();

  if (!document.documentElement.lang) problems.push("the page has no language");
  if (!/^\S.* · Frodo$/.test(document.title)) problems.push(`its title is "${document.title}"`);
  for (const selector of ["h1", "main", "body > header", "body > footer"]) {
    const count = all(selector).length;
    if (count !== 1) problems.push(`${count} times ${selector}`);
  }
  refuse("without a label", all("input:not([type=hidden]), select, textarea")
    .filter((field) => ![...field.labels, field].some(text)));
  refuse("without words", all("a[href], button").filter((element) => !text(element)));
  refuse("without an alternative", all("img:not([alt])"));
  refuse("without a name", all("nav, progress").filter((one) => !one.hasAttribute("aria-label")));
  refuse("its id is another's", all("[id]").filter((one) =>
    document.getElementById(one.id) !== one));
  for (const attribute of ["aria-describedby", "aria-labelledby"])
    refuse(`${attribute} of nothing`, all(`[${attribute}]`).filter((one) =>
      !document.getElementById(one.getAttribute(attribute))));
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) problems.push(`a level is left out before ${brief(heading)}`);
    level = next;
  }
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width)
    refuse(`wider than ${width} pixels`, all("main *, header *, footer *").filter((one) =>
      one.checkVisibility() && one.getBoundingClientRect().right > width + 1).slice(0, 2));
  return problems;
}

/** Text that is too pale: WCAG 2.2, 1.4.3, level AA. */
export function contrastProblems() {
  const parse = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
    return { parts: [red, green, blue], alpha };
  };
  const over = (upper, alpha, lower) =>
    upper.map((part, i) => part * alpha + lower[i] * (1 - alpha));
  const luminance = (parts) => {
    const [red, green, blue] = parts.map((part) => part / 255).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ancestors = (element) =>
    element ? [...ancestors(element.parentElement), element] : [];
  const ratio = (element) => {
    let ground = [255, 255, 255], opacity = 1;
    for (const one of ancestors(element)) {
      const style = getComputedStyle(one), layer = parse(style.backgroundColor);
      opacity *= Number(style.opacity);
      ground = over(layer.parts, layer.alpha * opacity, ground);
    }
    const ink = parse(getComputedStyle(element).color);
    const [pale, dark] = [over(ink.parts, ink.alpha * opacity, ground), ground]
      .map(luminance).sort((a, b) => b - a);
    return (pale + 0.05) / (dark + 0.05);
  };
  const hasText = (element) => element.matches("input, select, textarea") ||
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const problems = new Set();
  for (const element of document.body.querySelectorAll("*")) {
    if (!hasText(element) || !element.checkVisibility() || element.matches(":disabled")) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = ratio(element);
    if (found < (isLarge ? 3 : 4.5))
      problems.add(`contrast ${found.toFixed(2)} of ${element.tagName} ${element.className}`);
  }
  return [...problems];
}
