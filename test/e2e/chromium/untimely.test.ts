/** Clicks that come before they can be meant, and answers that come when the question is no longer there. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encryptedPrompt, FOUND_INVITATION, full, INVITATION, LOCAL } from "../../../dev/gallery/background.ts";
import { openShot } from "../../../dev/gallery/draw.ts";
import { SHOTS } from "../../../dev/gallery/shots.ts";
import { ChromiumProfile } from "../../support/chromium.ts";
import { qrPicture } from "../../support/qr-picture.ts";
import { ScriptedBackground } from "../../support/scripted-background.ts";

const WRONG = { error: { kind: "text-unknown", message: "" } } as const;
const INVITED = FOUND_INVITATION.inspectKeyText ?? {};

describe("a view of the extension", () => {
  let profile: ChromiumProfile;
  let page: Page;
  let picture: { readonly name: string; readonly mimeType: string; readonly buffer: Buffer };

  beforeAll(async () => {
    profile = await ChromiumProfile.launch();
    const desk = await profile.context.newPage();
    picture = { name: "code.png", mimeType: "image/png", buffer: await qrPicture(desk, INVITATION) };
    await desk.close();
    page = await profile.openPopup();
  });
  afterAll(() => profile.close());

  const open = (snapshot = full): Promise<ScriptedBackground> =>
    ScriptedBackground.open(page, `chrome-extension://${profile.extensionId}/popup.html`, snapshot);

  /** Whether the button takes a click in the moment after the window came to the front. */
  const takesClickInFront = (button: string): Promise<boolean> =>
    page.evaluate(async (testid) => {
      dispatchEvent(new Event("focus"));
      await new Promise((resolve) => setTimeout(resolve));
      return document.querySelector<HTMLButtonElement>(`[data-testid="${testid}"]`)?.disabled === false;
    }, button);

  test.each([
    ["prompt-key", "prompt-always"],
    ["prompt-key", "prompt-once"],
    ["prompt-key-other-site", "new-site-allow"],
    ["popup-new-site", "new-site-allow"],
    ["prompt-key-invitation", "prompt-accept-invitation"],
  ])("of the picture %s takes no click on %s in the moment after it came to the front", async (name, button) => {
    const shot = SHOTS.find((each) => each.name === name);
    if (!shot) throw new Error(`no picture ${name}`);
    await openShot(page, profile.extensionId, shot);
    const ready = page.getByTestId(button).and(page.locator(":enabled"));
    await ready.waitFor();
    expect(await takesClickInFront(button)).toBe(false);
    await ready.waitFor();
  });

  test("does not say of one prompt what went wrong with the one before", async () => {
    const background = await open({ ...full, prompts: [encryptedPrompt] });
    await page.getByTestId("review").click();
    await page.getByTestId("prompt-always").click();
    await background.answer(await background.asked("answerPrompt"), {
      error: { kind: "key-too-many-keys", message: "" },
    });
    await page.getByTestId("prompt-error").waitFor();
    await background.tell({ ...full, prompts: [{ ...encryptedPrompt, id: "next", origin: LOCAL }] });
    await page.locator('[data-prompt-id="next"]').waitFor();
    expect(await page.getByTestId("prompt-error").count()).toBe(0);
  });

  test("does not say of an image what was wrong with the text before it", async () => {
    const background = await open();
    await page.getByTestId("channel-accept").click();
    await page.getByTestId("invitation-text").fill("no invitation");
    await background.answer(await background.asked("inspectKeyText", "no invitation"), WRONG);
    await page.getByTestId("key-text-problem").waitFor();
    await page.getByTestId("invitation-image").setInputFiles(picture);
    await background.answer(await background.asked("inspectKeyText", INVITATION), INVITED);
    await page.locator('[data-testid="key-text-found"][data-kind="invitation"]').waitFor();
    expect(await page.getByTestId("key-text-problem").count()).toBe(0);
  });

  test("does not say of an image what the text before it is, however late the answer comes", async () => {
    const background = await open();
    await page.getByTestId("channel-accept").click();
    await page.getByTestId("invitation-text").fill("a backup");
    const late = await background.asked("inspectKeyText", "a backup");
    await page.getByTestId("invitation-image").setInputFiles(picture);
    await background.answer(await background.asked("inspectKeyText", INVITATION), INVITED);
    await page.locator('[data-testid="key-text-found"][data-kind="invitation"]').waitFor();
    await background.answer(late, { value: { kind: "backup" } });
    expect(await page.getByTestId("key-text-found").getAttribute("data-kind")).toBe("invitation");
  });

  test("does not say of a text what the image before it is, however late the answer comes", async () => {
    const background = await open();
    await page.getByTestId("channel-accept").click();
    await page.getByTestId("invitation-image").setInputFiles(picture);
    const late = await background.asked("inspectKeyText", INVITATION);
    await page.getByTestId("invitation-text").fill("a backup");
    await background.answer(await background.asked("inspectKeyText", "a backup"), { value: { kind: "backup" } });
    await page.getByTestId("invitation-wrong").waitFor();
    await background.answer(late, INVITED);
    expect(await page.getByTestId("key-text-found").getAttribute("data-kind")).toBe("backup");
    expect(await page.getByTestId("invitation-accept").isDisabled()).toBe(true);
  });
});
