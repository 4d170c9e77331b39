import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { ChannelPage } from "../../support/channel-page.ts";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { type PageServer, startPageServer } from "../../support/page-server.ts";
import { Stack } from "../../support/stack.ts";

const NONCE = "dGVzdA";
const PROVIDER_SEEN = "document.title = typeof window.reliableChannel";

const PAGES = {
  "/": { html: "<!doctype html><title>Test</title>" },
  "/early": { html: `<!doctype html><script>${PROVIDER_SEEN}</script>` },
  "/strict": {
    html: `<!doctype html><script nonce="${NONCE}">${PROVIDER_SEEN}</script>`,
    headers: {
      "content-security-policy": `default-src 'none'; script-src 'nonce-${NONCE}'; require-trusted-types-for 'script'`,
    },
  },
  "/sandboxed": {
    html: "<!doctype html><title>Sandboxed</title>",
    headers: { "content-security-policy": "sandbox allow-scripts" },
  },
  "/framing": { html: '<!doctype html><title>Framing</title><iframe src="/"></iframe>' },
};

describe("a page and the provider", () => {
  let stack: Stack;
  let profile: ChromiumProfile;
  let server: PageServer;

  beforeAll(async () => {
    server = await startPageServer(PAGES);
    stack = await Stack.start();
    profile = await stack.profile();
  });

  afterAll(async () => {
    await stack?.close();
    await server?.close();
  });

  const channelPage = async (channelId: string): Promise<ChannelPage> =>
    new ChannelPage(await profile.open(server.origin), {
      channelId,
      contentTopic: "/test/1/contract/proto",
      encryption: { mode: "none" },
    });

  test("finds it before the first inline script runs", async () => {
    const page = await profile.open(`${server.origin}/early`);
    expect(await page.title()).toBe("object");
  });

  test("finds it under a strict content security policy, and gets answers there", async () => {
    const page = await profile.open(`${server.origin}/strict`);
    expect(await page.title()).toBe("object");
    expect(await page.evaluate(() => window.reliableChannel?.permissions())).toEqual([]);
  });

  test("discovers it by the announcement event", async () => {
    const page = await profile.open(server.origin);
    const found = await page.evaluate(() => {
      const seen: string[] = [];
      window.addEventListener("reliablechannel:announceProvider", ({ detail }) => seen.push(detail.info.rdns));
      window.dispatchEvent(new Event("reliablechannel:requestProvider"));
      return { seen, own: window.reliableChannel?.info.rdns };
    });
    expect(found.seen).toEqual([found.own]);
  });

  test("is absent where the origin is null, and in frames", async () => {
    const sandboxed = await profile.open(`${server.origin}/sandboxed`);
    expect(await sandboxed.evaluate(() => self.origin)).toBe("null");
    expect(await sandboxed.evaluate(() => typeof window.reliableChannel)).toBe("undefined");

    const framing = await profile.open(`${server.origin}/framing`);
    const frame = framing.frames().find((candidate) => candidate !== framing.mainFrame());
    expect(await frame?.evaluate(() => typeof window.reliableChannel)).toBe("undefined");
  });

  test("is not prompted with onlyIfTrusted, and gets Unauthorized", async () => {
    const page = await profile.open(server.origin);
    const code = await page.evaluate(() =>
      window.reliableChannel?.connect({ onlyIfTrusted: true }).then(
        () => 0,
        ({ code }: { code: number }) => code,
      ),
    );
    expect(code).toBe(ErrorCode.Unauthorized);
  });

  test("gets UserRejected (4001) when the person closes the prompt", async () => {
    const page = await channelPage("closed-prompt");
    const refused = page.attach();
    await (await profile.waitForPrompt()).close();
    expect(await refused).toMatchObject({ ok: false, name: "ReliableChannelError", code: ErrorCode.UserRejected });
  });

  test("gets UserRejected (4001) when the person says no, and may ask again", async () => {
    const page = await channelPage("refused");
    const refused = page.attach();
    await profile.answerPrompt("reject");
    expect(await refused).toMatchObject({ ok: false, name: "ReliableChannelError", code: ErrorCode.UserRejected });

    const allowed = page.attach();
    await profile.answerPrompt("always");
    expect(await allowed).toEqual({ ok: true, value: null });
  });

  test("gets InvalidParams for an empty payload", async () => {
    const page = await channelPage("errors");
    expect(await page.attach()).toEqual({ ok: true, value: null });
    expect(await page.send("")).toMatchObject({
      ok: false,
      name: "ReliableChannelError",
      code: ErrorCode.InvalidParams,
      message: expect.stringMatching(/empty/i),
    });
  });

  test("gets NotFound for a channel that does not exist", async () => {
    const page = await profile.open(server.origin);
    const answer = await page.evaluate(async () => ({
      exists: await window.reliableChannel?.channelExists("nowhere"),
      sent: await window.reliableChannel?.send("nowhere", new Uint8Array([1])).then(
        () => "sent",
        ({ name, code }: { name: string; code: number }) => ({ name, code }),
      ),
    }));
    expect(answer).toEqual({ exists: false, sent: { name: "ReliableChannelError", code: ErrorCode.NotFound } });
  });

  test("closes a channel: it is listed before and gone after", async () => {
    const page = await channelPage("closing");
    expect(await page.attach()).toEqual({ ok: true, value: null });
    const ids = () =>
      page.page.evaluate(async () => (await window.reliableChannel?.listChannels())?.map((c) => c.channelId));
    expect(await ids()).toContain("closing");
    await page.page.evaluate(() => window.reliableChannel?.closeChannel("closing"));
    expect(await ids()).not.toContain("closing");
    expect(await page.send("too late")).toMatchObject({ ok: false, code: ErrorCode.ChannelClosed });
  });
});
