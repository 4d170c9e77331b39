import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChromiumProfile } from "../../support/chromium.ts";
import { DemoPage } from "../../support/demo-page.ts";
import { screenshots, TEST_SCREENSHOTS } from "../../support/screenshots.ts";
import { Stack } from "../../support/stack.ts";

const ROOM = "garden";

describe("the demo site", () => {
  let stack: Stack;
  let aliceProfile: ChromiumProfile;
  let bobProfile: ChromiumProfile;
  let alice: DemoPage;
  let bob: DemoPage;

  beforeAll(async () => {
    stack = await Stack.start();
    [aliceProfile, bobProfile] = await Promise.all([stack.profile(), stack.profile()]);
    alice = await DemoPage.open(aliceProfile, stack.demo.url, "Alice", ROOM);
    bob = await DemoPage.open(bobProfile, stack.demo.url, "Bob", ROOM);
  });

  afterAll(() => stack?.close());

  test("says what to do where the extension is missing, without an exception", async () => {
    const bare = await stack.profile({ extension: false });
    const page = await bare.context.newPage();
    const errors: Error[] = [];
    page.on("pageerror", (error) => errors.push(error));
    await page.goto(stack.demo.url);
    await page.getByTestId("hint").waitFor();
    await screenshots(page, TEST_SCREENSHOTS, "demo-hint");
    expect(errors).toEqual([]);
  });

  test("explains a refusal, and asks again on the next try", async () => {
    await screenshots(alice.page, TEST_SCREENSHOTS, "demo-entry");
    await alice.pressConnect();
    await aliceProfile.answerPrompt("reject");
    await alice.page.getByTestId("error").waitFor();
    await alice.enter(aliceProfile);
    await bob.enter(bobProfile);
  });

  test("carries text both ways, with the delivered tick", async () => {
    const asked = await alice.send("Are the tomatoes ripe?");
    await bob.received("Are the tomatoes ripe?");
    await alice.delivered(asked);
    const answered = await bob.send("The small ones are");
    await alice.received("The small ones are");
    await bob.delivered(answered);
    await screenshots(alice.page, TEST_SCREENSHOTS, "demo-chat");
  });

  test("carries a message of 300 KiB", async () => {
    const text = "Tomato seeds. ".repeat((300 * 1024) / 14 + 1).trim();
    const sent = await bob.send(text);
    await alice.received(text);
    await bob.delivered(sent);
  });

  test("comes back to the room after a reload, with every message once, and goes on", async () => {
    const before = await bob.texts();
    expect(before).toHaveLength(3);
    await bob.page.reload();
    await bob.inRoom();
    expect((await bob.texts()).toSorted()).toEqual(before.toSorted());
    const sent = await alice.send("Save me one");
    await bob.received("Save me one");
    await alice.delivered(sent);
    expect(await bob.texts()).toHaveLength(4);
  });
});
