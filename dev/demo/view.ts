/** Draws rows. Everything that others wrote goes through `textContent`. */
import { type Delivery, failed } from "./delivery.ts";
import { imageType } from "./image-type.ts";
import type { Row, RowFile } from "./room.ts";

const SVG = "http://www.w3.org/2000/svg";
const HUES = 6;
/** Characters above which a message is folded. */
const FOLDED_CHARS = 2_000;

const TICKS: Readonly<Record<Delivery, { readonly words: string; readonly path: string }>> = {
  new: { words: "Handing over", path: "M5 8h.1M8 8h.1M11 8h.1" },
  queued: { words: "Queued", path: "M8 2.2a5.8 5.8 0 1 1 0 11.6A5.8 5.8 0 0 1 8 2.2zM8 5v3.2l2 1.2" },
  sent: { words: "Sent", path: "M3 8.5l3.2 3.2L13 4.8" },
  delivered: { words: "Delivered", path: "M.8 8.5l3.2 3.2L10.8 4.8M7.8 11.4l.4.3L15.2 4.8" },
  "send-error": { words: "Not sent", path: "M8 1.8 14.8 14H1.2zM8 6.2v3.6M8 11.8v.1" },
  "delivery-error": { words: "Sent, not confirmed", path: "M8 1.8 14.8 14H1.2zM8 6.2v3.6M8 11.8v.1" },
};

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  text?: string,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of [
    ["viewBox", "0 0 16 16"],
    ["width", "16"],
    ["height", "16"],
    ["aria-hidden", "true"],
  ] as const) {
    svg.setAttribute(name, value);
  }
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

function tick(delivery: Delivery): HTMLElement {
  const { words, path } = TICKS[delivery];
  const mark = element("span", { class: "tick", title: words, "data-testid": "tick" });
  mark.append(icon(path), element("span", { class: "visually-hidden" }, words));
  return mark;
}

export function sizeWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function progressBar(label: string, done: number, total: number, words: string): HTMLElement {
  return element("progress", {
    max: String(total),
    value: String(done),
    "aria-label": label,
    "aria-valuetext": words,
    "data-testid": "message-progress",
  });
}

/** A hue per sender, the same on every screen. */
function hueOf(senderId: string): number {
  let sum = 0;
  for (const char of senderId) sum = (31 * sum + (char.codePointAt(0) ?? 0)) % 65_521;
  return sum % HUES;
}

function textOf(row: Row): Node[] {
  const text = element("div", { class: "text", "data-testid": "message-text" }, row.text);
  if (row.text.length <= FOLDED_CHARS) return [text];
  text.classList.add("folded");
  const size = sizeWords(new TextEncoder().encode(row.text).length);
  const more = element("button", { type: "button", class: "link", "aria-expanded": "false" }, `Show all (${size})`);
  more.addEventListener("click", () => {
    const folded = text.classList.toggle("folded");
    more.setAttribute("aria-expanded", String(!folded));
    more.textContent = folded ? `Show all (${size})` : "Show less";
  });
  return [text, more];
}

/** A file as something to save: never as a type that the browser would open in this site's name. */
function download(file: RowFile, bytes: Uint8Array<ArrayBuffer>): HTMLElement {
  const link = element("a", { class: "link", download: file.fileName, "data-testid": "file-save" }, "Save");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.setAttribute("aria-label", `Save ${file.fileName}`);
  return link;
}

/** An image that is one by its own bytes. Anything else, HTML and SVG included, is only a file. */
function picture(file: RowFile, bytes: Uint8Array<ArrayBuffer>, onload: () => void): HTMLElement | undefined {
  const type = imageType(bytes);
  if (type === undefined) return undefined;
  const image = element("img", { alt: file.fileName, decoding: "async", "data-testid": "file-image" });
  image.addEventListener("load", onload);
  image.addEventListener("error", () => image.remove());
  image.src = URL.createObjectURL(new Blob([bytes], { type }));
  return image;
}

function fileOf(file: RowFile, onload: () => void): HTMLElement {
  const box = element("div", { class: "file", "data-testid": "file", "data-file": file.fileName });
  const { bytes } = file;
  const image = bytes && picture(file, bytes, onload);
  if (image !== undefined) box.append(image);
  const words = element("div", { class: "file-words" });
  const name = element("bdi", { "data-testid": "file-name" }, file.fileName);
  const title = element("b");
  title.append(name);
  words.append(icon("M4 1.8h5l3 3v9.4H4zM9 1.8v3h3"), title);
  words.append(element("span", { class: "muted small", "data-testid": "file-size" }, sizeWords(file.size)));
  if (bytes !== undefined) words.append(download(file, bytes));
  box.append(words);
  return box;
}

export class MessageList {
  readonly #list: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #onretry: (row: Row) => void;
  readonly #times = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  readonly #shown = new Map<string, { readonly item: HTMLLIElement; readonly foot: HTMLElement }>();
  readonly #incoming = new Map<string, HTMLLIElement>();
  /** The rows on screen by time, earliest first. */
  #order: { readonly item: HTMLLIElement; readonly at: number }[] = [];

  constructor(list: HTMLElement, scroller: HTMLElement, onretry: (row: Row) => void) {
    this.#list = list;
    this.#scroller = scroller;
    this.#onretry = onretry;
  }

  clear(): void {
    for (const link of this.#list.querySelectorAll<HTMLElement>("a[download], img")) {
      URL.revokeObjectURL(link.getAttribute("href") ?? link.getAttribute("src") ?? "");
    }
    this.#shown.clear();
    this.#incoming.clear();
    this.#order = [];
    this.#list.replaceChildren();
  }

  /** Adds the row where its time belongs, or brings the one with its key up to date. */
  show(row: Row): void {
    const known = this.#shown.get(row.key);
    if (known !== undefined) {
      const stay = this.#atEnd();
      this.#mark(known.item, row);
      this.#fill(known.foot, row);
      if (stay) this.toEnd();
      return;
    }
    const item = element("li", { "data-testid": "message", "data-hue": String(hueOf(row.senderId)) });
    const bubble = element("div", { class: "bubble" });
    const foot = element("div", { class: "foot" });
    bubble.append(element("div", { class: "name", "data-testid": "message-name" }, row.own ? "You" : row.name));
    const { file } = row;
    if (file === undefined) bubble.append(...textOf(row));
    else {
      // An image has no height until it is decoded: whoever was at the end is to see it.
      const stay = row.own || this.#atEnd();
      bubble.append(fileOf(file, () => stay && this.toEnd()));
    }
    bubble.append(foot);
    item.append(bubble);
    this.#mark(item, row);
    this.#fill(foot, row);
    const follow = row.own || this.#atEnd();
    this.#insert(item, row.shownAt);
    this.#shown.set(row.key, { item, foot });
    if (follow) this.toEnd();
  }

  note(text: string): void {
    const follow = this.#atEnd();
    this.#list.append(element("li", { class: "note", "data-testid": "note" }, text));
    if (follow) this.toEnd();
  }

  /** A large message on its way to here. It is gone once everything is here, and the message itself is shown instead. */
  incoming(id: string, done: number, total: number): void {
    const known = this.#incoming.get(id);
    if (done >= total) {
      known?.remove();
      this.#incoming.delete(id);
      return;
    }
    const item = known ?? element("li", { class: "note", "data-testid": "incoming" });
    const words = `${done} of ${total} parts`;
    item.dataset["done"] = String(done);
    item.replaceChildren(
      element("span", {}, "Receiving a large message"),
      progressBar("Receiving a large message", done, total, words),
      element("span", { "aria-hidden": "true" }, words),
    );
    if (known !== undefined) return;
    const follow = this.#atEnd();
    this.#incoming.set(id, item);
    this.#list.append(item);
    if (follow) this.toEnd();
  }

  incomingLost(): void {
    for (const item of this.#incoming.values()) item.remove();
    this.#incoming.clear();
  }

  toEnd(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #atEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  #insert(item: HTMLLIElement, at: number): void {
    // Nearly every row is the latest one.
    const place = this.#order.findLastIndex((shown) => shown.at <= at) + 1;
    // What is still coming in stays below what is here.
    const [first] = this.#incoming.values();
    this.#list.insertBefore(item, this.#order[place]?.item ?? first ?? null);
    this.#order.splice(place, 0, { item, at });
  }

  #mark(item: HTMLLIElement, row: Row): void {
    item.dataset["own"] = String(row.own);
    item.dataset["replayed"] = String(row.replayed);
    if (row.delivery !== undefined) item.dataset["state"] = row.delivery;
    if (row.requestId !== undefined) item.dataset["requestId"] = row.requestId;
  }

  #fill(foot: HTMLElement, row: Row): void {
    const time = element("time", { datetime: new Date(row.shownAt).toISOString() }, this.#times.format(row.shownAt));
    const parts: Node[] = [time];
    if (row.delivery !== undefined) parts.push(tick(row.delivery));
    const { progress } = row;
    if (progress !== undefined && progress.total > 1 && progress.done < progress.total) {
      const words = `${progress.done} of ${progress.total} parts`;
      const bar = progressBar("Sending", progress.done, progress.total, words);
      parts.unshift(bar, element("span", { "aria-hidden": "true" }, words));
    }
    foot.replaceChildren(...parts);
    foot.parentElement?.querySelector(".problem")?.remove();
    if (row.delivery !== undefined && failed(row.delivery)) {
      const problem = element("div", { class: "problem", role: "alert", "data-testid": "message-error" });
      problem.append(element("span", {}, row.error ?? TICKS[row.delivery].words));
      const again = element("button", { type: "button", class: "button compact", "data-testid": "retry" }, "Try again");
      again.addEventListener("click", () => this.#onretry(row));
      problem.append(again);
      foot.after(problem);
    }
  }
}
