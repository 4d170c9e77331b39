import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FirefoxProfile } from "../../support/firefox.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";

describe("the Firefox build", () => {
  let firefox: FirefoxProfile;
  let server: PageServer;

  beforeAll(async () => {
    server = await startPageServer({ "/": { html: "<!doctype html><title>A page</title>" } });
    firefox = await FirefoxProfile.launch();
  });

  afterAll(async () => {
    await firefox.close();
    await server.close();
  });

  test("gives a page on localhost the provider, whose background answers", async () => {
    const page = await firefox.open(server.origin);
    expect(await firefox.evaluate(page, "typeof window.reliableChannel.apiVersion")).toBe("string");
    expect(await firefox.evaluate(page, "window.reliableChannel.permissions()")).toEqual([]);
  });

  test("answers a call without a grant with the typed error", async () => {
    const page = await firefox.open(server.origin);
    const answer = await firefox.evaluate(
      page,
      "window.reliableChannel.connect({ onlyIfTrusted: true }).then(() => 'connected', ({ name, code }) => ({ name, code }))",
    );
    expect(answer).toEqual({ name: "ReliableChannelError", code: 4100 });
  });

  test("opens its popup", async () => {
    const page = await firefox.open(firefox.extensionUrl("popup.html"));
    expect(await firefox.evaluate(page, "document.querySelector('main') !== null")).toBe(true);
  });
});
