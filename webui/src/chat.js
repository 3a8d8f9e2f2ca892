// The chat page: one conversation, streamed from /v1/chat/completions. Text is only ever put into text nodes.
import { events } from "./sse.js";

const KEY = "seraph-key"; // sessionStorage: the key is gone when the tab is
const element = (id) => document.getElementById(id);
const list = element("messages");
const prompt = element("prompt");
let conversation = []; // replaced, never emptied: an answer that ends late writes into its own
let model = null;
let running = null; // AbortController of the answer in progress

function headers() {
  const key = sessionStorage.getItem(KEY);
  return { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

// The page may be served below a proxy's prefix, so addresses are relative to it.
async function request(path, options = {}) {
  const response = await fetch(path, { ...options, headers: headers() }).catch((error) => {
    throw error.name === "AbortError" ? error : new Error("The server cannot be reached.");
  });
  if (response.status === 401) {
    const refused = sessionStorage.getItem(KEY) !== null;
    sessionStorage.removeItem(KEY);
    element("key-form").hidden = false;
    element("key").focus();
    throw new Error(refused ? "The server does not accept this key." : "This server needs a key.");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const message = body?.error?.message ?? body?.detail;
  throw new Error(typeof message === "string" ? message : `The server answered ${response.status}.`);
}

function add(role, text) {
  element("hint").hidden = true;
  const node = document.createElement("div");
  node.className = `message ${role}`;
  node.append(document.createTextNode(text));
  list.append(node);
  list.scrollTop = list.scrollHeight;
  return node;
}

function extend(node, text) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40; // else the reader has scrolled up
  node.firstChild.appendData(text);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function setRunning(controller) {
  running = controller;
  element("send").hidden = controller !== null;
  element("stop").hidden = controller === null;
}

async function stream(messages, node, signal) {
  const response = await request("v1/chat/completions", {
    method: "POST",
    signal,
    body: JSON.stringify({ ...(model ? { model } : {}), messages, stream: true }),
  });
  for await (const data of events(response.body)) {
    const event = JSON.parse(data);
    if (event.error) throw new Error(event.error.message ?? "The answer broke off.");
    extend(node, event.choices?.[0]?.delta?.content ?? "");
  }
}

async function send(text) {
  const messages = conversation;
  messages.push({ role: "user", content: text });
  const question = add("user", text);
  const node = add("assistant waiting", "");
  const controller = new AbortController();
  setRunning(controller);
  let failure = null;
  try {
    await stream(messages, node, controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) failure = error.message;
  }
  node.classList.remove("waiting");
  const answer = node.firstChild.data;
  if (answer) {
    messages.push({ role: "assistant", content: answer });
  } else {
    // Nothing came: the question goes back to its place, so that it can be sent again.
    messages.pop();
    node.remove();
    if (messages === conversation && !prompt.value) {
      question.remove();
      prompt.value = text;
    }
  }
  if (failure) add("error", failure);
  setRunning(null);
  element(element("key-form").hidden ? "prompt" : "key").focus();
}

function stop() {
  running?.abort();
}

async function loadModel() {
  try {
    const answer = await (await request("v1/models")).json();
    model = answer.data?.[0]?.id ?? null;
    element("model").textContent = model ?? "no model";
    document.title = model ? `${model} – seraph` : "seraph";
  } catch (error) {
    element("model").textContent = error.message;
  }
}

element("chat-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = prompt.value;
  if (running || !text.trim()) return;
  prompt.value = "";
  send(text);
});

prompt.addEventListener("keydown", (event) => {
  // While an input method composes, Enter picks a word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element("chat-form").requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
});

element("stop").addEventListener("click", stop);

element("clear").addEventListener("click", () => {
  stop();
  conversation = [];
  for (const node of list.querySelectorAll(".message")) node.remove();
  element("hint").hidden = false;
  prompt.focus();
});

element("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, element("key").value);
  element("key").value = "";
  element("key-form").hidden = true;
  loadModel();
  prompt.focus();
});

loadModel();
