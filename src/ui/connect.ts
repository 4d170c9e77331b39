import { browser } from "wxt/browser";
import { UI_PORT } from "./background-api.ts";
import { BackgroundLink } from "./background-link.ts";

export function connectToBackground(): BackgroundLink {
  return new BackgroundLink(() => browser.runtime.connect({ name: UI_PORT }));
}
