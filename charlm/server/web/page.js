/* What all pages share: the token, requests and their errors, streams of events, and the choice of a model. */
const TOKEN = "charlm-token";

// The token comes in the part of the address that is never sent; it stays in this browser, for this server alone.
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  localStorage.setItem(TOKEN, fragment.get("token"));
  history.replaceState(null, "", location.pathname + location.search);
}

export class RequestFailed extends Error {
  constructor(message, param = null) {
    super(message);
    this.param = param; // the field of the request that is wrong, if one is
  }
}

// A number with the form of its noun: "1 token", "1,234 tokens".
export const countOf = (number, noun, plural = `${noun}s`) =>
  `${number.toLocaleString()} ${number === 1 ? noun : plural}`;

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

async function answerTo(method, path, body, signal, headers = {}) {
  const isJson = !(body === undefined || body instanceof Blob || typeof body === "string");
  const options = { method, signal, headers: { "x-charlm-token": localStorage.getItem(TOKEN) ?? "", ...headers } };
  if (isJson) options.headers["content-type"] = "application/json";
  if (body !== undefined) options.body = isJson ? JSON.stringify(body) : body;
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestFailed("The server doesn't answer. Is charlm serve still running?");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  throw new RequestFailed(answer?.error?.message ?? `The server answered ${response.status}.`, answer?.error?.param);
}

export async function ask(method, path, body, signal, headers) {
  return (await answerTo(method, path, body, signal, headers)).json();
}

// Calls `onEvent` with each event; true at the end of the stream, which else throws its error.
export async function stream(path, body, signal, onEvent) {
  const response = await answerTo("POST", path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new RequestFailed("The server stopped in the middle of its answer.");
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.slice(6);
      if (data === "[DONE]") return true;
      const event = JSON.parse(data);
      if (event.error) throw new RequestFailed(event.error.message, event.error.param);
      onEvent(event);
    }
  }
}

export const byId = (id) => document.getElementById(id);
export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
export const visible = (text) => text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(" ", "␣") || "end of text";

// To be called when a page can be used.
export function ready() {
  document.querySelector("main").removeAttribute("aria-busy");
}

const labelOf = (name) => document.querySelector(`label[for="${name}"], label[data-option="${name}"]`);

// Names the fields and choices of this page as they are labelled: a message may come from what commands use, too, and
// name options. Those that this page lacks are said to belong to a command.
export function inWordsOfPage(message) {
  const lacking = new Set();
  const said = message.replace(/`[^`]*`|--([a-z][a-z-]*)(?: ([a-z]+)\b)?/g, (whole, option, value) => {
    if (!option) return whole;
    const name = option.replaceAll("-", "_"),
      label = labelOf(name);
    if (!label) {
      lacking.add(`--${option}`);
      return whole;
    }
    const choice = [...(byId(name)?.options ?? [])].find((one) => one.value === value);
    if (choice) return `“${label.textContent}: ${choice.textContent}”`;
    return value ? `${label.textContent} ${value}` : label.textContent;
  });
  if (!lacking.size) return said;
  const are = lacking.size === 1 ? "is an option" : "are options";
  return `${said} (${[...lacking].join(", ")} ${are} of ${document.querySelector("main").dataset.command})`;
}

export function notice(message = "", param = null) {
  const label = param && message.startsWith(`${param} `) && labelOf(param);
  byId("notice").textContent = inWordsOfPage(label ? label.textContent + message.slice(param.length) : message);
  if (message) byId("notice").scrollIntoView({ block: "nearest" });
}

// Does some work, and shows its error; what is done in the background keeps the error of what the user did.
export async function guarded(work, { background = false } = {}) {
  if (!background) notice();
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    if (!(error instanceof RequestFailed)) throw error;
    notice(error.message, error.param);
    return undefined;
  }
}

// Fills the list of models, and calls `onChange` with the description of the chosen one.
export async function chooseModel(onChange) {
  const list = byId("model");
  const fromAddress = new URLSearchParams(location.search).get("model"),
    wanted = fromAddress ?? sessionStorage.getItem("model");
  const names = await ask("GET", "/api/models");
  for (const name of names) list.append(element("option", { value: name }, name));
  if (names.includes(wanted)) list.value = wanted;
  const changed = () =>
    guarded(async () => {
      sessionStorage.setItem("model", list.value);
      onChange(await ask("GET", `/api/models/${encodeURIComponent(list.value)}`));
    });
  list.addEventListener("change", changed);
  await changed();
  if (fromAddress && !names.includes(fromAddress)) notice(`there is no model ${fromAddress}; ${list.value} was chosen`);
}

export function saveFile(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
